import { RowQueue } from '../row-queue';
import { type SegmentLog, type SpoolPosition } from './segment-log';
import { SpillReader } from './spill-reader';
import { type FinalRow } from './spool-writer';

/** Rows that are to be stored next. */
export interface UploadBatch {
  readonly texts: readonly string[];
  /** Where they are besides in memory: in the spool, or nowhere, and then this is what they are. */
  readonly unwritten: readonly FinalRow[] | null;
  /** Rows before the batch's end that cannot be read back. */
  readonly missing: number;
}

export interface UploadQueueOptions {
  readonly log: Pick<SegmentLog, 'findSegment'>;
  /** Rows kept in memory; more are read back from the spool when their turn comes. */
  readonly capacity: number;
  readonly onCorrupt: (segment: number, offset: number) => void;
}

/** Rows on their way to PostgreSQL, in the order in which they were written. */
export class UploadQueue {
  readonly #options: UploadQueueOptions;
  readonly #tail = new RowQueue();
  #spill: SpillReader | null = null;
  #unwritten: FinalRow[] = [];

  constructor(options: UploadQueueOptions) {
    this.#options = options;
  }

  /** Rows that wait, without those that were taken out. */
  get length(): number {
    return this.#tail.length + (this.#spill?.length ?? 0) + this.#unwritten.length;
  }

  /** These rows were written there. */
  push(rows: readonly FinalRow[], position: SpoolPosition): void {
    if (this.#spill === null && this.#tail.length + rows.length > this.#options.capacity) {
      const { log, onCorrupt } = this.#options;
      this.#spill = new SpillReader({ log, from: position, onCorrupt });
    }
    if (this.#spill !== null) this.#spill.noteWritten(rows.length);
    else for (const { text } of rows) this.#tail.push(text);
  }

  /** These could not be written: memory is all they have, so they go first. */
  pushUnwritten(rows: readonly FinalRow[]): void {
    for (const row of rows) this.#unwritten.push(row);
  }

  /** Takes out what could not be written, to try once more. */
  takeUnwritten(): FinalRow[] {
    return this.#unwritten.splice(0);
  }

  /** Takes out about `count` rows; none when there are none. */
  async next(count: number): Promise<UploadBatch> {
    if (this.#unwritten.length > 0) {
      const unwritten = this.#unwritten.splice(0, count);
      return { texts: unwritten.map(({ text }) => text), unwritten, missing: 0 };
    }
    if (this.#tail.length > 0 || this.#spill === null) return { texts: this.#tail.take(count), unwritten: null, missing: 0 };
    const { texts, missing } = await this.#spill.next();
    if (this.#spill.length === 0) this.#spill = null;
    return { texts, unwritten: null, missing };
  }
}
