import { rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { isError, toWriteFault } from '@weir/platform';
import { type Logger } from 'pino';
import { GroupSync } from './group-sync';
import { SegmentFile, syncFolderNow } from './segment-file';
import { type SpoolFolder } from './spool-folder';

const PROBE_INTERVAL_MS = 1_000;

export interface SegmentLogOptions {
  readonly folder: SpoolFolder;
  /** Bytes of all segments at which there is no room any more. */
  readonly maxBytes: number;
  readonly segmentBytes: number;
  /** How long after a write the disk is told to keep it; 0: before anybody acts on it. */
  readonly syncDelayMs: number;
  readonly logger: Pick<Logger, 'info' | 'error'>;
  /** The records with which the next segment begins. */
  readonly toCarried: () => string;
  /** Writing works again. */
  readonly onWritable: () => void;
}

/** A place in the spool. */
export interface SpoolPosition {
  readonly segment: number;
  readonly offset: number;
}

/**
 * The segments of this process's spool: records go to the end of the last one, and the first ones go
 * as their rows are stored. A write that fails (a full disk) leaves nothing behind and makes
 * `isWritable` false, until a write that is tried every second works again.
 */
export class SegmentLog {
  readonly #options: SegmentLogOptions;
  readonly #sync: GroupSync;
  /** The one that is written is last. */
  #segments: SegmentFile[] = [];
  #rows = 0;
  #storedRows = 0;
  #bytes = 0;
  #failure: Error | null = null;
  #isSuspect = false;
  #probeTimer: NodeJS.Timeout | null = null;
  #deletion: Promise<void> | null = null;
  #isClosed = false;

  constructor(options: SegmentLogOptions) {
    this.#options = options;
    this.#sync = new GroupSync({
      folder: options.folder.path,
      delayMs: options.syncDelayMs,
      onSynced: () => this.#deleteStored(),
      onFailure: (error) => {
        // What the disk has not kept it may not keep later either: on with another file.
        this.#isSuspect = true;
        this.#noteFailure(error);
      },
    });
    this.#addSegment(1, '');
    this.#tryOut();
  }

  /** Bytes of all segments. */
  get bytes(): number {
    return this.#bytes;
  }

  get isWritable(): boolean {
    return this.#failure === null && !this.#isClosed;
  }

  get hasRoom(): boolean {
    return this.isWritable && this.#bytes < this.#options.maxBytes;
  }

  /** Where the next record goes. */
  get end(): SpoolPosition {
    const { number, bytes } = this.#current;
    return { segment: number, offset: bytes };
  }

  /** Writes whole records, `rows` of them rows. @returns where. @throws when they are not written: none of them is. */
  write(lines: Buffer, rows: number): SpoolPosition {
    if (this.#failure !== null) throw this.#failure;
    if (this.#isClosed) throw new Error('the spool is closed');
    try {
      if (this.#isFull) this.#rotate();
      const position = this.end;
      this.#append(lines);
      this.#rows += rows;
      this.#current.lastRow = this.#rows;
      return position;
    } catch (error) {
      this.#noteFailure(error);
      throw error;
    }
  }

  /** @returns null for a segment that is not there any more. */
  findSegment(number: number): { readonly path: string; readonly bytes: number; readonly isLast: boolean } | null {
    const segment = this.#segments.find((each) => each.number === number);
    return segment === undefined ? null : { path: segment.path, bytes: segment.bytes, isLast: segment === this.#current };
  }

  /** The first `rows` rows ever written are stored: their segments can go. */
  noteStored(rows: number): void {
    this.#storedRows = rows;
    this.#leaveStored();
    this.#deleteStored();
  }

  /** When writing has failed: tries whether it works again. */
  probe(): void {
    if (this.#failure === null) return;
    if (this.#probeTimer !== null) clearTimeout(this.#probeTimer);
    try {
      this.#makeRoom();
      if (this.#isFull) this.#rotate();
      this.#current.probe();
    } catch {
      this.#planProbe();
      return;
    }
    this.#failure = null;
    this.#options.logger.info({}, 'the spool is written again');
    this.#options.onWritable();
  }

  /** Of a disk that is full from the start the log tells now, and not at the first call. */
  #tryOut(): void {
    try {
      this.#current.probe();
    } catch (error) {
      this.#noteFailure(error);
    }
  }

  /** Resolves when the files are closed and nothing is under way any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#probeTimer !== null) clearTimeout(this.#probeTimer);
    await this.#sync.close();
    await this.#deletion;
    for (const segment of this.#segments) segment.close();
  }

  get #current(): SegmentFile {
    return this.#segments[this.#segments.length - 1];
  }

  get #isFull(): boolean {
    const { bytes, carriedBytes } = this.#current;
    return this.#isSuspect || bytes - carriedBytes >= this.#options.segmentBytes;
  }

  /** Without room there may be no further write that would begin a new segment, so that this one can go. */
  #leaveStored(): void {
    const isAtEnd = this.#isFull || this.#bytes >= this.#options.maxBytes;
    if (!isAtEnd || this.#storedRows < this.#rows || !this.isWritable) return;
    try {
      this.#rotate();
    } catch (error) {
      this.#noteFailure(error);
    }
  }

  #rotate(): void {
    this.#addSegment(this.#current.number + 1, this.#options.toCarried());
  }

  #append(lines: Buffer): void {
    const before = this.#current.bytes;
    try {
      if (this.#options.syncDelayMs === 0) this.#current.writeThrough(lines);
      else this.#current.write(lines);
    } finally {
      this.#bytes += this.#current.bytes - before;
    }
    if (this.#options.syncDelayMs > 0) this.#sync.note(this.#current);
  }

  #addSegment(number: number, carried: string): void {
    const segment = new SegmentFile(number, this.#options.folder.toSegmentPath(number));
    try {
      if (carried !== '') segment.write(Buffer.from(carried));
      // Whoever acts on a record only when the disk has it relies on the file's name, too.
      if (this.#options.syncDelayMs === 0) syncFolderNow(this.#options.folder.path);
    } catch (error) {
      segment.close();
      rmSync(segment.path, { force: true });
      throw error;
    }
    segment.carriedBytes = segment.bytes;
    segment.lastRow = this.#rows;
    this.#bytes += segment.bytes;
    const [last] = this.#segments.slice(-1);
    if (last !== undefined) {
      last.isRetired = true;
      this.#sync.note(last);
    }
    this.#segments.push(segment);
    this.#isSuspect = false;
    this.#sync.noteNew(segment);
  }

  #deleteStored(): void {
    if (this.#deletion !== null || this.#isClosed || !this.#canDeleteFirst) return;
    this.#deletion = this.#deleteFirst().finally(() => {
      this.#deletion = null;
      this.#deleteStored();
    });
  }

  /** What was carried out of it must be on the disk before it goes. */
  get #canDeleteFirst(): boolean {
    const [first, second] = this.#segments;
    return second !== undefined && first.lastRow <= this.#storedRows && second.isCarrySynced;
  }

  /** In order, one at a time: what a crash in between leaves still makes sense. */
  async #deleteFirst(): Promise<void> {
    const [first] = this.#segments;
    await rm(first.path, { force: true }).catch((error: unknown) => this.#options.logger.error({ error }, 'a segment of the spool cannot be deleted'));
    this.#segments.shift();
    this.#bytes -= first.bytes;
  }

  #noteFailure(error: unknown): void {
    if (this.#failure !== null || this.#isClosed) return;
    this.#failure = isError(error) ? error : new Error('the spool cannot be written');
    this.#options.logger.error({ error }, `WEIR_DATA_DIR: the spool ${toWriteFault(error)}. New work is refused until it can be`);
    this.#planProbe();
  }

  #planProbe(): void {
    if (!this.#isClosed) this.#probeTimer = setTimeout(() => this.probe(), PROBE_INTERVAL_MS);
  }

  /** A disk that the spool itself has filled: the last segment may hold nothing any more that is needed. */
  #makeRoom(): void {
    const isStored = this.#segments.length === 1 && this.#rows <= this.#storedRows;
    if (!isStored || this.#options.toCarried() !== '') return;
    this.#bytes -= this.#current.bytes;
    this.#current.empty();
  }
}
