import { type Clock, systemClock } from '@weir/kernel';
import { type FailureClass } from '@weir/providers';
import { KeyReporter, scheduleByTimer, type Schedule } from './key-reporter';
import {
  type AttemptOutcome,
  type Candidate,
  type ModelRoute,
  type PoolRefusal,
  type PoolStateSink,
  type UpstreamDescription,
} from './pool-contract';
import { PoolCandidate, PoolRoute } from './pool-route';
import { type PoolSnapshot } from './pool-snapshot';
import { RetryPolicy } from './retry-policy';
import { RouteTable } from './route-table';
import { Selection } from './selection';
import { UpstreamRoster } from './upstream-roster';

export interface UpstreamPoolOptions {
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
 * `finished` in any case.
 */
export class UpstreamPool {
  readonly #clock: Clock;
  readonly #reporter: KeyReporter;
  readonly #roster: UpstreamRoster;
  readonly #selection: Selection;
  readonly #retryPolicy: RetryPolicy;
  #routes: RouteTable;

  constructor({ sink, clock = systemClock, random = Math.random, schedule = scheduleByTimer }: UpstreamPoolOptions) {
    this.#clock = clock;
    this.#reporter = new KeyReporter(sink, clock, schedule);
    this.#roster = new UpstreamRoster(random, this.#reporter);
    this.#selection = new Selection(random);
    this.#retryPolicy = new RetryPolicy(random);
    this.#routes = new RouteTable([], this.#roster);
  }

  /** Takes a new reading of the database. What was learnt of rows that stay, stays. */
  apply(snapshot: PoolSnapshot, nowMs: number = this.#clock.nowMs()): void {
    this.#roster.apply(snapshot, nowMs);
    this.#routes = new RouteTable(snapshot.models, this.#roster);
  }

  findRoute(model: string): ModelRoute | null {
    return this.#routes.find(model);
  }

  /** Every model's name, sorted; wildcards as they are written. */
  modelNames(): readonly string[] {
    return this.#routes.names;
  }

  /**
   * @param tried what this request tried before; none of it comes again
   * @param isRetry true for another attempt of a request that was counted at its first
   */
  pick(route: ModelRoute, tried: readonly Candidate[], nowMs: number, isRetry = false): Candidate | PoolRefusal {
    if (!(route instanceof PoolRoute)) throw new TypeError('the route is not from a pool');
    if (tried.length === 0) {
      const first = this.#selection.select(route, NOTHING_TRIED, nowMs);
      if (first instanceof PoolCandidate && !isRetry) this.#retryPolicy.countRequest(nowMs);
      return first;
    }
    return this.#selection.select(route, tried.map(toOwn), nowMs);
  }

  started(candidate: Candidate): void {
    const { target, keyState, endpointTicket, keyTicket, firstTryTicket } = toOwn(candidate);
    target.state.openCalls += 1;
    target.state.breaker.probe.start(endpointTicket);
    keyState.start(keyTicket, firstTryTicket);
  }

  /** The attempt is over, reported or not: its places are free. */
  finished(candidate: Candidate): void {
    const { target, keyState, endpointTicket, keyTicket, firstTryTicket } = toOwn(candidate);
    target.state.openCalls = Math.max(0, target.state.openCalls - 1);
    target.state.breaker.release(endpointTicket);
    keyState.release(keyTicket, firstTryTicket);
  }

  report(candidate: Candidate, outcome: AttemptOutcome, nowMs: number): void {
    const own = toOwn(candidate);
    if (outcome.kind === 'success') this.#succeed(own, nowMs);
    else this.#fail(own, outcome.failureClass, outcome.retryAfterMs, nowMs);
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

  /** Tells the sink what it has not been told, and stops the pool's timer. */
  close(): void {
    this.#reporter.close();
  }

  #succeed({ target, keyState, endpointTicket, keyTicket, firstTryTicket }: PoolCandidate, nowMs: number): void {
    target.state.breaker.succeed(endpointTicket, nowMs);
    keyState.succeed(keyTicket, firstTryTicket, nowMs);
    if (this.#reporter.isShownInactive(keyState)) this.#reporter.touch(keyState, nowMs);
  }

  #fail(candidate: PoolCandidate, failureClass: FailureClass, retryAfterMs: number | null, nowMs: number): void {
    const { target, keyState, endpointTicket, keyTicket, firstTryTicket } = candidate;
    const { breaker } = target.state;
    switch (failureClass) {
      case 'fault':
        if (breaker.fail('answer', endpointTicket, nowMs)) breaker.open(nowMs);
        this.#chargeFault(candidate, nowMs);
        break;
      case 'endpoint':
        // Nobody was reached, so nothing is known of the key.
        if (breaker.fail('connection', endpointTicket, nowMs)) breaker.open(nowMs);
        keyState.release(keyTicket, firstTryTicket);
        return;
      case 'throttled':
        keyState.cool(target.upstreamModel, retryAfterMs, nowMs);
        break;
      case 'quota_exhausted':
        keyState.exhaust(retryAfterMs, nowMs);
        break;
      case 'bad_key':
        keyState.refuse(target.upstreamModel, nowMs);
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

function toOwn(candidate: Candidate): PoolCandidate {
  if (!(candidate instanceof PoolCandidate)) throw new TypeError('the candidate is not from a pool');
  return candidate;
}
