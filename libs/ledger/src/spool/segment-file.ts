import { closeSync, fdatasync, fdatasyncSync, fsync, fsyncSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';

const fdatasyncAsync = promisify(fdatasync);
const fsyncAsync = promisify(fsync);

/** Enough for the records of a turn at load: a disk that takes this is not full. */
const PROBE_BYTES = 16 * 1024;
const LINE_BREAK = Buffer.from('\n');

/** One segment that is being written. */
export class SegmentFile {
  /** All of it whole records. */
  bytes = 0;
  /** Of them, what was carried forward from the segment before. */
  carriedBytes = 0;
  /** The number of the last row in it, counted over the life of the spool. */
  lastRow = 0;
  /** What was carried forward is on the disk, and the file's name: the segment before is not needed for it. */
  isCarrySynced = false;
  /** Nothing more is written to it. */
  isRetired = false;
  #isClosed = false;
  /** Half a record stands at its end and could not be taken back: a line break makes it a damaged one by itself. */
  #isTorn = false;
  readonly #file: number;

  /** Makes the file; it must not be there. */
  constructor(
    readonly number: number,
    readonly path: string,
  ) {
    this.#file = openSync(path, 'ax', 0o600);
  }

  /** Writes all of it, or takes back what was written and throws the system's error. */
  write(lines: Buffer): void {
    const bytes = this.#isTorn ? Buffer.concat([LINE_BREAK, lines]) : lines;
    let written = 0;
    try {
      while (written < bytes.length) written += writeSync(this.#file, bytes, written, bytes.length - written);
    } catch (error) {
      this.bytes += written;
      if (written > 0) this.#cut(this.bytes - written);
      throw error;
    }
    this.bytes += bytes.length;
    this.#isTorn = false;
  }

  /** Writes all of it, and returns when it is on the disk itself; otherwise as `write`. */
  writeThrough(lines: Buffer): void {
    const before = this.bytes;
    this.write(lines);
    try {
      fdatasyncSync(this.#file);
    } catch (error) {
      this.#cut(before);
      throw error;
    }
  }

  /** Throws when the disk is still full. */
  probe(): void {
    const before = this.bytes;
    this.write(Buffer.alloc(PROBE_BYTES, LINE_BREAK));
    this.#cut(before);
  }

  /** Forgets everything in it. */
  empty(): void {
    ftruncateSync(this.#file, 0);
    this.bytes = 0;
    this.carriedBytes = 0;
    this.#isTorn = false;
  }

  async sync(): Promise<void> {
    if (!this.#isClosed) await fdatasyncAsync(this.#file);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    closeSync(this.#file);
  }

  #cut(bytes: number): void {
    try {
      ftruncateSync(this.#file, bytes);
      this.bytes = bytes;
    } catch {
      this.#isTorn = true;
    }
  }
}

/** Without this the names of new files may be lost when the power goes. */
export async function syncFolder(path: string): Promise<void> {
  const folder = openSync(path, 'r');
  try {
    await fsyncAsync(folder);
  } finally {
    closeSync(folder);
  }
}

/** The same at once. */
export function syncFolderNow(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
