import { type Clock } from '@weir/kernel';
import { type Metrics } from '@weir/platform';
import { type Logger } from 'pino';
import { type RowUploader } from '../row-uploader';
import { AgeGauge } from './age-gauge';
import { type SpoolPosition } from './segment-log';
import { type UnwrittenRow, type WrittenRow } from './spool-writer';
import { NO_ROWS, type UploadBatch, type UploadQueue } from './upload-queue';

export interface UploadLoopOptions {
  readonly queue: UploadQueue;
  readonly uploader: RowUploader;
  readonly batchRows: number;
  readonly intervalMs: number;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly metrics: Pick<Metrics, 'ledgerWrote'>;
  readonly logger: Pick<Logger, 'error'>;
  /** The first `rows` rows of the spool are done with. */
  readonly onStored: (rows: number) => void;
  /** Rows are stored that are not in the spool. */
  readonly onUnwrittenStored: (rows: readonly UnwrittenRow[]) => void;
}

const READ_RETRY_MS = 1_000;
const NOTHING: UploadBatch = { rows: NO_ROWS, unwritten: null, missing: 0 };

/** Takes this process's rows to PostgreSQL, a batch every `intervalMs` or as soon as one is full, one at a time. */
export class UploadLoop {
  readonly #options: UploadLoopOptions;
  readonly #age: AgeGauge;
  /** Rows that came and rows done with, ever. */
  #appended = 0;
  #settled = 0;
  /** Of the rows in the spool, how many are done with; they are done with in their order. */
  #stored = 0;
  /** Everything up to this row is to go without waiting for a batch to fill. */
  #urgentUpTo = 0;
  /** What is being stored. */
  #batch: UploadBatch = NOTHING;
  #timer: NodeJS.Timeout | null = null;
  #isRunning = false;
  #isStopped = false;
  #waiters: { readonly upTo: number; readonly resolve: () => void }[] = [];

  constructor(options: UploadLoopOptions) {
    this.#options = options;
    this.#age = new AgeGauge(options.clock);
  }

  /** Rows that came and are not stored. */
  get backlog(): number {
    return this.#appended - this.#settled;
  }

  /** How old the oldest of them is. Milliseconds. */
  get ageMs(): number {
    return this.#age.ageMs;
  }

  /** A row came; it will be pushed. */
  noteAppended(): void {
    this.#appended++;
  }

  readonly push = (rows: readonly WrittenRow[], bytes: Buffer, position: SpoolPosition): void => {
    this.#options.queue.push(rows, bytes, position);
    this.#age.noteAppended(this.#appended);
    this.#plan();
  };

  readonly pushUnwritten = (rows: readonly UnwrittenRow[]): void => {
    this.#options.queue.pushUnwritten(rows);
    this.#age.noteAppended(this.#appended);
    this.#plan();
  };

  /** Resolves when every row that came before is stored or refused, or when the loop is stopped. */
  flush(): Promise<void> {
    if (this.backlog === 0 || this.#isStopped) return Promise.resolve();
    this.#urgentUpTo = this.#appended;
    this.#start();
    return new Promise((resolve) => this.#waiters.push({ upTo: this.#urgentUpTo, resolve }));
  }

  stop(): void {
    this.#isStopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#options.uploader.stop();
    for (const { resolve } of this.#waiters.splice(0)) resolve();
  }

  /**
   * Takes out rows that are nowhere but in memory, to be written after all and pushed. Those that are
   * being stored are among them: they are stored once more then, without effect.
   */
  takeUnwritten(): UnwrittenRow[] {
    const waiting = this.#options.queue.takeUnwritten();
    if (this.#batch.unwritten === null) return waiting;
    const all = [...this.#batch.unwritten, ...waiting];
    this.#batch = NOTHING;
    return all;
  }

  #plan(): void {
    if (this.#isRunning || this.#isStopped) return;
    if (this.#options.queue.length >= this.#options.batchRows) this.#start();
    // Not unref'd: a process must not end by itself while it owes a row.
    else this.#timer ??= setTimeout(this.#start, this.#options.intervalMs);
  }

  readonly #start = (): void => {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#isRunning || this.#isStopped) return;
    this.#isRunning = true;
    // In a turn of its own: making a batch is no part of the request that filled it.
    setImmediate(() => void this.#run());
  };

  async #run(): Promise<void> {
    const { queue, uploader, batchRows, logger } = this.#options;
    try {
      do {
        this.#batch = await queue.next();
        if (!(await uploader.upload(this.#batch.rows))) return;
        this.#settle(this.#batch);
        this.#batch = NOTHING;
      } while (!this.#isStopped && (queue.length >= batchRows || (queue.length > 0 && this.#settled < this.#urgentUpTo)));
      this.#isRunning = false;
      if (queue.length > 0) this.#plan();
    } catch (error) {
      logger.error({ error }, 'usage rows cannot be read back from the spool now; it is tried again');
      this.#isRunning = false;
      if (!this.#isStopped) this.#timer ??= setTimeout(this.#start, READ_RETRY_MS);
    }
  }

  #settle({ rows, unwritten, missing }: UploadBatch): void {
    if (missing > 0) this.#options.metrics.ledgerWrote('lost', missing);
    this.#settled += rows.length + missing;
    this.#age.noteSettled(this.#settled);
    if (unwritten !== null) this.#options.onUnwrittenStored(unwritten);
    else this.#options.onStored((this.#stored += rows.length + missing));
    const isDone = ({ upTo }: { upTo: number }): boolean => upTo <= this.#settled;
    const done = this.#waiters.filter(isDone);
    if (done.length === 0) return;
    this.#waiters = this.#waiters.filter((waiter) => !isDone(waiter));
    for (const { resolve } of done) resolve();
  }
}
