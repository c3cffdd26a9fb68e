import { type UpstreamKeyId } from '@weir/kernel';
import { CircuitBreaker } from './circuit-breaker';
import { FairQueue } from './fair-queue';
import { type KeyState } from './key-state';
import { toPlaceShare } from './place-share';
import { type KeyStatus, type ProbeView, type UpstreamDescription, type UpstreamRecord } from './pool-contract';
import { type PoolJoints } from './pool-joints';
import { type RoutingOptions, toRoutingOptions } from './routing-options';
import { TargetLatency } from './target-latency';
import { type Waiter } from './waiter';

/** What lives on when a snapshot replaces an upstream's record: its breaker, its keys' states, its open calls, its queue. */
export class UpstreamState {
  readonly queue = new FairQueue<Waiter>();
  readonly breaker: CircuitBreaker;
  keys: readonly KeyState[] = [];
  /** Where the round over the keys goes on. */
  cursor = 0;
  openCalls = 0;
  /** Places held for calls that won them in the queue and have not begun. */
  reserved = 0;
  probe: ProbeView | null = null;
  /** Its row is gone: no call goes there any more, whatever an older route still says. */
  isRemoved = false;
  readonly #joints: PoolJoints;
  readonly #latencies = new Map<string, TargetLatency>();
  #record: UpstreamRecord;
  #routing: RoutingOptions;

  constructor(record: UpstreamRecord, random: () => number, joints: PoolJoints) {
    this.#record = record;
    this.#routing = toRoutingOptions(record.provider, record.address);
    this.#joints = joints;
    this.breaker = new CircuitBreaker(random);
  }

  get record(): UpstreamRecord {
    return this.#record;
  }

  set record(record: UpstreamRecord) {
    this.#record = record;
    this.#routing = toRoutingOptions(record.provider, record.address);
  }

  get routing(): RoutingOptions {
    return this.#routing;
  }

  /** How many calls this process may have open there; Infinity for any number. */
  get places(): number {
    const { concurrency } = this.#record;
    return concurrency === null ? Number.POSITIVE_INFINITY : toPlaceShare(concurrency, this.#joints.processCount());
  }

  get hasRoom(): boolean {
    return this.#record.concurrency === null || this.openCalls + this.reserved < this.places;
  }

  /** Kept for each of its models: routes come and go with each snapshot. */
  latencyOf(upstreamModel: string): TargetLatency {
    let latency = this.#latencies.get(upstreamModel);
    if (latency === undefined) this.#latencies.set(upstreamModel, (latency = new TargetLatency()));
    return latency;
  }

  findKey(id: UpstreamKeyId | null): KeyState | null {
    return this.keys.find((state) => state.key.id === id) ?? null;
  }

  /**
   * A key may be put out only while another one is ready, and while no more than half of those
   * that could work at all are out: faults that a caller provokes must not use up the pool.
   */
  mayEject(key: KeyState, nowMs: number): boolean {
    const { working, ejected } = this.#count();
    if ((ejected + 1) * 2 > working) return false;
    return this.keys.some((other) => other !== key && other.isFullyReady(nowMs));
  }

  /**
   * Keys that were refused, switched off or removed make the pool smaller: ejected ones come back
   * until no more than half are out. True when one did.
   */
  rebalance(nowMs: number): boolean {
    let changed = false;
    for (let { working, ejected } = this.#count(); ejected * 2 > working; ejected -= 1) {
      this.#soonestEjected()?.breaker.reinstate(nowMs);
      changed = true;
    }
    return changed;
  }

  describe(nowMs: number): UpstreamDescription {
    const { id, name, provider, enabled, concurrency } = this.record;
    const state = this.breaker.stateAt(nowMs);
    const keys = this.keys.map((key) => ({ id: key.key.id, label: key.key.label, enabled: key.enabled, ...key.viewAt(nowMs) }));
    const keyCounts: Record<KeyStatus, number> = { active: 0, cooling: 0, exhausted: 0, disabled: 0, ejected: 0 };
    for (const key of keys) keyCounts[key.enabled ? key.status : 'disabled'] += 1;
    const cause = state === 'closed' ? null : this.breaker.cause;
    const breaker = { state, cause, retryAfterMs: Math.ceil(this.breaker.retryAfterMs(nowMs)) };
    const places = concurrency === null ? null : this.places;
    const queue = { waiting: this.queue.size, reserved: this.reserved };
    return { id, name, provider, enabled, openCalls: this.openCalls, concurrency, places, queue, probe: this.probe, breaker, keyCounts, keys };
  }

  #count(): { working: number; ejected: number } {
    let working = 0;
    let ejected = 0;
    for (const key of this.keys) {
      if (key.isDisabled) continue;
      working += 1;
      if (key.isEjected) ejected += 1;
    }
    return { working, ejected };
  }

  #soonestEjected(): KeyState | null {
    let soonest: KeyState | null = null;
    for (const key of this.keys) {
      if (key.isDisabled || !key.isEjected) continue;
      if (soonest === null || key.breaker.openUntilMs < soonest.breaker.openUntilMs) soonest = key;
    }
    return soonest;
  }
}
