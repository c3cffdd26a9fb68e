import { type Clock } from '@weir/kernel';
import { type RedisClient } from './redis-client';

const FIRST_PROBE_AFTER_MS = 100;
const LARGEST_PROBE_DELAY_MS = 1_000;
/** A connection silent for so long is taken for dead, though nobody has closed it. */
const RECONNECT_AFTER_MS = 2_000;

export interface RedisAvailabilityOptions {
  readonly redis: RedisClient;
  readonly clock: Clock;
  /** A cheap write; resolves when Redis has done it. */
  readonly probe: () => Promise<void>;
  /** Told once a change: whether Redis may be asked, and why not. */
  readonly onChange?: (available: boolean, reason: string) => void;
}

/**
 * A small breaker: once Redis was seen hanging, failing or away, nobody waits for it until a probe
 * gets through. A connection that stays silent is replaced, because after a vanished host the
 * operating system would keep it for a quarter of an hour.
 */
export class RedisAvailability {
  readonly #options: RedisAvailabilityOptions;
  #tripped = false;
  /** What onChange was told last; a connection that is still being made at the start is no news. */
  #toldAvailable = true;
  #closed = false;
  #probing = false;
  #probeDelayMs = FIRST_PROBE_AFTER_MS;
  #silentSinceMs = 0;
  #timer: NodeJS.Timeout | null = null;
  readonly #onReady = (): void => {
    this.#heard();
    this.#probe();
  };

  constructor(options: RedisAvailabilityOptions) {
    this.#options = options;
    options.redis.on('ready', this.#onReady);
    if (options.redis.status === 'ready') return;
    this.#tripped = true;
    this.#heard();
    this.#schedule();
  }

  /** As `check`, but finds nothing out and tells nobody: for what nobody waits for. */
  get isAvailable(): boolean {
    return !this.#closed && !this.#tripped && this.#options.redis.status === 'ready';
  }

  /** Whether Redis may be asked now. Finding it disconnected trips the breaker. */
  check(): boolean {
    if (this.#closed) return false;
    if (this.#tripped) {
      this.#tell(false, 'connection');
      return false;
    }
    if (this.#options.redis.status === 'ready') return true;
    this.trip('connection');
    return false;
  }

  /** Nobody is to wait for Redis until a probe gets through. */
  trip(reason: string): void {
    if (this.#tripped || this.#closed) return;
    this.#tripped = true;
    this.#heard();
    this.#probeDelayMs = FIRST_PROBE_AFTER_MS;
    this.#schedule();
    this.#tell(false, reason);
  }

  close(): void {
    this.#closed = true;
    this.#options.redis.off('ready', this.#onReady);
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #schedule(): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => this.#wake(), this.#probeDelayMs).unref();
    this.#probeDelayMs = Math.min(2 * this.#probeDelayMs, LARGEST_PROBE_DELAY_MS);
  }

  #wake(): void {
    this.#replaceSilentConnection();
    this.#probe();
    this.#schedule();
  }

  #heard(): void {
    this.#silentSinceMs = this.#options.clock.monotonicMs();
  }

  #replaceSilentConnection(): void {
    const { redis, clock } = this.#options;
    // In any other state the client is reconnecting by itself.
    if (redis.status !== 'ready' && redis.status !== 'connect') return;
    if (clock.monotonicMs() - this.#silentSinceMs < RECONNECT_AFTER_MS) return;
    this.#heard();
    this.#probing = false;
    redis.disconnect(true);
  }

  /** One at a time: a silent Redis must not gather a queue of them. */
  #probe(): void {
    if (!this.#tripped || this.#closed || this.#probing) return;
    this.#probing = true;
    this.#options.probe().then(
      () => this.#recover(),
      (error: unknown) => {
        this.#probing = false;
        // An error from Redis itself (loading, read-only) is no silence; a timeout of the client's is.
        if (error instanceof Error && error.name === 'ReplyError') this.#heard();
      },
    );
  }

  #recover(): void {
    this.#probing = false;
    if (!this.#tripped || this.#closed) return;
    this.#tripped = false;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#tell(true, 'probe');
  }

  #tell(available: boolean, reason: string): void {
    if (available === this.#toldAvailable) return;
    this.#toldAvailable = available;
    this.#options.onChange?.(available, reason);
  }
}
