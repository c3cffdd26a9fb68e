import { type Metrics } from '@weir/platform';
import { type Logger } from 'pino';
import { type RowBatch } from './row-batch';
import { toErrorCode, toInsertFailure } from './to-insert-failure';

/** Stores rows. @returns how many were new. All are stored, or none and it throws. */
export interface RowInserter {
  insert(rows: RowBatch): Promise<number>;
  close(): Promise<void>;
}

export interface RowUploaderOptions {
  readonly inserter: Pick<RowInserter, 'insert'>;
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>;
  readonly metrics: Pick<Metrics, 'ledgerWrote'>;
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

/**
 * Brings rows into PostgreSQL however long it takes. While it is away the same rows are tried again.
 * A row that it refuses for its content is searched out by halving, so that the others go through; it
 * is logged by its ids, counted as lost, and remembered in `refused`; its usage is not charged to
 * anybody.
 */
export class RowUploader {
  readonly #options: RowUploaderOptions;
  #isStopped = false;
  #failuresInRow = 0;
  #inserting: Promise<unknown> = Promise.resolve();
  readonly #sleepers = new Set<() => void>();
  readonly #refused: RefusedRow[] = [];

  /** Told of each row that is in the ledger, by its request. Must not throw. */
  onLanded: (requestId: string) => void = () => undefined;

  constructor(options: RowUploaderOptions) {
    this.#options = options;
  }

  /** The last rows that PostgreSQL would not take. */
  get refused(): readonly RefusedRow[] {
    return this.#refused;
  }

  /** @returns true when every row is stored or refused; false when it was stopped before. */
  async upload(rows: RowBatch): Promise<boolean> {
    // The next part is last.
    const parts = rows.length === 0 ? [] : [rows];
    for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
      if (this.#isStopped) return false;
      try {
        const newRows = await this.#insert(part);
        this.#options.metrics.ledgerWrote('written', newRows);
        for (const requestId of part.requestIds) this.onLanded(requestId);
        if (newRows < part.length) this.#options.metrics.ledgerWrote('repeated', part.length - newRows);
        this.#noteSuccess();
      } catch (error) {
        parts.push(...(await this.#toNextParts(part, error)));
      }
    }
    return true;
  }

  /** Nothing is tried again from now on. */
  stop(): void {
    this.#isStopped = true;
    for (const wake of this.#sleepers) wake();
  }

  /** One at a time: an inserter has one connection, and a transaction on it. */
  async #insert(part: RowBatch): Promise<number> {
    const insertion = this.#inserting.then(() => this.#options.inserter.insert(part));
    this.#inserting = insertion.catch(() => undefined);
    return insertion;
  }

  async #toNextParts(part: RowBatch, error: unknown): Promise<RowBatch[]> {
    const failure = toInsertFailure(error);
    if (failure === 'passing' || (failure === 'slow' && part.length === 1)) {
      await this.#waitForRetry(error);
      return [part];
    }
    if (part.length === 1) {
      this.#refuse(part.toTexts()[0], error);
      return [];
    }
    const [first, second] = part.halve();
    return [second, first];
  }

  #refuse(rowText: string, error: unknown): void {
    const refused = { ...parseRowIds(rowText), code: toErrorCode(error) };
    this.#refused.push(refused);
    if (this.#refused.length > REMEMBERED_REFUSALS) this.#refused.shift();
    this.#options.metrics.ledgerWrote('lost', 1);
    // The database's own words quote the row.
    this.#options.logger.error(refused, 'PostgreSQL refuses a usage row for its content');
  }

  /** Says once that storing fails and once that it works again: an outage must not fill the log. */
  #noteSuccess(): void {
    if (this.#failuresInRow > 0) this.#options.logger.info({ failures: this.#failuresInRow }, 'usage rows are stored again');
    this.#failuresInRow = 0;
  }

  async #waitForRetry(error: unknown): Promise<void> {
    if (this.#isStopped) return;
    if (this.#failuresInRow === 0) this.#options.logger.warn({ error }, 'usage rows cannot be stored now, and wait');
    const longestMs = Math.min(LARGEST_RETRY_MS, SMALLEST_RETRY_MS * 2 ** Math.min(this.#failuresInRow, 10));
    this.#failuresInRow++;
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#sleepers.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, longestMs * (0.5 + Math.random() / 2));
      this.#sleepers.add(wake);
    });
  }
}

/** The ids of a row for the log. */
function parseRowIds(rowText: string): { requestId: string; attempt: number } {
  try {
    const row: unknown = JSON.parse(rowText);
    if (typeof row === 'object' && row !== null) return { requestId: String(Reflect.get(row, 'request_id')), attempt: Number(Reflect.get(row, 'attempt')) };
  } catch {
    // A row that cannot even be read has no ids to tell.
  }
  return { requestId: 'unreadable', attempt: 0 };
}
