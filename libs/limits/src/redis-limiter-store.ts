import { type Clock, WeirError } from '@weir/kernel';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Admission, type LimiterStore, UNLIMITED } from './admission';
import { AdmissionGather } from './admission-gather';
import { assertAmount, type LimitPlan, toSharedPlan } from './limit-plan';
import { LocalLimiterStore } from './local-limiter-store';
import { HEARTBEAT_INTERVAL_MS, ProcessHeartbeat } from './process-heartbeat';
import { RedisAvailability } from './redis-availability';
import { type RedisClient } from './redis-client';

/** What happens to requests while Redis is away: LIMITS_WITHOUT_REDIS. */
export type WithoutRedis = 'local' | 'refuse';

const DEFAULT_TIMEOUT_MS = 200;
/** While Redis is away, a probe runs this often: earlier than that nothing can have changed. */
const REFUSED_RETRY_AFTER_MS = 1_000;

export interface RedisLimiterOptions {
  readonly redis: RedisClient;
  readonly clock: Clock;
  /** `local` when absent. */
  readonly withoutRedis?: WithoutRedis;
  /** The longest that a request waits for Redis; 200 when absent. */
  readonly timeoutMs?: number;
  /** Told once a change, for the log and a metric. */
  readonly onAvailability?: (available: boolean, reason: string) => void;
  /** Tests only: moves the clock of the script. */
  readonly scriptNowMs?: () => number;
}

/**
 * Windows that every process of the installation shares. Without Redis each process keeps windows
 * of its own for its share of the limit, or refuses, as configured; it never hangs, never opens.
 */
export class RedisLimiterStore implements LimiterStore {
  readonly #withoutRedis: WithoutRedis;
  readonly #timeoutMs: number;
  readonly #gather: AdmissionGather;
  readonly #heartbeat: ProcessHeartbeat;
  readonly #availability: RedisAvailability;
  readonly #local: LocalLimiterStore;
  readonly #shares = new WeakMap<LimitPlan, { readonly processCount: number; readonly plan: LimitPlan }>();
  readonly #heartbeatTimer: NodeJS.Timeout;
  #beating = false;

  constructor(options: RedisLimiterOptions) {
    const { redis, clock } = options;
    this.#withoutRedis = options.withoutRedis ?? 'local';
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.#local = new LocalLimiterStore({ clock });
    this.#heartbeat = new ProcessHeartbeat(redis);
    this.#availability = new RedisAvailability({
      redis,
      clock,
      probe: () => this.#heartbeat.beat(),
      onChange: options.onAvailability,
    });
    this.#gather = new AdmissionGather({
      redis,
      timeoutMs: this.#timeoutMs,
      scriptNowMs: options.scriptNowMs,
      onTrouble: (reason) => this.#availability.trip(reason),
    });
    // While the connection is still being made, the first beat is the probe that follows it.
    if (redis.status === 'ready') this.#beat();
    this.#heartbeatTimer = setInterval(() => this.#beat(), HEARTBEAT_INTERVAL_MS).unref();
  }

  /** How many processes shared the limits when they were last counted. */
  get processCount(): number {
    return this.#heartbeat.processCount;
  }

  admit(plan: LimitPlan, amount = 1): Admission | Promise<Admission> {
    return this.#decide(plan, amount, true);
  }

  peek(plan: LimitPlan, amount = 1): Admission | Promise<Admission> {
    return this.#decide(plan, amount, false);
  }

  /**
   * As `admit` or `peek`, without the declared fall-back: null, or a promise of null, when Redis
   * does not answer. What was then asked of it may have been taken all the same.
   */
  ask(plan: LimitPlan, amount: number, take: boolean): Promise<Admission | null> | null {
    return this.#availability.check() ? this.#gather.ask({ plan, amount, take }) : null;
  }

  /** Stops the heartbeat. The connection belongs to whoever made it. */
  async close(): Promise<void> {
    clearInterval(this.#heartbeatTimer);
    const leaves = this.#availability.check();
    this.#availability.close();
    // Who cannot say good-bye in time is forgotten by its missing heartbeat.
    if (leaves) await Promise.race([this.#heartbeat.leave().catch(() => undefined), sleep(this.#timeoutMs, undefined, { ref: false })]);
  }

  #decide(plan: LimitPlan, amount: number, take: boolean): Admission | Promise<Admission> {
    if (plan.windows.length === 0) return UNLIMITED;
    assertAmount(amount);
    const asked = this.ask(plan, amount, take);
    if (asked === null) return this.#decideWithoutRedis(plan, amount, take);
    return asked.then((answer) => answer ?? this.#decideWithoutRedis(plan, amount, take));
  }

  #decideWithoutRedis(plan: LimitPlan, amount: number, take: boolean): Admission | Promise<Admission> {
    switch (this.#withoutRedis) {
      case 'local': {
        const share = this.#toShare(plan);
        return take ? this.#local.admit(share, amount) : this.#local.peek(share, amount);
      }
      case 'refuse':
        return Promise.reject(new WeirError('limits_unavailable', { retryAfterMs: REFUSED_RETRY_AFTER_MS, detail: 'Redis is away' }));
    }
  }

  #toShare(plan: LimitPlan): LimitPlan {
    const processCount = this.#heartbeat.processCount;
    if (processCount === 1) return plan;
    const known = this.#shares.get(plan);
    if (known?.processCount === processCount) return known.plan;
    const shared = toSharedPlan(plan, processCount);
    this.#shares.set(plan, { processCount, plan: shared });
    return shared;
  }

  #beat(): void {
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
