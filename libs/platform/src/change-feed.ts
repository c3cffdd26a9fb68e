import { type Clock } from '@weir/kernel';
import { Client } from 'pg';
import { type Logger } from 'pino';
import { ChangeListenerQueue, type ChangeListener } from './change-listener-queue';
import { type ChangeBatch, ChangeReader } from './change-reader';

/** A notification is the quick way; this is how late a change can be when it is lost. */
const POLL_INTERVAL_MS = 1_000;
const LONGEST_RETRY_WAIT_MS = 1_000;
const CONNECT_TIMEOUT_MS = 2_000;
const QUERY_TIMEOUT_MS = 5_000;
const END_TIMEOUT_MS = 1_000;
/** Rows are kept for a day, so this is far from missing one; reading all anew is then cheaper, too. */
const LONG_GAP_MS = 10 * 60_000;
const FRESH_FOR_MS = 3_000;
const PRUNE_INTERVAL_MS = 10 * 60_000;

export interface ChangeFeedOptions {
  url: string;
  clock: Clock;
  logger: Pick<Logger, 'info' | 'warn' | 'error'>;
  pollIntervalMs?: number;
  pruneIntervalMs?: number;
}

/**
 * Tells this process what others changed in the database, so that its snapshots follow. Every
 * change is told at least once, in order, whatever becomes of connections; each listener is told
 * `everything` first, and again whenever it may have missed something.
 */
export class ChangeFeed {
  private readonly reader = new ChangeReader();
  private readonly queues: ChangeListenerQueue[] = [];
  private client: Client | null = null;
  private loop: Promise<void> | null = null;
  private stopped = false;
  private woken = false;
  private wakeUp: (() => void) | null = null;
  private away = false;
  private lastRead: { wallMs: number; monotonicMs: number } | null = null;
  private nextPruneMs: number;

  constructor(private readonly options: ChangeFeedOptions) {
    const pruneIntervalMs = options.pruneIntervalMs ?? PRUNE_INTERVAL_MS;
    // Spread, so that processes started together do not all prune at the same moment.
    this.nextPruneMs = options.clock.monotonicMs() + Math.random() * pruneIntervalMs;
  }

  /** Before start(). A listener must stand being told the same change twice. */
  subscribe(listener: ChangeListener): void {
    this.queues.push(new ChangeListenerQueue(listener, this.options.logger));
  }

  /**
   * Follows the changes until stop(). Resolves when every listener has taken in `everything` for
   * the first time: what they hold then, and from then on, misses no change.
   */
  async start(): Promise<void> {
    this.loop ??= this.follow();
    await Promise.all(this.queues.map((queue) => queue.hasCaughtUpOnce));
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.wake();
    for (const queue of this.queues) queue.stop();
    await this.loop;
    await this.disconnect();
    await Promise.all(this.queues.map((queue) => queue.isIdle()));
  }

  /** True while what the listeners know is some seconds old at most. */
  get isFresh(): boolean {
    if (this.lastRead === null) return false;
    const ageMs = this.options.clock.monotonicMs() - this.lastRead.monotonicMs;
    return ageMs <= FRESH_FOR_MS && this.queues.every((queue) => !queue.isFailing);
  }

  private async follow(): Promise<void> {
    let retryWaitMs = 50;
    while (!this.stopped) {
      try {
        this.woken = false;
        await this.readChanges();
        retryWaitMs = 50;
        await this.rest(this.options.pollIntervalMs ?? POLL_INTERVAL_MS);
      } catch (error) {
        this.reportAway(error);
        await this.disconnect();
        await this.rest(retryWaitMs);
        retryWaitMs = Math.min(retryWaitMs * 2, LONGEST_RETRY_WAIT_MS);
      }
    }
  }

  private async readChanges(): Promise<void> {
    const client = this.client ?? (await this.connect());
    const batch = await this.reader.read(client);
    this.deliver(this.wasLongAway() ? 'everything' : batch);
    const { clock } = this.options;
    this.lastRead = { wallMs: clock.nowMs(), monotonicMs: clock.monotonicMs() };
    if (this.away) this.options.logger.info({}, 'the feed of changes is followed again');
    this.away = false;
    await this.pruneWhenDue(client);
  }

  private deliver(batch: ChangeBatch): void {
    if (batch !== 'everything' && batch.length === 0) return;
    for (const queue of this.queues) queue.push(batch);
  }

  /** The wall clock counts, too: the other one may stand still while a laptop sleeps. */
  private wasLongAway(): boolean {
    if (this.lastRead === null) return false;
    const { clock } = this.options;
    const gapMs = Math.max(clock.nowMs() - this.lastRead.wallMs, clock.monotonicMs() - this.lastRead.monotonicMs);
    return gapMs > LONG_GAP_MS;
  }

  private async connect(): Promise<Client> {
    const client = new Client({
      connectionString: this.options.url,
      application_name: 'weir change feed',
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      // A connection that died without a word is found out by a poll that gets no answer.
      query_timeout: QUERY_TIMEOUT_MS,
      keepAlive: true,
    });
    const lost = () => {
      // One that failed to connect is told by the rejection; waking here would skip the wait before the next try.
      if (this.client !== client) return;
      this.client = null;
      this.wake();
    };
    client.on('error', lost);
    client.on('end', lost);
    client.on('notification', () => this.wake());
    try {
      await client.connect();
      // Before the first read: what is committed after that read then rings.
      await client.query('LISTEN weir_changes');
    } catch (error) {
      await end(client);
      throw error;
    }
    this.client = client;
    return client;
  }

  private async disconnect(): Promise<void> {
    const client = this.client;
    this.client = null;
    if (client !== null) await end(client);
  }

  private async pruneWhenDue(client: Client): Promise<void> {
    const nowMs = this.options.clock.monotonicMs();
    if (nowMs < this.nextPruneMs) return;
    this.nextPruneMs = nowMs + (this.options.pruneIntervalMs ?? PRUNE_INTERVAL_MS);
    await this.reader.prune(client);
  }

  private reportAway(error: unknown): void {
    if (!this.away && !this.stopped) this.options.logger.warn({ err: error }, 'the feed of changes is interrupted; trying again');
    this.away = true;
  }

  private wake(): void {
    this.woken = true;
    this.wakeUp?.();
  }

  /** Until something happens, or the time is up. */
  private async rest(milliseconds: number): Promise<void> {
    if (this.woken || this.stopped) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.wakeUp = null;
  }
}

/** A connection whose other side is gone without a word never confirms its end. */
async function end(client: Client): Promise<void> {
  const ended = client.end().catch(() => undefined);
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([ended, new Promise((resolve) => (timer = setTimeout(resolve, END_TIMEOUT_MS)))]);
  clearTimeout(timer);
}
