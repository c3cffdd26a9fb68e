import { type Metrics } from '@weir/platform';
import { type Logger } from 'pino';
import { RecordQueue } from './record-queue';
import { toErrorCode, toInsertFailure } from './to-insert-failure';
import { type UsageInserter } from './usage-inserter';
import { type UsageRecord } from './usage-record';

export interface LedgerWriterOptions {
  readonly inserter: Pick<UsageInserter, 'insert' | 'close'>;
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>;
  readonly metrics: Pick<Metrics, 'ledgerWrote' | 'observeLedgerBacklog'>;
  readonly batchRows?: number;
  readonly flushIntervalMs?: number;
  /** Unwritten rows at which hasRoom() turns false. */
  readonly maxBacklog?: number;
  /** How long close() may go on writing. */
  readonly closeTimeoutMs?: number;
}

/** A row that PostgreSQL would not take, by its ids: what was in it is not kept. */
export interface RefusedRow {
  readonly requestId: string;
  readonly attempt: number;
  /** The SQLSTATE. */
  readonly code: string | null;
}

const SMALLEST_RETRY_MS = 50;
const LARGEST_RETRY_MS = 1_000;
const REMEMBERED_REFUSALS = 100;
const LOGGED_IDS = 20;

/**
 * Carries usage rows to PostgreSQL behind the requests' backs: append() only remembers, and a
 * batch goes every `flushIntervalMs` or at `batchRows`, one at a time. While PostgreSQL is away the
 * same batch is tried again and new rows wait behind it; none is dropped. Rows beyond `maxBacklog`
 * are still kept, but hasRoom() is false, and the road is to refuse new work.
 *
 * A row that PostgreSQL refuses for its content is searched out by halving its batch, so that the
 * others go through. It is logged by its ids, counted as lost, and remembered in `refused`; its
 * usage is not charged to anybody.
 */
export class LedgerWriter {
  readonly #inserter: LedgerWriterOptions['inserter'];
  readonly #logger: LedgerWriterOptions['logger'];
  readonly #metrics: LedgerWriterOptions['metrics'];
  readonly #batchRows: number;
  readonly #flushIntervalMs: number;
  readonly #maxBacklog: number;
  readonly #closeTimeoutMs: number;
  readonly #queue = new RecordQueue();
  /** The batch being written, halved as far as its refused rows made necessary; the next part is last. */
  #parts: UsageRecord[][] = [];
  /** Rows appended and rows done with, ever. They leave in the order in which they came. */
  #appended = 0;
  #settled = 0;
  /** Everything up to this row is to be written without waiting for a batch to fill. */
  #urgentUpTo = 0;
  #timer: NodeJS.Timeout | null = null;
  #isWriting = false;
  #isClosed = false;
  #isStopped = false;
  #failuresInRow = 0;
  #wakeFromRetry: () => void = () => undefined;
  #waiters: { readonly upTo: number; readonly resolve: () => void }[] = [];
  readonly #refused: RefusedRow[] = [];

  constructor(options: LedgerWriterOptions) {
    this.#inserter = options.inserter;
    this.#logger = options.logger;
    this.#metrics = options.metrics;
    this.#batchRows = options.batchRows ?? 500;
    this.#flushIntervalMs = options.flushIntervalMs ?? 100;
    this.#maxBacklog = options.maxBacklog ?? 100_000;
    this.#closeTimeoutMs = options.closeTimeoutMs ?? 5_000;
    this.#metrics.observeLedgerBacklog(() => this.backlog);
  }

  /** Rows that are not in PostgreSQL yet. */
  get backlog(): number {
    return this.#appended - this.#settled;
  }

  /** The last rows that PostgreSQL would not take. */
  get refused(): readonly RefusedRow[] {
    return this.#refused;
  }

  /** False when new work must be refused, because its row might have no place. */
  hasRoom(): boolean {
    return !this.#isClosed && this.backlog < this.#maxBacklog;
  }

  append(record: UsageRecord): void {
    if (this.#isStopped) {
      this.#reportLate(record);
      return;
    }
    this.#queue.push(record);
    this.#appended++;
    if (this.#isWriting) return;
    if (this.#queue.length >= this.#batchRows) this.#startWriting();
    // Not unref'd: a process must not end by itself while it owes a row.
    else this.#timer ??= setTimeout(this.#startWriting, this.#flushIntervalMs);
  }

  /** Resolves when every row appended before is written or refused. While PostgreSQL is away it waits, at most until close() gives up. */
  flush(): Promise<void> {
    if (this.backlog === 0 || this.#isStopped) return Promise.resolve();
    this.#urgentUpTo = this.#appended;
    this.#startWriting();
    return new Promise((resolve) => this.#waiters.push({ upTo: this.#urgentUpTo, resolve }));
  }

  /**
   * Writes what there is, but not beyond the deadline, and reports what is left in the log and in
   * `backlog`. Rows appended after that are not written, and each is reported as lost.
   */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    let deadline: NodeJS.Timeout | undefined;
    const outOfTime = new Promise<void>((resolve) => {
      deadline = setTimeout(resolve, this.#closeTimeoutMs);
    });
    await Promise.race([this.flush(), outOfTime]);
    clearTimeout(deadline);
    this.#stop();
    await this.#inserter.close();
    if (this.backlog > 0) this.#reportLeft();
  }

  #stop(): void {
    this.#isStopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#wakeFromRetry();
    for (const { resolve } of this.#waiters.splice(0)) resolve();
  }

  readonly #startWriting = (): void => {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#isWriting || this.#isStopped) return;
    this.#isWriting = true;
    // In a turn of its own: making a batch's JSON is no part of the request that filled it.
    setImmediate(() => void this.#write());
  };

  async #write(): Promise<void> {
    do {
      this.#parts = [this.#queue.take(this.#batchRows)];
      while (this.#parts.length > 0 && !this.#isStopped) await this.#writeNextPart();
    } while (!this.#isStopped && (this.#queue.length >= this.#batchRows || this.#settled < this.#urgentUpTo));
    this.#isWriting = false;
    if (this.#queue.length > 0 && !this.#isStopped) this.#timer ??= setTimeout(this.#startWriting, this.#flushIntervalMs);
  }

  async #writeNextPart(): Promise<void> {
    const part = this.#parts[this.#parts.length - 1];
    try {
      const newRows = await this.#inserter.insert(part);
      this.#settlePart();
      this.#metrics.ledgerWrote('written', newRows);
      if (newRows < part.length) this.#metrics.ledgerWrote('repeated', part.length - newRows);
      this.#noteSuccess();
    } catch (error) {
      if (toInsertFailure(error) === 'passing') await this.#waitForRetry(error);
      else if (part.length === 1) this.#refuse(part[0], error);
      else this.#halve(part);
    }
  }

  #halve(part: UsageRecord[]): void {
    const middle = part.length >>> 1;
    this.#parts.pop();
    // Both halves go on in the order in which the rows came: `settled` counts on it.
    this.#parts.push(part.slice(middle), part.slice(0, middle));
  }

  #refuse(record: UsageRecord, error: unknown): void {
    const refused = { requestId: record.requestId, attempt: record.attempt, code: toErrorCode(error) };
    this.#refused.push(refused);
    if (this.#refused.length > REMEMBERED_REFUSALS) this.#refused.shift();
    this.#settlePart();
    this.#metrics.ledgerWrote('lost', 1);
    // The database's own words quote the row.
    this.#logger.error(refused, 'PostgreSQL refuses a usage row for its content');
  }

  #settlePart(): void {
    this.#settled += this.#parts.pop()?.length ?? 0;
    const isDone = ({ upTo }: { upTo: number }): boolean => upTo <= this.#settled;
    const done = this.#waiters.filter(isDone);
    if (done.length === 0) return;
    this.#waiters = this.#waiters.filter((waiter) => !isDone(waiter));
    for (const { resolve } of done) resolve();
  }

  /** Says once that writing fails and once that it works again: an outage must not fill the log. */
  #noteSuccess(): void {
    if (this.#failuresInRow > 0) this.#logger.info({ failures: this.#failuresInRow, rows: this.backlog }, 'usage rows are written again');
    this.#failuresInRow = 0;
  }

  async #waitForRetry(error: unknown): Promise<void> {
    if (this.#failuresInRow === 0) this.#logger.warn({ error, rows: this.backlog }, 'usage rows cannot be written now, and wait');
    const longestMs = Math.min(LARGEST_RETRY_MS, SMALLEST_RETRY_MS * 2 ** Math.min(this.#failuresInRow, 10));
    this.#failuresInRow++;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, longestMs * (0.5 + Math.random() / 2));
      this.#wakeFromRetry = () => {
        clearTimeout(timer);
        resolve();
      };
      if (this.#isStopped) this.#wakeFromRetry();
    });
  }

  /** Whoever closes the ledger before the last request is settled loses its row: not without a word. */
  #reportLate({ requestId, attempt }: UsageRecord): void {
    this.#metrics.ledgerWrote('lost', 1);
    this.#logger.error({ requestId, attempt }, 'a usage row came after the ledger was closed, and is lost');
  }

  #reportLeft(): void {
    const left = [...this.#parts].reverse().flat().concat(this.#queue.take(LOGGED_IDS));
    const requestId = left.slice(0, LOGGED_IDS).map((record) => record.requestId);
    this.#logger.error({ rows: this.backlog, requestId }, 'usage rows could not be written before the end');
  }
}
