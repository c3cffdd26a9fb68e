import { RowBatch } from '../row-batch';
import { RowQueue } from '../row-queue';
import { type SegmentLog, type SpoolPosition } from './segment-log';
import { SpillReader } from './spill-reader';
import { type UnwrittenRow, type WrittenRow } from './spool-writer';

/** The batch without rows. */
export const NO_ROWS = RowBatch.of([]);

/** Rows that are to be stored next. */
export interface UploadBatch {
  readonly rows: RowBatch;
  /** Where they are besides in memory: in the spool, or nowhere, and then this is what they are. */
  readonly unwritten: readonly UnwrittenRow[] | null;
  /** Rows before the batch's end that cannot be read back. */
  readonly missing: number;
}

export interface UploadQueueOptions {
  readonly log: Pick<SegmentLog, 'findSegment'>;
  /** Rows kept in memory; more are read back from the spool when their turn comes. */
  readonly capacity: number;
  /** The most rows of a batch; those that are read back may come in larger ones. */
  readonly batchRows: number;
  readonly onCorrupt: (segment: number, offset: number) => void;
}

/** Rows on their way to PostgreSQL, in the order in which they were written. */
export class UploadQueue {
  readonly #options: UploadQueueOptions;
  readonly #tail: RowQueue;
  #spill: SpillReader | null = null;
  #unwritten: UnwrittenRow[] = [];

  constructor(options: UploadQueueOptions) {
    this.#options = options;
    this.#tail = new RowQueue(options.batchRows);
  }

  /** Rows that wait, without those that were taken out. */
  get length(): number {
    return this.#tail.length + (this.#spill?.length ?? 0) + this.#unwritten.length;
  }

  /** These rows, which stand in `bytes`, were written there. */
  push(rows: readonly WrittenRow[], bytes: Buffer, position: SpoolPosition): void {
    if (this.#spill === null && this.#tail.length + rows.length > this.#options.capacity) {
      const { log, onCorrupt } = this.#options;
      this.#spill = new SpillReader({ log, from: position, onCorrupt });
    }
    if (this.#spill !== null) this.#spill.noteWritten(rows.length);
    else for (const { requestId, place } of rows) this.#tail.push(requestId, bytes, place.start, place.end);
  }

  /** These could not be written: memory is all they have, so they go first. */
  pushUnwritten(rows: readonly UnwrittenRow[]): void {
    for (const row of rows) this.#unwritten.push(row);
  }

  /** Takes out what could not be written, to try once more. */
  takeUnwritten(): UnwrittenRow[] {
    return this.#unwritten.splice(0);
  }

  /** Takes out some rows; none when there are none. What was taken before is done with. */
  async next(): Promise<UploadBatch> {
    this.#tail.giveBack();
    if (this.#unwritten.length > 0) {
      const unwritten = this.#unwritten.splice(0, this.#options.batchRows);
      return { rows: RowBatch.of(unwritten.map(({ text }) => text)), unwritten, missing: 0 };
    }
    const rows = this.#tail.take();
    if (rows !== null || this.#spill === null) return { rows: rows ?? NO_ROWS, unwritten: null, missing: 0 };
    const { texts, missing } = await this.#spill.next();
    if (this.#spill.length === 0) this.#spill = null;
    return { rows: RowBatch.of(texts), unwritten: null, missing };
  }
}
