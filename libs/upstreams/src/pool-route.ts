import { type ModelId, type Operation, type ScopeLimits } from '@weir/kernel';
import { type HeldPlace } from './held-place';
import { type KeyState } from './key-state';
import { type Candidate, type FallbackRoute, type ModelRoute, type PoolKey, type Target, type UpstreamRecord } from './pool-contract';
import { type PoolJoints } from './pool-joints';
import { type ModelInput, type TargetInput } from './pool-snapshot';
import { NO_TICKET } from './probe-place';
import { toPlaceHash } from './rendezvous';
import { type Affinity, type Strategy } from './strategy';
import { type TargetLatency } from './target-latency';
import { toUpstreamModel } from './to-upstream-model';
import { type UpstreamState } from './upstream-state';

/** Prices change at a date, without a snapshot: so long an old one may decide. */
const COST_KEPT_MS = 60_000;

/** A model's name as providers write them. What callers invent beside it is not worth remembering. */
const NAME_OF_MODEL = /^[!-~]{1,128}$/;

const NO_FALLBACKS: readonly FallbackRoute[] = [];

/** A candidate with the states its outcome is charged to. */
export class PoolCandidate implements Candidate {
  readonly target: PoolTarget;
  readonly key: PoolKey;
  readonly keyState: KeyState;
  readonly endpointTicket: number;
  readonly keyTicket: number;
  readonly firstTryTicket: number;
  /** Null for a call that did not wait. */
  readonly place: HeldPlace | null;

  constructor(
    target: PoolTarget,
    keyState: KeyState,
    endpointTicket: number,
    keyTicket: number,
    firstTryTicket: number,
    place: HeldPlace | null = null,
  ) {
    this.target = target;
    this.key = keyState.key;
    this.keyState = keyState;
    this.endpointTicket = endpointTicket;
    this.keyTicket = keyTicket;
    this.firstTryTicket = firstTryTicket;
    this.place = place;
  }

  withPlace(place: HeldPlace): PoolCandidate {
    return new PoolCandidate(this.target, this.keyState, this.endpointTicket, this.keyTicket, this.firstTryTicket, place);
  }
}

export class PoolTarget implements Target {
  readonly upstream: UpstreamRecord;
  readonly upstreamModel: string;
  readonly weight: number;
  readonly priority: number;
  readonly state: UpstreamState;
  readonly latency: TargetLatency;
  readonly hash: number;
  /** Ordinary candidates carry nothing of their request, so all requests share one per key. */
  readonly #ordinary = new Map<KeyState, PoolCandidate>();
  readonly #routeName: string;
  /** The upstream is asked for whatever the caller names. */
  readonly #isOpen: boolean;
  #cost = Number.POSITIVE_INFINITY;
  #costUntilMs = Number.NEGATIVE_INFINITY;

  constructor(state: UpstreamState, { upstreamModel, weight, priority }: Omit<TargetInput, 'upstreamId'>, routeName: string) {
    this.upstream = state.record;
    this.state = state;
    this.upstreamModel = upstreamModel;
    this.weight = weight;
    this.priority = priority;
    this.latency = state.latencyOf(upstreamModel);
    this.hash = toPlaceHash(`${state.record.id} ${upstreamModel}`);
    this.#routeName = routeName;
    this.#isOpen = upstreamModel.endsWith('*');
  }

  /**
   * What a key cools for that is throttled here: the upstream's name of the model, because providers
   * count each of theirs apart, and the target's own word where none is told.
   */
  toCoolingName(upstreamModel: string): string {
    return this.#isOpen && NAME_OF_MODEL.test(upstreamModel) ? upstreamModel : this.upstreamModel;
  }

  /** The same for a call, by the name that its caller asks for. */
  coolingNameOf(model: string): string {
    return this.#isOpen ? this.toCoolingName(toUpstreamModel(this, this.#routeName, model)) : this.upstreamModel;
  }

  ordinaryCandidate(key: KeyState): PoolCandidate {
    const known = this.#ordinary.get(key);
    if (known !== undefined) return known;
    const candidate = new PoolCandidate(this, key, NO_TICKET, NO_TICKET, NO_TICKET);
    this.#ordinary.set(key, candidate);
    return candidate;
  }

  /** What has no price is the dearest: nobody knows what it will be. */
  costAt(route: PoolRoute, nowMs: number): number {
    if (nowMs >= this.#costUntilMs || nowMs < this.#costUntilMs - COST_KEPT_MS) {
      this.#cost = route.joints.priceOf(route, this) ?? Number.POSITIVE_INFINITY;
      this.#costUntilMs = nowMs + COST_KEPT_MS;
    }
    return this.#cost;
  }
}

export class PoolRoute implements ModelRoute {
  readonly id: ModelId;
  readonly name: string;
  readonly operation: Operation;
  readonly strategy: Strategy;
  readonly affinity: Affinity;
  readonly limits: ScopeLimits;
  readonly price: unknown;
  readonly targets: readonly PoolTarget[];
  /** The targets by priority, the first tier to be tried first. */
  readonly tiers: readonly (readonly PoolTarget[])[];
  readonly joints: PoolJoints;
  /** Set once all routes of a snapshot are there. */
  fallbacks: readonly FallbackRoute[] = NO_FALLBACKS;

  constructor(model: ModelInput, targets: readonly PoolTarget[], joints: PoolJoints) {
    this.id = model.id;
    this.name = model.name;
    this.operation = model.operation;
    this.strategy = model.strategy;
    this.affinity = model.affinity;
    this.limits = model.limits;
    this.price = model.price;
    this.targets = targets;
    this.tiers = toTiers(targets);
    this.joints = joints;
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
