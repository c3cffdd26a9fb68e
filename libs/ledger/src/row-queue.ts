import { RowBatch, ROW_SEPARATOR } from './row-batch';

const INITIAL_BYTES = 16 * 1024;
/** Memory that is kept for the next rows: so many of them, and none that is larger. */
const SPARES = 2;
const LARGEST_SPARE_BYTES = 1024 * 1024;
const [COMMA, LINE_BREAK] = Buffer.from(ROW_SEPARATOR);
const ARRAY_START = '['.charCodeAt(0);
const ARRAY_END = ']'.charCodeAt(0);

/** First in, first out. Rows are put together as they are sent, so that nothing is made of each. */
export class RowQueue {
  readonly #batchRows: number;
  #closed: OpenBatch[] = [];
  #open: OpenBatch | null = null;
  #length = 0;
  readonly #spares: Buffer[] = [];
  #taken: OpenBatch | null = null;

  /** @param batchRows the most rows of a batch */
  constructor(batchRows: number) {
    this.#batchRows = batchRows;
  }

  get length(): number {
    return this.#length;
  }

  /** Takes a copy of the row's JSON, which stands in `bytes` from `start` to `end`. */
  push(requestId: string, bytes: Buffer, start: number, end: number): void {
    this.#open ??= new OpenBatch(this.#spares.pop() ?? Buffer.allocUnsafeSlow(INITIAL_BYTES));
    this.#open.add(requestId, bytes, start, end);
    this.#length++;
    if (this.#open.requestIds.length < this.#batchRows) return;
    this.#closed.push(this.#open);
    this.#open = null;
  }

  /** Takes out the oldest; null when there are none. */
  take(): RowBatch | null {
    const taken = this.#closed.shift() ?? this.#open;
    if (taken === null) return null;
    if (taken === this.#open) this.#open = null;
    this.#length -= taken.requestIds.length;
    this.#taken = taken;
    return taken.close();
  }

  /** Nobody needs any more what was taken last: its memory is used again. */
  giveBack(): void {
    const bytes = this.#taken?.memory;
    this.#taken = null;
    if (bytes !== undefined && this.#spares.length < SPARES && bytes.length <= LARGEST_SPARE_BYTES) this.#spares.push(bytes);
  }
}

/** A batch that grows. */
class OpenBatch {
  readonly requestIds: string[] = [];
  #bytes: Buffer;
  /** The array's opening bracket is there already. */
  #length = 1;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get memory(): Buffer {
    return this.#bytes;
  }

  add(requestId: string, bytes: Buffer, start: number, end: number): void {
    this.#makeRoom(this.#length + ROW_SEPARATOR.length + (end - start) + 1);
    if (this.requestIds.length > 0) {
      this.#bytes[this.#length++] = COMMA;
      this.#bytes[this.#length++] = LINE_BREAK;
    }
    this.#length += bytes.copy(this.#bytes, this.#length, start, end);
    this.requestIds.push(requestId);
  }

  close(): RowBatch {
    this.#bytes[0] = ARRAY_START;
    this.#bytes[this.#length] = ARRAY_END;
    return new RowBatch(this.requestIds, this.#bytes.subarray(0, this.#length + 1));
  }

  #makeRoom(length: number): void {
    if (length <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(length, 2 * this.#bytes.length));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}
