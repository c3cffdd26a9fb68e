import { type SegmentLog, type SpoolPosition } from './segment-log';
import { readStretch, readStretchSync, STRETCH_BYTES } from './segment-reader';
import { type SpoolStretch } from './spool-record';

export interface SpilledRows {
  readonly texts: readonly string[];
  /** Rows that were written and cannot be read any more; only told at the end. */
  readonly missing: number;
}

export interface SpillReaderOptions {
  readonly log: Pick<SegmentLog, 'findSegment'>;
  readonly from: SpoolPosition;
  readonly onCorrupt: (segment: number, offset: number) => void;
}

/** Reads rows back out of this process's own spool that found no place in memory. */
export class SpillReader {
  readonly #options: SpillReaderOptions;
  #segment: number;
  #offset: number;
  #written = 0;
  #read = 0;

  constructor(options: SpillReaderOptions) {
    this.#options = options;
    this.#segment = options.from.segment;
    this.#offset = options.from.offset;
  }

  /** Rows that are still to be read. */
  get length(): number {
    return this.#written - this.#read;
  }

  /** More rows were written at the end of the spool. */
  noteWritten(rows: number): void {
    this.#written += rows;
  }

  /** The next rows, some hundred; none only at the end. Afterwards `length` is 0 exactly when the end was reached. */
  async next(): Promise<SpilledRows> {
    for (;;) {
      const segment = this.#options.log.findSegment(this.#segment);
      // A segment goes when its rows are stored: then they have been read.
      const left = segment === null ? 0 : segment.bytes - this.#offset;
      if (segment !== null && left === 0 && segment.isLast) return this.#end([]);
      if (segment === null || left === 0) {
        this.#segment++;
        this.#offset = 0;
        continue;
      }
      // The very end is read at once: otherwise there would always be a little more when it has been read.
      const isEnd = segment.isLast && left <= STRETCH_BYTES;
      const texts = this.#take(isEnd ? readStretchSync(segment.path, this.#offset, segment.bytes) : await readStretch(segment.path, this.#offset, segment.bytes));
      if (isEnd) return this.#end(texts);
      if (texts.length > 0) return { texts, missing: 0 };
    }
  }

  #take({ records, corruptAt, length }: SpoolStretch): string[] {
    for (const offset of corruptAt) this.#options.onCorrupt(this.#segment, this.#offset + offset);
    this.#offset += length;
    const texts = records.filter(({ kind }) => kind === 'F').map(({ json }) => json);
    this.#read += texts.length;
    return texts;
  }

  #end(texts: readonly string[]): SpilledRows {
    const missing = this.length;
    this.#read = this.#written;
    return { texts, missing };
  }
}
