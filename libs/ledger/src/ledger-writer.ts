import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Clock } from '@weir/kernel';
import { type Metrics } from '@weir/platform';
import { type Logger } from 'pino';
import { RowBatch } from './row-batch';
import { type RefusedRow, type RowInserter, RowUploader } from './row-uploader';
import { type HoldRecord, OpenCalls } from './spool/open-calls';
import { SegmentLog } from './spool/segment-log';
import { type OnRecovered, SpoolAdopter } from './spool/spool-adopter';
import { SpoolFolder } from './spool/spool-folder';
import { type Depart, SpoolWriter } from './spool/spool-writer';
import { UploadLoop } from './spool/upload-loop';
import { UploadQueue } from './spool/upload-queue';
import { type UsageRecord } from './usage-record';

export interface LedgerWriterOptions {
  readonly inserter: RowInserter;
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>;
  readonly metrics: Pick<Metrics, 'ledgerWrote' | 'observeLedgerBacklog' | 'observe'>;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** Spools are in its folder `spool`, one a process. */
  readonly dataDirectory: string;
  /** Bytes of this process's spool at which hasRoom() turns false. */
  readonly spoolMaxBytes?: number;
  /** How long after a write the disk is told to keep it; 0: before anybody acts on it. */
  readonly spoolFsyncMs?: number;
  readonly segmentBytes?: number;
  /** Rows kept in memory; more are read back from the spool when their turn comes. */
  readonly rowsInMemory?: number;
  readonly batchRows?: number;
  readonly flushIntervalMs?: number;
  /** How long close() may go on storing. */
  readonly closeTimeoutMs?: number;
  readonly scanIntervalMs?: number;
  /** How long recover() waits. */
  readonly recoverTimeoutMs?: number;
}

const DEFAULT_MAX_BYTES = 1024 * 1024 * 1024;
const LARGEST_SEGMENT_BYTES = 16 * 1024 * 1024;
/** The smallest share of the spool that goes when its rows are stored. */
const SEGMENTS_AT_LEAST = 4;
const LOGGED_IDS = 20;
const LOGGED_DAMAGES = 100;

/**
 * Carries usage rows to PostgreSQL behind the requests' backs, and loses none: each is in the spool, a
 * log on disk, before it is stored. PostgreSQL may be away: the spool grows, and at its cap, or when
 * the disk is full, hasRoom() is false, and the road is to refuse new work. Rows that come all the same
 * are kept. What a process leaves behind, however it ends, another one or the next one stores.
 */
export class LedgerWriter {
  readonly #options: LedgerWriterOptions;
  readonly #folder: SpoolFolder;
  readonly #calls = new OpenCalls();
  readonly #log: SegmentLog;
  readonly #spool: SpoolWriter;
  readonly #loop: UploadLoop;
  readonly #uploader: RowUploader;
  readonly #adopter: SpoolAdopter;
  #corruptRecords = 0;
  #recoveredRows = 0;
  #isClosed = false;
  #isStopped = false;

  private constructor(options: LedgerWriterOptions, parent: string, folder: SpoolFolder) {
    this.#options = options;
    this.#folder = folder;
    const maxBytes = options.spoolMaxBytes ?? DEFAULT_MAX_BYTES;
    this.#uploader = new RowUploader(options);
    this.#log = new SegmentLog({
      folder,
      maxBytes,
      segmentBytes: options.segmentBytes ?? Math.min(LARGEST_SEGMENT_BYTES, Math.ceil(maxBytes / SEGMENTS_AT_LEAST)),
      syncDelayMs: options.spoolFsyncMs ?? 50,
      logger: options.logger,
      toCarried: () => this.#calls.toLines(),
      onWritable: () => this.#spool.writeAgain(this.#loop.takeUnwritten()),
    });
    this.#loop = this.#createLoop(options);
    this.#spool = new SpoolWriter({ log: this.#log, calls: this.#calls, onWritten: this.#loop.push, onUnwritten: this.#loop.pushUnwritten });
    this.#adopter = new SpoolAdopter({
      parent,
      ownPath: folder.path,
      scanIntervalMs: options.scanIntervalMs ?? 30_000,
      upload: (rowTexts) => this.#uploader.upload(RowBatch.of(rowTexts)),
      onCorrupt: this.#noteCorrupt,
      onRows: (rows) => (this.#recoveredRows += rows),
      logger: options.logger,
    });
    this.#observe();
  }

  /** Makes this process's spool. @throws ConfigurationError when the data folder cannot be written. */
  static open(options: LedgerWriterOptions): LedgerWriter {
    const parent = join(options.dataDirectory, 'spool');
    return new LedgerWriter(options, parent, SpoolFolder.make(parent));
  }

  /** Rows that are not in PostgreSQL yet, without those of other processes. */
  get backlog(): number {
    return this.#loop.backlog;
  }

  /** The last rows that PostgreSQL would not take. */
  get refused(): readonly RefusedRow[] {
    return this.#uploader.refused;
  }

  /** From now on `listener` is told of each row that is in the ledger, by its request. It must not throw. */
  tellLanded(listener: (requestId: string) => void): void {
    this.#uploader.onLanded = listener;
  }

  /** False when new work must be refused, because its row might have no place. */
  hasRoom(): boolean {
    return !this.#isClosed && this.#log.hasRoom;
  }

  /**
   * Stores the rows of processes that died, and has their calls settled by `onRecovered` after that;
   * from now on, and of those that are there now before it resolves, but it waits for at most ten
   * seconds: PostgreSQL may be away.
   */
  async recover(onRecovered: OnRecovered): Promise<void> {
    const waiting = new AbortController();
    const timeout = sleep(this.#options.recoverTimeoutMs ?? 10_000, undefined, { signal: waiting.signal }).catch(() => undefined);
    await Promise.race([this.#adopter.start(onRecovered), timeout]);
    waiting.abort();
  }

  /** The call is about to be admitted: `writePending()` is to be true before it is. */
  hold(record: HoldRecord): void {
    this.#spool.hold(record);
  }

  /** The call's hold was settled, or never taken. */
  releaseHold(requestId: string): void {
    this.#spool.release(requestId);
  }

  /** @returns false when what was handed over is not safe: then nothing may be done that relies on it. */
  writePending(): boolean {
    return this.#spool.writePending();
  }

  /**
   * An attempt is about to be sent; it is, when `depart` is called with null. `record` is the row that
   * stands if nothing more is heard of it: of status `unknown`, with what is estimated.
   */
  intent(record: UsageRecord, depart: Depart): void {
    this.#spool.intent(record, depart);
  }

  /** The row of an attempt that is over. Its ids, attempt and time are those of its intent. */
  append(record: UsageRecord): void {
    if (this.#isStopped) {
      this.#reportLate(record);
      return;
    }
    this.#loop.noteAppended();
    this.#spool.append(record);
  }

  /** Resolves when every row appended before is stored or refused. While PostgreSQL is away it waits, at most until close() gives up. */
  flush(): Promise<void> {
    this.#spool.writePending();
    return this.#loop.flush();
  }

  /**
   * Stores what there is, but not beyond the deadline. What is left stays in the spool for the next
   * start, or for another process. Rows appended after that are reported as lost.
   */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const waiting = new AbortController();
    const outOfTime = sleep(this.#options.closeTimeoutMs ?? 5_000, undefined, { signal: waiting.signal }).catch(() => undefined);
    await Promise.race([this.flush(), outOfTime]);
    waiting.abort();
    this.#stop();
    await this.#options.inserter.close();
    await this.#adopter.stop();
    await this.#log.close();
    await this.#leave();
  }

  #stop(): void {
    this.#spool.writePending();
    // A disk that was full gets a last chance.
    this.#log.probe();
    this.#loop.stop();
    this.#spool.writeAgain(this.#loop.takeUnwritten());
    this.#isStopped = true;
  }

  /** The spool goes if nothing in it is needed any more. */
  async #leave(): Promise<void> {
    const lost = this.#loop.takeUnwritten();
    if (lost.length > 0) {
      this.#options.metrics.ledgerWrote('lost', lost.length);
      const requestId = lost.slice(0, LOGGED_IDS).map((row) => row.requestId);
      this.#options.logger.error({ rows: lost.length, requestId }, 'usage rows could neither be stored nor written to the spool, and are lost');
    }
    if (this.backlog === 0 && this.#calls.size === 0) {
      await this.#folder.remove();
      return;
    }
    this.#folder.release();
    this.#options.logger.warn({ rows: this.backlog - lost.length, calls: this.#calls.size }, 'usage rows wait in the spool for the next start');
  }

  #createLoop({ rowsInMemory, batchRows, flushIntervalMs, clock, metrics, logger }: LedgerWriterOptions): UploadLoop {
    return new UploadLoop({
      queue: new UploadQueue({
        log: this.#log,
        capacity: rowsInMemory ?? 20_000,
        batchRows: batchRows ?? 500,
        onCorrupt: (segment, offset) => this.#noteCorrupt(this.#folder.name, segment, offset),
      }),
      uploader: this.#uploader,
      batchRows: batchRows ?? 500,
      intervalMs: flushIntervalMs ?? 100,
      clock,
      metrics,
      logger,
      onStored: (rows) => this.#log.noteStored(rows),
      onUnwrittenStored: (rows) => {
        for (const { requestId, attempt, costNanos } of rows) this.#calls.finish(requestId, attempt, costNanos);
      },
    });
  }

  readonly #noteCorrupt = (name: string, segment: number, offset: number): void => {
    this.#corruptRecords++;
    // A disk that is broken has too many of them for the log; the metric counts on.
    if (this.#corruptRecords <= LOGGED_DAMAGES) this.#options.logger.error({ name, segment, offset }, 'a record of the spool is damaged and is passed over');
  };

  /** Whoever closes the ledger before the last request is settled loses its row: not without a word. */
  #reportLate({ requestId, attempt }: UsageRecord): void {
    this.#options.metrics.ledgerWrote('lost', 1);
    this.#options.logger.error({ requestId, attempt }, 'a usage row came after the ledger was closed, and is lost');
  }

  #observe(): void {
    const { metrics } = this.#options;
    metrics.observeLedgerBacklog(() => this.backlog);
    metrics.observe('weir_spool_bytes', "Size of this process's spool.", () => this.#log.bytes);
    metrics.observe('weir_spool_lag_seconds', 'Age of the oldest usage row that is not in PostgreSQL yet.', () => this.#loop.ageMs / 1_000);
    metrics.observe('weir_spool_open_calls', 'Calls with a hold that is not settled or an attempt that is not over.', () => this.#calls.size);
    metrics.observe('weir_spool_recovered_rows', 'Usage rows stored from spools of processes that ended, since the start.', () => this.#recoveredRows);
    metrics.observe('weir_spool_corrupt_records', 'Damaged records that were passed over in spools, since the start.', () => this.#corruptRecords);
  }
}
