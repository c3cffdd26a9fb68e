import { type PoolRoute, type PoolTarget } from './pool-route';
import { toLoadBound, toRendezvousCost } from './rendezvous';

/**
 * Chooses one of a tier's targets by the route's strategy. Weights come with it, in the order of
 * the tier: 0 for what may not be called now, else target weight × upstream weight × ramp; at
 * least one is above 0.
 */
export class TargetChoice {
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** The index of the target. Nothing is made: this is part of every request. */
  choose(route: PoolRoute, tier: readonly PoolTarget[], weights: Float64Array, affinity: number | null, nowMs: number): number {
    if (tier.length === 1) return 0;
    switch (route.strategy) {
      case 'weighted':
        return affinity === null ? this.#draw(tier.length, weights) : preferForSession(tier, weights, affinity);
      case 'least-busy':
        return affinity === null ? this.#drawLeastBusy(tier, weights) : preferForSession(tier, weights, affinity);
      case 'lowest-latency':
        return affinity === null ? this.#drawFasterOfTwo(tier, weights, nowMs) : preferForSession(tier, weights, affinity);
      case 'lowest-cost':
        return this.#drawCheapest(route, tier, weights, nowMs);
      case 'priority':
        return this.#takeFirst(tier, weights, nowMs);
    }
  }

  /** Weighted random. */
  #draw(count: number, weights: Float64Array): number {
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

  /**
   * The least open calls for what it can take: weight × places where every target has a limit on
   * open calls, else weight alone. The call itself is counted in, so that of idle ones the heavier is taken.
   */
  #drawLeastBusy(tier: readonly PoolTarget[], weights: Float64Array): number {
    let countsPlaces = true;
    for (let index = 0; index < tier.length; index += 1) {
      if (weights[index] > 0 && tier[index].state.record.concurrency === null) countsPlaces = false;
    }
    let best = -1;
    let bestLoad = Number.POSITIVE_INFINITY;
    let tied = 0;
    for (let index = 0; index < tier.length; index += 1) {
      const weight = weights[index];
      if (weight === 0) continue;
      const { state } = tier[index];
      const load = (state.openCalls + state.reserved + 1) / (countsPlaces ? weight * state.places : weight);
      if (best !== -1 && load > bestLoad) continue;
      tied = best !== -1 && load === bestLoad ? tied + 1 : 1;
      // Each of those that are equal gets the same chance.
      if (tied === 1 || this.#random() * tied < 1) best = index;
      bestLoad = load;
    }
    return best;
  }

  /** The faster of two that are drawn by weight: nobody is flooded because it was the fastest a moment ago. */
  #drawFasterOfTwo(tier: readonly PoolTarget[], weights: Float64Array, nowMs: number): number {
    const one = this.#draw(tier.length, weights);
    const weight = weights[one];
    weights[one] = 0;
    const other = this.#draw(tier.length, weights);
    const isOnly = weights[other] === 0;
    weights[one] = weight;
    if (isOnly) return one;
    return toLatencyScore(tier[other], nowMs) < toLatencyScore(tier[one], nowMs) ? other : one;
  }

  /** The cheapest; among equals by weight. */
  #drawCheapest(route: PoolRoute, tier: readonly PoolTarget[], weights: Float64Array, nowMs: number): number {
    let best = -1;
    let bestCost = Number.POSITIVE_INFINITY;
    let bestWeight = 0;
    let fallback = 0;
    for (let index = 0; index < tier.length; index += 1) {
      const weight = weights[index];
      if (weight === 0) continue;
      fallback = index;
      if (this.#sitsOut(tier[index], nowMs)) continue;
      const cost = tier[index].costAt(route, nowMs);
      if (best !== -1 && cost > bestCost) continue;
      bestWeight = best !== -1 && cost === bestCost ? bestWeight + weight : weight;
      if (bestWeight === weight || this.#random() * bestWeight < weight) best = index;
      bestCost = cost;
    }
    return best === -1 ? fallback : best;
  }

  /** The first one as they are written. */
  #takeFirst(tier: readonly PoolTarget[], weights: Float64Array, nowMs: number): number {
    let fallback = -1;
    for (let index = 0; index < tier.length; index += 1) {
      if (weights[index] === 0) continue;
      if (!this.#sitsOut(tier[index], nowMs)) return index;
      if (fallback === -1) fallback = index;
    }
    return fallback;
  }

  /** Under a strict order an endpoint that came back would get everything at once: by its ramp it sits some calls out. */
  #sitsOut({ state: { breaker } }: PoolTarget, nowMs: number): boolean {
    const ramp = breaker.rampAt(nowMs);
    return ramp < 1 && breaker.isClosed && this.#random() >= ramp;
  }
}

/** An endpoint on its way back takes one call at a time: it gets that, or it would never come back. */
function toLatencyScore({ state, latency }: PoolTarget, nowMs: number): number {
  return state.breaker.isClosed ? latency.scoreAt(nowMs) : 0;
}

/** The session's own target, or its next one while that has more than its share of the open calls. */
function preferForSession(tier: readonly PoolTarget[], weights: Float64Array, affinity: number): number {
  let totalWeight = 0;
  let openCalls = 0;
  for (let index = 0; index < tier.length; index += 1) {
    if (weights[index] === 0) continue;
    totalWeight += weights[index];
    openCalls += tier[index].state.openCalls + tier[index].state.reserved;
  }
  let best = -1;
  let bestCost = Number.POSITIVE_INFINITY;
  let any = 0;
  let anyCost = Number.POSITIVE_INFINITY;
  for (let index = 0; index < tier.length; index += 1) {
    const weight = weights[index];
    if (weight === 0) continue;
    const { state, hash } = tier[index];
    const cost = toRendezvousCost(affinity, hash, weight);
    if (cost < anyCost) {
      any = index;
      anyCost = cost;
    }
    if (cost >= bestCost || state.openCalls + state.reserved + 1 > toLoadBound(openCalls, weight / totalWeight)) continue;
    best = index;
    bestCost = cost;
  }
  return best === -1 ? any : best;
}
