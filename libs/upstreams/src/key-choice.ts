import { type KeyAvailability, type KeyState } from './key-state';
import { type PoolRefusalReason } from './pool-contract';
import { type PoolCandidate, type PoolTarget } from './pool-route';
import { type RefusalTally } from './refusal-tally';
import { toLoadBound, toRendezvousCost } from './rendezvous';

/**
 * Chooses the key of one attempt: the upstream's keys in turn, so that their load is even, or the
 * one where the session's prompt is in a cache.
 */
export class KeyChoice {
  readonly #random: () => number;
  readonly #tally: RefusalTally;

  constructor(random: () => number, tally: RefusalTally) {
    this.#random = random;
    this.#tally = tally;
  }

  /**
   * @param model the name that is asked for
   * @param mayUseEjected when nothing sound is left, an ejected key is better than none
   */
  pick(target: PoolTarget, model: string, tried: readonly PoolCandidate[], mayUseEjected: boolean, affinity: number | null, nowMs: number): KeyState | null {
    const coolingName = target.coolingNameOf(model);
    if (affinity !== null && target.state.keys.length > 1) {
      const preferred = this.#pickPreferred(target, coolingName, tried, affinity, nowMs);
      if (preferred !== null) return preferred;
    }
    return this.#pickInTurn(target, coolingName, tried, mayUseEjected, nowMs);
  }

  #pickInTurn(target: PoolTarget, coolingName: string, tried: readonly PoolCandidate[], mayUseEjected: boolean, nowMs: number): KeyState | null {
    const { keys, cursor } = target.state;
    let anySound = false;
    let ramping: number | null = null;
    let ejected: number | null = null;
    for (let step = 0; step < keys.length; step += 1) {
      const index = (cursor + step) % keys.length;
      const key = keys[index];
      const availability = key.availabilityFor(coolingName, nowMs);
      const isSound = availability === 'ready' || availability === 'trial';
      anySound ||= isSound;
      if (wasTriedWith(key, tried)) {
        this.#tally.addTried();
        // Throttled or used up in this very request: the caller is told when that ends.
        if (!isSound) this.#tallyKey(key, availability, coolingName, nowMs);
      } else if (!isSound) {
        if (availability === 'ejected') ejected ??= index;
        this.#tallyKey(key, availability, coolingName, nowMs);
      } else if (this.#skipsTurn(key, nowMs)) {
        ramping ??= index;
      } else {
        return takeTurn(target, index);
      }
    }
    if (ramping !== null) return takeTurn(target, ramping);
    // An ejection may not cost an upstream its last key: others were refused or parked since.
    if (ejected !== null && mayUseEjected && !anySound) return takeTurn(target, ejected);
    return null;
  }

  /** Null when the session has no key that may be preferred; then they come in turn. */
  #pickPreferred(target: PoolTarget, coolingName: string, tried: readonly PoolCandidate[], affinity: number, nowMs: number): KeyState | null {
    const { keys } = target.state;
    let openCalls = 0;
    let sound = 0;
    for (const key of keys) {
      if (!isSoundFor(key, coolingName, nowMs)) continue;
      openCalls += key.openCalls;
      sound += 1;
    }
    let best: KeyState | null = null;
    let bestCost = Number.POSITIVE_INFINITY;
    const bound = toLoadBound(openCalls, 1 / sound);
    for (const key of keys) {
      const cost = toRendezvousCost(affinity, key.hash, 1);
      if (cost >= bestCost || key.openCalls + 1 > bound || !isSoundFor(key, coolingName, nowMs)) continue;
      if (wasTriedWith(key, tried) || this.#skipsTurn(key, nowMs)) continue;
      best = key;
      bestCost = cost;
    }
    return best;
  }

  /** A key that comes back from ejection gets its turn more and more often. */
  #skipsTurn(key: KeyState, nowMs: number): boolean {
    const ramp = key.breaker.rampAt(nowMs);
    return ramp < 1 && key.breaker.isClosed && this.#random() >= ramp;
  }

  #tallyKey(key: KeyState, availability: KeyAvailability, coolingName: string, nowMs: number): void {
    const retryAfterMs = key.retryAfterMs(coolingName, nowMs);
    if (retryAfterMs !== null) this.#tally.add(toReason(availability), retryAfterMs);
  }
}

/** Whether a target has a key that could take a call of this request now. */
export function hasSoundKey(target: PoolTarget, model: string, tried: readonly PoolCandidate[], nowMs: number): boolean {
  const coolingName = target.coolingNameOf(model);
  return target.state.keys.some((key) => !wasTriedWith(key, tried) && isSoundFor(key, coolingName, nowMs));
}

function isSoundFor(key: KeyState, coolingName: string, nowMs: number): boolean {
  const availability = key.availabilityFor(coolingName, nowMs);
  return availability === 'ready' || availability === 'trial';
}

function takeTurn(target: PoolTarget, index: number): KeyState {
  const { state } = target;
  // Past the one that was taken: keys passed over do not hand their turns to the next in line.
  state.cursor = (index + 1) % state.keys.length;
  return state.keys[index];
}

function wasTriedWith(key: KeyState, tried: readonly PoolCandidate[]): boolean {
  for (const candidate of tried) if (candidate.keyState === key) return true;
  return false;
}

function toReason(availability: KeyAvailability): PoolRefusalReason {
  switch (availability) {
    case 'cooling':
      return 'throttled';
    case 'exhausted':
      return 'exhausted';
    case 'ejected':
      return 'breaker_open';
    case 'disabled':
    case 'ready':
    case 'trial':
      return 'disabled';
  }
}
