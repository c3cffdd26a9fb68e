import { type Clock, systemClock } from '@weir/kernel';
import { type FailureClass } from '@weir/providers';
import { HedgeBudget, toHedgeDelayMs } from './hedging';
import { KeyReporter, scheduleByTimer, type Schedule } from './key-reporter';
import { PlaceQueue } from './place-queue';
import {
  type AttemptOutcome,
  type Candidate,
  type FallbackRoute,
  type HedgePlan,
  type ModelRoute,
  type PoolRefusal,
  type PoolStateSink,
  type QueueTicket,
  type UpstreamDescription,
  type WaitOptions,
} from './pool-contract';
import { type PoolJoints, toPoolJoints } from './pool-joints';
import { PoolCandidate, PoolRoute } from './pool-route';
import { type PoolSnapshot } from './pool-snapshot';
import { RetryPolicy } from './retry-policy';
import { RouteTable } from './route-table';
import { Selection } from './selection';
import { toProxyModels } from './to-proxy-models';
import { UpstreamRoster } from './upstream-roster';
import { type UpstreamState } from './upstream-state';

export interface UpstreamPoolOptions extends Partial<PoolJoints> {
  readonly sink: PoolStateSink;
  readonly clock?: Clock;
  readonly random?: () => number;
  readonly schedule?: Schedule;
}

const NOTHING_TRIED: readonly PoolCandidate[] = [];

/**
 * Which upstream and key takes an attempt, what its outcome means for both, and whether another
 * one follows. All in memory: a snapshot sets what there is, the calls' outcomes decide what may be used.
 *
 * For each attempt, in one tick: `pick`, `started`; then `report` once the outcome is known and
 * `finished` in any case. Where `pick` refuses, `waitForPlace` may find a place later.
 */
export class UpstreamPool {
  readonly #clock: Clock;
  readonly #reporter: KeyReporter;
  readonly #roster: UpstreamRoster;
  readonly #selection: Selection;
  readonly #retryPolicy: RetryPolicy;
  readonly #joints: PoolJoints;
  readonly #queue: PlaceQueue;
  readonly #hedges = new HedgeBudget();
  #routes: RouteTable;
  /** For calls to a provider's own API. */
  #proxyRoutes: RouteTable;

  constructor({ sink, clock = systemClock, random = Math.random, schedule = scheduleByTimer, ...joints }: UpstreamPoolOptions) {
    this.#clock = clock;
    this.#joints = toPoolJoints(joints);
    this.#reporter = new KeyReporter(sink, clock, schedule);
    this.#roster = new UpstreamRoster(random, this.#reporter, this.#joints);
    this.#selection = new Selection(random);
    this.#retryPolicy = new RetryPolicy(random);
    this.#queue = new PlaceQueue(this.#selection, clock, schedule, this.#joints, ({ tried, isRetry }, nowMs) => {
      if (tried.length === 0 && !isRetry) this.#retryPolicy.countRequest(nowMs);
    });
    this.#routes = new RouteTable([], this.#roster, this.#joints);
    this.#proxyRoutes = this.#routes;
  }

  /** Joins what was not there yet when the pool was made. */
  join(joints: Partial<PoolJoints>): void {
    Object.assign(this.#joints, joints);
  }

  /** Takes a new reading of the database. What was learnt of rows that stay, stays. */
  apply(snapshot: PoolSnapshot, nowMs: number = this.#clock.nowMs()): void {
    this.#roster.apply(snapshot, nowMs);
    this.#routes = new RouteTable(snapshot.models, this.#roster, this.#joints);
    this.#proxyRoutes = new RouteTable(toProxyModels(snapshot.upstreams), this.#roster, this.#joints);
    if (!this.#queue.isEmpty) this.#queue.serveAll(nowMs);
  }

  findRoute(model: string): ModelRoute | null {
    return this.#routes.find(model);
  }

  /**
   * The upstreams to which a provider's own API may be called.
   * @param name of a vendor, for all of its upstreams, or of one upstream
   */
  findProxyRoute(name: string): ModelRoute | null {
    return this.#proxyRoutes.find(name);
  }

  /** Every model's name, sorted; wildcards as they are written. */
  modelNames(): readonly string[] {
    return this.#routes.names;
  }

  /**
   * Other models' routes that may answer when this one cannot, in the order to try them. Each is
   * asked for by its own name, which the caller's key must permit.
   */
  findFallbacks(route: ModelRoute): readonly FallbackRoute[] {
    return toOwnRoute(route).fallbacks;
  }

  /**
   * @param tried what this request tried before; none of it comes again
   * @param isRetry true for another attempt of a request that was counted at its first
   * @param affinity a 32-bit hash of what makes calls belong together; it counts where the route wants it
   * @param model the name that is asked for, where the route's ends in `*`
   */
  pick(route: ModelRoute, tried: readonly Candidate[], nowMs: number, isRetry = false, affinity: number | null = null, model: string = route.name): Candidate | PoolRefusal {
    const ownRoute = toOwnRoute(route);
    // Who waits comes before who comes.
    if (!this.#queue.isEmpty) this.#queue.serveFree(nowMs);
    if (tried.length === 0) {
      const first = this.#selection.select(ownRoute, model, NOTHING_TRIED, affinity, nowMs);
      if (first instanceof PoolCandidate && !isRetry) this.#retryPolicy.countRequest(nowMs);
      return first;
    }
    return this.#selection.select(ownRoute, model, tried.map(toOwn), affinity, nowMs);
  }

  /**
   * For a call that `pick` refused, in the same tick: waits in line for an upstream that is only
   * full, where its options allow that.
   * @returns a refusal when there is nothing to wait for, or when the organization's line is full;
   * then with the time until it should have moved on
   */
  waitForPlace(route: ModelRoute, tried: readonly Candidate[], nowMs: number, options: WaitOptions): QueueTicket | PoolRefusal {
    return this.#queue.join(toOwnRoute(route), tried.map(toOwn), nowMs, options);
  }

  /** A candidate that was picked will not be started: what was held for it is free. */
  release(candidate: Candidate): void {
    this.#queue.release(toOwn(candidate));
  }

  started(candidate: Candidate): void {
    const { target, keyState, endpointTicket, keyTicket, firstTryTicket, place } = toOwn(candidate);
    if (place !== null) place.take(this.#clock.monotonicMs());
    target.state.openCalls += 1;
    keyState.openCalls += 1;
    target.state.breaker.probe.start(endpointTicket);
    keyState.start(keyTicket, firstTryTicket);
  }

  /** The attempt is over, reported or not: its places are free. */
  finished(candidate: Candidate): void {
    const { target, keyState, endpointTicket, keyTicket, firstTryTicket, place } = toOwn(candidate);
    target.state.openCalls = Math.max(0, target.state.openCalls - 1);
    keyState.openCalls = Math.max(0, keyState.openCalls - 1);
    target.state.breaker.release(endpointTicket);
    keyState.release(keyTicket, firstTryTicket);
    if (place !== null) place.end(this.#clock.monotonicMs());
    if (target.state.queue.size > 0) this.#queue.freed(target.state, this.#clock.nowMs());
  }

  /** How long a call of the candidate's took to its first byte; for the strategy `lowest-latency`, and for hedging. */
  noteFirstByte(candidate: Candidate, latencyMs: number, nowMs: number): void {
    toOwn(candidate).target.latency.note(latencyMs, nowMs);
  }

  /** When a second call beside the first would be worth it; null for never. Ask once per call, after `started`. */
  hedge(route: ModelRoute, first: Candidate, nowMs: number, model: string = route.name): HedgePlan | null {
    const own = toOwnRoute(route);
    const candidate = toOwn(first);
    const { latency } = candidate.target;
    const delayMs = toHedgeDelayMs(own.operation, latency.percentile95Ms(), latency.samples);
    if (delayMs === null) return null;
    this.#hedges.countCall(nowMs);
    return this.#selection.hasOther(own, model, candidate, nowMs) ? { delayMs } : null;
  }

  /** The second call's candidate, at another upstream; null when the budget is spent or nobody can take it. */
  pickHedge(route: ModelRoute, first: Candidate, nowMs: number, model: string = route.name): Candidate | null {
    const own = toOwnRoute(route);
    const candidate = toOwn(first);
    if (!this.#hedges.allows(nowMs) || !this.#selection.hasOther(own, model, candidate, nowMs)) return null;
    const second = this.#selection.selectOther(own, model, candidate, nowMs);
    if (second !== null) this.#hedges.spend(nowMs);
    return second;
  }

  /** Since the start: calls that could have had a second one, and those that had. */
  hedgeCounts(): { readonly requests: number; readonly hedges: number } {
    return { requests: this.#hedges.calls, hedges: this.#hedges.hedges };
  }

  /** For the prober: the upstreams as they are now. */
  states(): IterableIterator<UpstreamState> {
    return this.#roster.all();
  }

  report(candidate: Candidate, outcome: AttemptOutcome, nowMs: number): void {
    const own = toOwn(candidate);
    if (outcome.kind === 'success') this.#succeed(own, nowMs);
    else this.#fail(own, outcome, nowMs);
  }

  /**
   * The wait before the next attempt, or null when there is to be none. Draws on the retry budget:
   * ask once per failed attempt.
   * @param attempt the number of the finished attempt, from 1
   * @param faults how many of them ended in `fault` or `endpoint`; all, when it is not told
   */
  retryDelayMs(failureClass: FailureClass, attempt: number, nowMs: number, faults: number = attempt): number | null {
    return this.#retryPolicy.delayMs(failureClass, attempt, faults, nowMs);
  }

  describe(nowMs: number = this.#clock.nowMs()): UpstreamDescription[] {
    return Array.from(this.#roster.all(), (state) => state.describe(nowMs));
  }

  /** Tells the sink what it has not been told, refuses who still waits, and stops the pool's timers. */
  close(): void {
    this.#queue.close();
    this.#reporter.close();
  }

  #succeed({ target, keyState, endpointTicket, keyTicket, firstTryTicket }: PoolCandidate, nowMs: number): void {
    target.state.breaker.succeed(endpointTicket, nowMs);
    keyState.succeed(keyTicket, firstTryTicket, nowMs);
    if (this.#reporter.isShownInactive(keyState)) this.#reporter.touch(keyState, nowMs);
  }

  #fail(candidate: PoolCandidate, { failureClass, retryAfterMs, upstreamModel }: Extract<AttemptOutcome, { kind: 'failure' }>, nowMs: number): void {
    const { target, keyState, endpointTicket, keyTicket, firstTryTicket } = candidate;
    const coolingName = target.toCoolingName(upstreamModel ?? target.upstreamModel);
    const { breaker } = target.state;
    switch (failureClass) {
      case 'fault':
        target.latency.penalise(nowMs);
        if (breaker.fail('answer', endpointTicket, nowMs)) breaker.open(nowMs);
        this.#chargeFault(candidate, nowMs);
        break;
      case 'endpoint':
        // Nobody was reached, so nothing is known of the key.
        target.latency.penalise(nowMs);
        if (breaker.fail('connection', endpointTicket, nowMs)) breaker.open(nowMs);
        keyState.release(keyTicket, firstTryTicket);
        return;
      case 'throttled':
        keyState.cool(coolingName, retryAfterMs, nowMs);
        break;
      case 'quota_exhausted':
        keyState.exhaust(retryAfterMs, nowMs);
        break;
      case 'bad_key':
        keyState.refuse(coolingName, nowMs);
        this.#rebalance(candidate, nowMs);
        break;
      case 'caller':
        break;
      case 'aborted':
        breaker.release(endpointTicket);
        keyState.release(keyTicket, firstTryTicket);
        return;
    }
    if (failureClass !== 'fault') {
      breaker.showLife(endpointTicket, nowMs);
      keyState.release(keyTicket, firstTryTicket);
    }
    if (failureClass !== 'caller') this.#reporter.touch(keyState, nowMs);
  }

  #chargeFault({ target, keyState, keyTicket, firstTryTicket }: PoolCandidate, nowMs: number): void {
    const isDue = keyState.fault(keyTicket, firstTryTicket, nowMs);
    if (isDue && target.state.mayEject(keyState, nowMs)) keyState.breaker.open(nowMs);
  }

  /** A refused key makes the pool smaller, so an ejected one may have to come back. */
  #rebalance({ target }: PoolCandidate, nowMs: number): void {
    if (!target.state.rebalance(nowMs)) return;
    for (const key of target.state.keys) this.#reporter.touch(key, nowMs);
  }
}

function toOwnRoute(route: ModelRoute): PoolRoute {
  if (!(route instanceof PoolRoute)) throw new TypeError('the route is not from a pool');
  return route;
}

function toOwn(candidate: Candidate): PoolCandidate {
  if (!(candidate instanceof PoolCandidate)) throw new TypeError('the candidate is not from a pool');
  return candidate;
}
