import { type UpstreamKeyId } from '@weir/kernel';
import { CircuitBreaker } from './circuit-breaker';
import { type KeyState } from './key-state';
import { type KeyStatus, type UpstreamDescription, type UpstreamRecord } from './pool-contract';

/** What lives on when a snapshot replaces an upstream's record: its breaker, its keys' states, its open calls. */
export class UpstreamState {
  record: UpstreamRecord;
  readonly breaker: CircuitBreaker;
  keys: readonly KeyState[] = [];
  /** Where the round over the keys goes on. */
  cursor = 0;
  openCalls = 0;
  /** Its row is gone: no call goes there any more, whatever an older route still says. */
  isRemoved = false;

  constructor(record: UpstreamRecord, random: () => number) {
    this.record = record;
    this.breaker = new CircuitBreaker(random);
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
    return { id, name, provider, enabled, openCalls: this.openCalls, concurrency, breaker, keyCounts, keys };
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
