import { type Clock } from '@weir/kernel';
import { type Admission, type LimiterStore } from './admission';
import { type LimitPlan } from './limit-plan';
import { LocalLimiterStore } from './local-limiter-store';
import { type RedisClient } from './redis-client';
import { RedisLimiterStore, type WithoutRedis } from './redis-limiter-store';

export interface LimiterOptions {
  /** Null: this is the only process, and the windows are its own. */
  readonly redis: RedisClient | null;
  readonly clock: Clock;
  /** LIMITS_WITHOUT_REDIS; `local` when absent. */
  readonly withoutRedis?: WithoutRedis;
  /** The longest that a request waits for Redis; 200 when absent. */
  readonly redisTimeoutMs?: number;
  /** Told once a change, for the log and a metric. */
  readonly onAvailability?: (available: boolean, reason: string) => void;
}

/** The front: the same answers from Redis when there is one, else from this process. */
export class Limiter implements LimiterStore {
  /** Null without Redis. */
  readonly redisStore: RedisLimiterStore | null;
  readonly #store: LimiterStore;

  constructor(options: LimiterOptions) {
    this.redisStore =
      options.redis === null
        ? null
        : new RedisLimiterStore({
            redis: options.redis,
            clock: options.clock,
            withoutRedis: options.withoutRedis,
            timeoutMs: options.redisTimeoutMs,
            onAvailability: options.onAvailability,
          });
    this.#store = this.redisStore ?? new LocalLimiterStore({ clock: options.clock });
  }

  /** Whether other processes see what is taken here. */
  get isShared(): boolean {
    return this.redisStore !== null;
  }

  /**
   * In-process the answer itself and not a promise of it: await only what is a promise, and the hot
   * road skips a turn. Rejects with `limits_unavailable` only under LIMITS_WITHOUT_REDIS=refuse.
   */
  admit(plan: LimitPlan, amount = 1): Admission | Promise<Admission> {
    return this.#store.admit(plan, amount);
  }

  /** What `admit` would answer now; takes nothing. */
  peek(plan: LimitPlan, amount = 1): Admission | Promise<Admission> {
    return this.#store.peek(plan, amount);
  }

  async close(): Promise<void> {
    await this.redisStore?.close();
  }
}
