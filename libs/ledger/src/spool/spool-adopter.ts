import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Logger } from 'pino';
import { type RecoveredCall } from './orphan-calls';
import { recoverSpool } from './recover-spool';
import { SpoolFolder } from './spool-folder';

/** Settles calls whose process died. Must take the same calls twice without effect; rejected, it is asked again. */
export type OnRecovered = (calls: readonly RecoveredCall[]) => Promise<void>;

export interface SpoolAdopterOptions {
  /** Where the spools of all processes are. */
  readonly parent: string;
  /** This process's own. */
  readonly ownPath: string;
  readonly scanIntervalMs: number;
  /** Stores rows. False: the process is stopping. */
  readonly upload: (rowTexts: readonly string[]) => Promise<boolean>;
  readonly onCorrupt: (folder: string, segment: number, offset: number) => void;
  readonly onRows: (rows: number) => void;
  readonly logger: Pick<Logger, 'info' | 'warn'>;
}

const SETTLE_RETRY_MS = 1_000;
const STOP_TIMEOUT_MS = 1_000;

/**
 * Looks after the spools of processes that died, one at a time: whose lock can be taken is an orphan.
 * The lock is kept until the orphan is gone, so two processes never work on the same one.
 */
export class SpoolAdopter {
  readonly #options: SpoolAdopterOptions;
  readonly #stopping = new AbortController();
  readonly #stopped: Promise<void>;
  #onRecovered: OnRecovered = () => Promise.resolve();
  #timer: NodeJS.Timeout | null = null;
  #scanning: Promise<void> | null = null;

  constructor(options: SpoolAdopterOptions) {
    this.#options = options;
    this.#stopped = new Promise((resolve) => this.#stopping.signal.addEventListener('abort', () => resolve(), { once: true }));
  }

  /** Looks now and then again and again. Resolves when what there is now is done with. */
  start(onRecovered: OnRecovered): Promise<void> {
    this.#onRecovered = onRecovered;
    this.#timer ??= setInterval(() => void this.#scan(), this.#options.scanIntervalMs).unref();
    return this.#scan();
  }

  /** Leaves what is not finished to others. */
  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#stopping.abort();
    // Whatever does not notice must not hold up the end of the process.
    const waiting = new AbortController();
    await Promise.race([this.#scanning, sleep(STOP_TIMEOUT_MS, undefined, { signal: waiting.signal }).catch(() => undefined)]);
    waiting.abort();
  }

  #scan(): Promise<void> {
    this.#scanning ??= this.#adoptAll().finally(() => (this.#scanning = null));
    return this.#scanning;
  }

  async #adoptAll(): Promise<void> {
    try {
      for (const path of SpoolFolder.list(this.#options.parent)) {
        if (this.#stopping.signal.aborted) return;
        if (path !== this.#options.ownPath) await this.#adopt(path);
      }
    } catch (error) {
      this.#options.logger.warn({ error }, 'the spools of other processes cannot be listed');
    }
  }

  async #adopt(path: string): Promise<void> {
    const { logger, upload, onCorrupt, onRows } = this.#options;
    const name = basename(path);
    try {
      const folder = SpoolFolder.adopt(path);
      if (folder === null) return;
      try {
        const rows = await recoverSpool(folder, { upload, settle: (calls) => this.#settle(calls), onCorrupt });
        if (rows === null) return;
        onRows(rows);
        logger.info({ name, rows }, 'recovered the spool of a process that has ended');
      } finally {
        folder.release();
      }
    } catch (error) {
      logger.warn({ error, name }, 'a spool cannot be recovered now; it is tried again');
    }
  }

  async #settle(calls: readonly RecoveredCall[]): Promise<boolean> {
    let hasFailed = false;
    while (!this.#stopping.signal.aborted) {
      try {
        // Whoever settles may hang for as long as the stop waits.
        await Promise.race([this.#onRecovered(calls), this.#stopped]);
        return !this.#stopping.signal.aborted;
      } catch (error) {
        if (!hasFailed) this.#options.logger.warn({ error, calls: calls.length }, 'recovered calls cannot be settled now, and wait');
        hasFailed = true;
        await sleep(SETTLE_RETRY_MS, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
      }
    }
    return false;
  }
}
