import { type Clock } from '@weir/kernel';
import { setTimeout as sleep } from 'node:timers/promises';
import { type MeterStore } from './meter-store';
import { HEARTBEAT_INTERVAL_MS, ProcessHeartbeat } from './process-heartbeat';
import { RedisAvailability } from './redis-availability';
import { type RedisClient } from './redis-client';
import { RedisEpoch } from './redis-epoch';
import { RedisMeterStore } from './redis-meter-store';
import { type EpochBeat, type SharedStore } from './shared-store';

export interface RedisSharedStoreOptions {
  readonly redis: RedisClient;
  readonly clock: Clock;
  /** The longest that a request waits for Redis. */
  readonly timeoutMs: number;
  /** Called right before admissions are sent, to write down what must be on record before a hold is made. False: they are not sent. */
  readonly beforeSend?: () => boolean;
  /** Told once a change, for the log and a metric. */
  readonly onAvailability?: (available: boolean, reason: string) => void;
  /** Tests only: moves the clock of the scripts. */
  readonly scriptNowMs?: () => number;
}

/** The counters on Redis, with a breaker in front: nobody waits for a Redis that was seen hanging. */
export class RedisSharedStore implements SharedStore {
  readonly store: MeterStore;
  readonly #timeoutMs: number;
  readonly #heartbeat: ProcessHeartbeat;
  readonly #epoch: RedisEpoch;
  readonly #availability: RedisAvailability;
  readonly #heartbeatTimer: NodeJS.Timeout;
  #listener: (available: boolean) => void = () => undefined;
  #beating = false;

  constructor(options: RedisSharedStoreOptions) {
    const { redis, clock } = options;
    this.#timeoutMs = options.timeoutMs;
    this.#heartbeat = new ProcessHeartbeat(redis);
    this.#epoch = new RedisEpoch(redis);
    this.#availability = new RedisAvailability({
      redis,
      clock,
      probe: () => this.#heartbeat.beat(),
      onChange: (available, reason) => {
        options.onAvailability?.(available, reason);
        this.#listener(available);
      },
    });
    this.store = new RedisMeterStore({
      redis,
      timeoutMs: this.#timeoutMs,
      scriptNowMs: options.scriptNowMs,
      beforeSend: options.beforeSend,
      onTrouble: (reason) => this.#availability.trip(reason),
    });
    // While the connection is still being made, the first beat is the probe that follows it.
    if (redis.status === 'ready') this.#beatHeart();
    this.#heartbeatTimer = setInterval(() => this.#beatHeart(), HEARTBEAT_INTERVAL_MS).unref();
  }

  get processCount(): number | null {
    return this.#heartbeat.processCount;
  }

  check(): boolean {
    return this.#availability.check();
  }

  async beat(): Promise<EpochBeat | null> {
    if (!this.#availability.isAvailable) return null;
    const asked = this.#epoch.beat().catch(() => null);
    return Promise.race([asked, sleep(this.#timeoutMs, null, { ref: false })]);
  }

  onAvailability(listener: (available: boolean) => void): void {
    this.#listener = listener;
  }

  /** Stops the heartbeat. The connection belongs to whoever made it. */
  async close(): Promise<void> {
    clearInterval(this.#heartbeatTimer);
    const leaves = this.#availability.check();
    this.#availability.close();
    // Who cannot say good-bye in time is forgotten by its missing heartbeat.
    if (leaves) await Promise.race([this.#heartbeat.leave().catch(() => undefined), sleep(this.#timeoutMs, undefined, { ref: false })]);
  }

  #beatHeart(): void {
    // A beat that is still unanswered says enough; the breaker's probes take over from there.
    if (this.#beating || !this.#availability.check()) return;
    this.#beating = true;
    this.#heartbeat
      .beat()
      .catch(() => undefined)
      .finally(() => {
        this.#beating = false;
      });
  }
}
