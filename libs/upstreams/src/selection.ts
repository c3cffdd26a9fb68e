import { hasSoundKey, KeyChoice } from './key-choice';
import { type KeyState } from './key-state';
import { type PoolRefusal } from './pool-contract';
import { PoolCandidate, type PoolRoute, type PoolTarget } from './pool-route';
import { NO_TICKET } from './probe-place';
import { CONCURRENCY_RETRY_MS, RefusalTally } from './refusal-tally';
import { TargetChoice } from './target-choice';
import { type UpstreamState } from './upstream-state';

/**
 * How far a search goes:
 * - `other`: only sound endpoints that this request is not at
 * - `elsewhere`: only endpoints this request has not just seen failing
 * - `sound`: every endpoint and key that its breaker admits
 * - `last`: also what opened on bad answers, because the last one is never cut off
 */
type Reach = 'other' | 'elsewhere' | 'sound' | 'last';

/**
 * Chooses the target and the key of one attempt: the lowest priority number first, within it by
 * the route's strategy, then a key of the upstream. Weight 0 is drained: never picked, even when
 * it is all there is, because whoever sets it is about to take the place away.
 */
export class Selection {
  readonly #tally = new RefusalTally();
  readonly #targetChoice: TargetChoice;
  readonly #keyChoice: KeyChoice;
  /** Reused by every pick: nothing runs between its filling and its reading. */
  #weights = new Float64Array(8);

  constructor(random: () => number) {
    this.#targetChoice = new TargetChoice(random);
    this.#keyChoice = new KeyChoice(random, this.#tally);
  }

  /**
   * @param model the name that is asked for, where the route's ends in `*`
   * @param affinity a session's hash; it counts where the route wants it
   */
  select(route: PoolRoute, model: string, tried: readonly PoolCandidate[], affinity: number | null, nowMs: number): PoolCandidate | PoolRefusal {
    const session = route.affinity === 'session' ? affinity : null;
    if (tried.length > 0) {
      const found = this.#search(route, model, tried, 'elsewhere', session, nowMs);
      if (found !== null) return found;
    }
    const sound = this.#search(route, model, tried, 'sound', session, nowMs);
    if (sound !== null) return sound;
    // A sound endpoint that is only full is worth a wait; what fails would not serve the call any better.
    if (listFull(route, model, tried, true, nowMs).some(({ routing }) => routing.queueTimeoutMs > 0)) return this.#tally.toRefusal();
    return this.#search(route, model, tried, 'last', session, nowMs) ?? this.#tally.toRefusal();
  }

  /** The upstreams that could serve this request if they were not full; those that fail only when there is no other. */
  listWaitable(route: PoolRoute, model: string, tried: readonly PoolCandidate[], nowMs: number): UpstreamState[] {
    const sound = listFull(route, model, tried, true, nowMs);
    return sound.length > 0 ? sound : listFull(route, model, tried, false, nowMs);
  }

  /** Whether another upstream than the one in use could take a call of this route at once, all being well with it. */
  hasOther(route: PoolRoute, model: string, { target: used }: PoolCandidate, nowMs: number): boolean {
    for (const target of route.targets) {
      const { state } = target;
      if (state === used.state || !isServing(target) || !state.hasRoom || !state.breaker.isClosed) continue;
      if (hasSoundKey(target, model, [], nowMs)) return true;
    }
    return false;
  }

  /** A second call beside the first: at an upstream that is well, and not the same one. */
  selectOther(route: PoolRoute, model: string, used: PoolCandidate, nowMs: number): PoolCandidate | null {
    return this.#search(route, model, [used], 'other', null, nowMs);
  }

  #search(route: PoolRoute, model: string, tried: readonly PoolCandidate[], reach: Reach, affinity: number | null, nowMs: number): PoolCandidate | null {
    this.#tally.clear();
    for (const tier of route.tiers) {
      const found = this.#searchTier(route, model, tier, tried, reach, affinity, nowMs);
      if (found !== null) return found;
    }
    return null;
  }

  #searchTier(
    route: PoolRoute,
    model: string,
    tier: readonly PoolTarget[],
    tried: readonly PoolCandidate[],
    reach: Reach,
    affinity: number | null,
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
      const index = this.#targetChoice.choose(route, tier, weights, affinity, nowMs);
      const key = this.#keyChoice.pick(tier[index], model, tried, reach === 'last', affinity, nowMs);
      if (key !== null) return enter(tier[index], key, nowMs);
      weights[index] = 0;
    }
    return null;
  }

  /** The share of the draw that a target gets; 0 when no call may go there now. */
  #weigh(target: PoolTarget, tried: readonly PoolCandidate[], reach: Reach, nowMs: number): number {
    if (!isServing(target)) return 0;
    const { state } = target;
    const { breaker } = state;
    if (!state.hasRoom) {
      this.#tally.add('concurrency', CONCURRENCY_RETRY_MS);
      return 0;
    }
    const weight = target.weight * state.record.weight;
    if (!breaker.admits(nowMs)) {
      if (reach === 'last' && breaker.letsLastThrough()) return weight;
      this.#tally.add('breaker_open', breaker.retryAfterMs(nowMs));
      return 0;
    }
    if (reach === 'other' && (!breaker.isClosed || wasTriedAt(target, tried))) return 0;
    if (reach === 'elsewhere' && breaker.isFailing && wasTriedAt(target, tried)) return 0;
    return weight * breaker.rampAt(nowMs);
  }
}

function listFull(route: PoolRoute, model: string, tried: readonly PoolCandidate[], onlySound: boolean, nowMs: number): UpstreamState[] {
  const full = new Set<UpstreamState>();
  for (const target of route.targets) {
    const { state } = target;
    if (!isServing(target) || state.hasRoom) continue;
    if (!state.breaker.admits(nowMs) && (onlySound || !state.breaker.letsLastThrough())) continue;
    if (hasSoundKey(target, model, tried, nowMs)) full.add(state);
  }
  return [...full];
}

function isServing({ state, weight }: PoolTarget): boolean {
  return !state.isRemoved && state.record.enabled && weight > 0 && state.record.weight > 0;
}

/** Takes what places the attempt needs. An ordinary attempt needs none, and then nothing is made. */
function enter(target: PoolTarget, key: KeyState, nowMs: number): PoolCandidate {
  target.latency.called(nowMs);
  const endpointTicket = target.state.breaker.enter(nowMs);
  const keyTicket = key.breaker.enter(nowMs);
  const firstTryTicket = key.enterFirstTry(nowMs);
  if (endpointTicket === NO_TICKET && keyTicket === NO_TICKET && firstTryTicket === NO_TICKET) {
    return target.ordinaryCandidate(key);
  }
  return new PoolCandidate(target, key, endpointTicket, keyTicket, firstTryTicket);
}

function wasTriedAt(target: PoolTarget, tried: readonly PoolCandidate[]): boolean {
  for (const candidate of tried) if (candidate.target.state === target.state) return true;
  return false;
}
