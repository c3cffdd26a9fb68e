import { crc32 } from 'node:zlib';
import { type UsageRecord } from '../usage-record';
import { writeUsageRow } from '../usage-row';
import { BODY_START, NEWLINE, writeChecksum } from './spool-record';

const INITIAL_BYTES = 64 * 1024;
/** A burst needs more for once: it is given back. */
const LARGEST_KEPT_BYTES = 1024 * 1024;
const LARGEST_UTF8_LENGTH = 3;
const INTENT = 'I'.charCodeAt(0);
const FINAL = 'F'.charCodeAt(0);

/** Where a row's JSON stands among the lines. */
export interface RowPlace {
  readonly start: number;
  readonly end: number;
}

/**
 * The lines of the next write, put together as bytes: as strings each would be made, flattened, encoded
 * and copied several times on its way to the disk and to PostgreSQL, and live until it is stored.
 */
export class SpoolLines {
  #bytes = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  #length = 0;

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /** What was added; until `clear`, or the next addition. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** @param body a record's kind and its JSON, without line breaks */
  add(body: string): void {
    const start = this.#length + BODY_START;
    this.#makeRoom(start + body.length * LARGEST_UTF8_LENGTH + 1);
    this.#end(start, start + this.#bytes.write(body, start, 'utf8'));
  }

  /** An attempt is about to be sent. */
  addIntent(record: UsageRecord): void {
    this.#addRow(INTENT, record);
  }

  /** An attempt is over. */
  addFinal(record: UsageRecord): RowPlace {
    return this.#addRow(FINAL, record);
  }

  /** As `addFinal`, for a row that is a text already. */
  addFinalText(text: string): RowPlace {
    const start = this.#length + BODY_START + 1;
    this.add(`F${text}`);
    return { start, end: this.#length - 1 };
  }

  clear(): void {
    this.#length = 0;
    if (this.#bytes.length > LARGEST_KEPT_BYTES) this.#bytes = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  }

  #addRow(kind: number, record: UsageRecord): RowPlace {
    const body = this.#length + BODY_START;
    // The last byte is for the line break.
    let end = writeUsageRow(record, this.#bytes, body + 1);
    while (end === null || end === this.#bytes.length) {
      this.#makeRoom(this.#bytes.length + 1);
      end = writeUsageRow(record, this.#bytes, body + 1);
    }
    this.#bytes[body] = kind;
    this.#end(body, end);
    return { start: body + 1, end };
  }

  #end(body: number, end: number): void {
    writeChecksum(crc32(this.#bytes.subarray(body, end)), this.#bytes, this.#length);
    this.#bytes[end] = NEWLINE;
    this.#length = end + 1;
  }

  #makeRoom(length: number): void {
    if (length <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(length, 2 * this.#bytes.length));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}
