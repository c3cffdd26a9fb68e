import { type KeyAvailability, type KeyState } from './key-state';
import { type PoolRefusal, type PoolRefusalReason } from './pool-contract';
import { PoolCandidate, type PoolRoute, type PoolTarget } from './pool-route';
import { NO_TICKET } from './probe-place';
import { CONCURRENCY_RETRY_MS, RefusalTally } from './refusal-tally';

/**
 * How far a search goes:
 * - `elsewhere`: only endpoints this request has not just seen failing
 * - `sound`: every endpoint and key that its breaker admits
 * - `last`: also what opened on bad answers, because the last one is never cut off
 */
type Reach = 'elsewhere' | 'sound' | 'last';

/**
 * Chooses the target and the key of one attempt: the lowest priority number first, within it
 * weighted random by target weight × upstream weight × ramp, then the upstream's keys in turn, so
 * that their load is even. Weight 0 is drained: never picked, even when it is all there is,
 * because whoever sets it is about to take the place away.
 */
export class Selection {
  readonly #random: () => number;
  readonly #tally = new RefusalTally();
  /** Reused by every pick: nothing runs between its filling and its reading. */
  #weights = new Float64Array(8);

  constructor(random: () => number) {
    this.#random = random;
  }

  select(route: PoolRoute, tried: readonly PoolCandidate[], nowMs: number): PoolCandidate | PoolRefusal {
    if (tried.length > 0) {
      const found = this.#search(route, tried, 'elsewhere', nowMs);
      if (found !== null) return found;
    }
    return (
      this.#search(route, tried, 'sound', nowMs) ?? this.#search(route, tried, 'last', nowMs) ?? this.#tally.toRefusal()
    );
  }

  #search(route: PoolRoute, tried: readonly PoolCandidate[], reach: Reach, nowMs: number): PoolCandidate | null {
    this.#tally.clear();
    for (const tier of route.tiers) {
      const found = this.#searchTier(tier, tried, reach, nowMs);
      if (found !== null) return found;
    }
    return null;
  }

  #searchTier(
    tier: readonly PoolTarget[],
    tried: readonly PoolCandidate[],
    reach: Reach,
    nowMs: number,
  ): PoolCandidate | null {
    if (this.#weights.length < tier.length) this.#weights = new Float64Array(tier.length * 2);
    const weights = this.#weights;
    let left = 0;
    for (let index = 0; index < tier.length; index += 1) {
      weights[index] = this.#weigh(tier[index], tried, reach, nowMs);
      if (weights[index] > 0) left += 1;
    }
    for (; left > 0; left -= 1) {
      const index = this.#draw(tier.length);
      const key = this.#pickKey(tier[index], tried, reach, nowMs);
      if (key !== null) return enter(tier[index], key, nowMs);
      weights[index] = 0;
    }
    return null;
  }

  /** The share of the draw that a target gets; 0 when no call may go there now. */
  #weigh(target: PoolTarget, tried: readonly PoolCandidate[], reach: Reach, nowMs: number): number {
    const { state } = target;
    const { record, breaker } = state;
    const weight = target.weight * record.weight;
    if (state.isRemoved || !record.enabled || weight <= 0) return 0;
    if (record.concurrency !== null && state.openCalls >= record.concurrency) {
      this.#tally.add('concurrency', CONCURRENCY_RETRY_MS);
      return 0;
    }
    if (!breaker.admits(nowMs)) {
      if (reach === 'last' && breaker.letsLastThrough()) return weight;
      this.#tally.add('breaker_open', breaker.retryAfterMs(nowMs));
      return 0;
    }
    if (reach === 'elsewhere' && breaker.isFailing && wasTriedAt(target, tried)) return 0;
    return weight * breaker.rampAt(nowMs);
  }

  #draw(count: number): number {
    const weights = this.#weights;
    let total = 0;
    for (let index = 0; index < count; index += 1) total += weights[index];
    let point = this.#random() * total;
    let last = 0;
    for (let index = 0; index < count; index += 1) {
      if (weights[index] === 0) continue;
      point -= weights[index];
      if (point < 0) return index;
      last = index;
    }
    return last;
  }

  #pickKey(target: PoolTarget, tried: readonly PoolCandidate[], reach: Reach, nowMs: number): KeyState | null {
    const { state, upstreamModel } = target;
    const { keys, cursor } = state;
    let anySound = false;
    let ramping: number | null = null;
    let ejected: number | null = null;
    for (let step = 0; step < keys.length; step += 1) {
      const index = (cursor + step) % keys.length;
      const key = keys[index];
      const availability = key.availabilityFor(upstreamModel, nowMs);
      const isSound = availability === 'ready' || availability === 'trial';
      anySound ||= isSound;
      if (wasTriedWith(key, tried)) {
        this.#tally.addTried();
        // Throttled or used up in this very request: the caller is told when that ends.
        if (!isSound) this.#tallyKey(key, availability, upstreamModel, nowMs);
      } else if (!isSound) {
        if (availability === 'ejected') ejected ??= index;
        this.#tallyKey(key, availability, upstreamModel, nowMs);
      } else if (this.#skipsTurn(key, nowMs)) {
        ramping ??= index;
      } else {
        return takeTurn(target, index);
      }
    }
    if (ramping !== null) return takeTurn(target, ramping);
    // An ejection may not cost an upstream its last key: others were refused or parked since.
    if (ejected !== null && reach === 'last' && !anySound) return takeTurn(target, ejected);
    return null;
  }

  /** A key that comes back from ejection gets its turn more and more often. */
  #skipsTurn(key: KeyState, nowMs: number): boolean {
    const ramp = key.breaker.rampAt(nowMs);
    return ramp < 1 && key.breaker.isClosed && this.#random() >= ramp;
  }

  #tallyKey(key: KeyState, availability: KeyAvailability, upstreamModel: string, nowMs: number): void {
    const retryAfterMs = key.retryAfterMs(upstreamModel, nowMs);
    if (retryAfterMs !== null) this.#tally.add(toReason(availability), retryAfterMs);
  }
}

/** Takes what places the attempt needs. An ordinary attempt needs none, and then nothing is made. */
function enter(target: PoolTarget, key: KeyState, nowMs: number): PoolCandidate {
  const endpointTicket = target.state.breaker.enter(nowMs);
  const keyTicket = key.breaker.enter(nowMs);
  const firstTryTicket = key.enterFirstTry(nowMs);
  if (endpointTicket === NO_TICKET && keyTicket === NO_TICKET && firstTryTicket === NO_TICKET) {
    return target.ordinaryCandidate(key);
  }
  return new PoolCandidate(target, key, endpointTicket, keyTicket, firstTryTicket);
}

function takeTurn(target: PoolTarget, index: number): KeyState {
  const { state } = target;
  // Past the one that was taken: keys passed over do not hand their turns to the next in line.
  state.cursor = (index + 1) % state.keys.length;
  return state.keys[index];
}

function wasTriedAt(target: PoolTarget, tried: readonly PoolCandidate[]): boolean {
  for (const candidate of tried) if (candidate.target.state === target.state) return true;
  return false;
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

