import { type ModelId, type Operation, type ScopeLimits } from '@weir/kernel';
import { type KeyState } from './key-state';
import { type Candidate, type ModelRoute, type PoolKey, type Target, type UpstreamRecord } from './pool-contract';
import { type ModelInput } from './pool-snapshot';
import { NO_TICKET } from './probe-place';
import { type UpstreamState } from './upstream-state';

/** A candidate with the states its outcome is charged to. */
export class PoolCandidate implements Candidate {
  readonly target: PoolTarget;
  readonly key: PoolKey;
  readonly keyState: KeyState;
  readonly endpointTicket: number;
  readonly keyTicket: number;
  readonly firstTryTicket: number;

  constructor(target: PoolTarget, keyState: KeyState, endpointTicket: number, keyTicket: number, firstTryTicket: number) {
    this.target = target;
    this.key = keyState.key;
    this.keyState = keyState;
    this.endpointTicket = endpointTicket;
    this.keyTicket = keyTicket;
    this.firstTryTicket = firstTryTicket;
  }
}

export class PoolTarget implements Target {
  readonly upstream: UpstreamRecord;
  readonly upstreamModel: string;
  readonly weight: number;
  readonly priority: number;
  readonly state: UpstreamState;
  /** Ordinary candidates carry nothing of their request, so all requests share one per key. */
  readonly #ordinary = new Map<KeyState, PoolCandidate>();

  constructor(state: UpstreamState, upstreamModel: string, weight: number, priority: number) {
    this.upstream = state.record;
    this.state = state;
    this.upstreamModel = upstreamModel;
    this.weight = weight;
    this.priority = priority;
  }

  ordinaryCandidate(key: KeyState): PoolCandidate {
    const known = this.#ordinary.get(key);
    if (known !== undefined) return known;
    const candidate = new PoolCandidate(this, key, NO_TICKET, NO_TICKET, NO_TICKET);
    this.#ordinary.set(key, candidate);
    return candidate;
  }
}

export class PoolRoute implements ModelRoute {
  readonly id: ModelId;
  readonly name: string;
  readonly operation: Operation;
  readonly strategy: string;
  readonly limits: ScopeLimits;
  readonly price: unknown;
  readonly targets: readonly PoolTarget[];
  /** The targets by priority, the first tier to be tried first. */
  readonly tiers: readonly (readonly PoolTarget[])[];

  constructor(model: ModelInput, targets: readonly PoolTarget[]) {
    this.id = model.id;
    this.name = model.name;
    this.operation = model.operation;
    this.strategy = model.strategy;
    this.limits = model.limits;
    this.price = model.price;
    this.targets = targets;
    this.tiers = toTiers(targets);
  }
}

function toTiers(targets: readonly PoolTarget[]): PoolTarget[][] {
  const tiers = new Map<number, PoolTarget[]>();
  for (const target of targets) {
    const tier = tiers.get(target.priority);
    if (tier === undefined) tiers.set(target.priority, [target]);
    else tier.push(target);
  }
  return [...tiers].sort(([left], [right]) => left - right).map(([, tier]) => tier);
}
