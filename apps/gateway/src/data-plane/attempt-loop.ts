import { type Caller } from '@weir/access';
import { WeirError } from '@weir/kernel';
import { isMissingModel } from '@weir/providers';
import { type Candidate, type PoolRefusal } from '@weir/upstreams';
import { type Answer, Attempt, type AttemptResult } from './attempt';
import { type AttemptFailure, LEDGER_UNAVAILABLE } from './attempt-failure';
import { type CallMeter } from './call-meter';
import { type CallRoute } from './call-routes';
import { toRefusalError, toWeirError } from './caller-error';
import { toUpstreamBody } from './exchange/upstream-body';
import { type UpstreamRequest } from './exchange/upstream-request';
import { mayHedge, raceWithHedge } from './hedge';
import { prepareCall, type PreparedCall } from './prepared-call';
import { type RelayCall } from './relay-call';
import { settleAttempt } from './settle';
import { endAttempt, type PlannedAttempt, startAttempt } from './start-attempt';

/** How all attempts together ended. */
export type LoopResult =
  | { readonly kind: 'answered'; readonly answer: Answer; readonly attempt: Attempt }
  | { readonly kind: 'streamed' }
  /** The provider found the caller's request wrong. */
  | { readonly kind: 'refused_by_provider'; readonly failure: AttemptFailure; readonly attempt: Attempt }
  /** `mayFallBack`: another model may still answer. */
  | { readonly kind: 'failed'; readonly error: WeirError; readonly mayFallBack: boolean };

/** So many upstreams may say that they do not have the model before it is believed. */
const MOST_MISSING = 3;

/**
 * Tries one candidate after the other until one answers, the pool has nothing more, or the retry
 * policy says that it is enough; then, where the model has fallbacks, those of the next model. Every
 * attempt is reported to the pool and gets its usage row. Once the caller has seen a byte, there is no
 * further attempt.
 * @param routes the model that was asked for, and those that may answer in its place
 */
export function runAttempts(call: RelayCall, caller: Caller, routes: readonly CallRoute[], meter: CallMeter): Promise<LoopResult> {
  const first = new AttemptLoop(call, caller, routes[0], meter, false).run();
  return routes.length === 1 ? first : fallBack(call, caller, routes, meter, first);
}

async function fallBack(call: RelayCall, caller: Caller, routes: readonly CallRoute[], meter: CallMeter, first: Promise<LoopResult>): Promise<LoopResult> {
  let result = await first;
  for (const fallback of routes.slice(1)) {
    if (result.kind !== 'failed' || !result.mayFallBack || call.isClosed || !(await meter.holdAgain())) break;
    // A stream's head is sent while its attempt runs.
    call.answeredBy = fallback.model;
    result = await new AttemptLoop(call, caller, fallback, meter, true).run();
  }
  return result;
}

/** The attempts at one model. */
class AttemptLoop {
  private readonly tried: Candidate[] = [];
  /** Of those tried, the ones that are not worth another call: their key was refused, or they cannot do it. */
  private readonly refused: Candidate[] = [];
  private last: AttemptFailure | null = null;
  private faults = 0;
  /** Why a candidate cannot take the request: it is said to the caller if none can. */
  private unsayable: WeirError | null = null;
  private missing: Extract<LoopResult, { kind: 'refused_by_provider' }> | null = null;
  private missingCount = 0;

  constructor(
    private readonly call: RelayCall,
    private readonly caller: Caller,
    private readonly target: CallRoute,
    private readonly meter: CallMeter,
    /** The request was counted with another model's first attempt. */
    private readonly isFallback: boolean,
  ) {}

  async run(): Promise<LoopResult> {
    for (;;) {
      if (this.call.isClosed) return { kind: 'failed', error: new WeirError('client_closed_request'), mayFallBack: false };
      const picked = this.pick();
      const candidate = 'refused' in picked ? await this.wait(picked) : picked;
      if ('refused' in candidate) return this.endWithout(candidate);
      const planned = this.plan(candidate);
      if (planned === null) continue;
      const running = startAttempt(this.call, planned);
      let { place } = planned;
      let result: AttemptResult;
      const hedge = mayHedge(this.call) ? this.call.road.pool.hedge(this.target.route, candidate, this.call.nowMs(), this.target.model) : null;
      if (hedge === null) {
        try {
          result = await running;
        } finally {
          endAttempt(this.call, place.attempt);
        }
      } else ({ place, result } = await raceWithHedge(this.call, { place, result: running }, { delayMs: hedge.delayMs, model: this.target.model }, (other) => this.plan(other)));
      const failure = result.kind === 'answered' ? null : result.failure;
      if (failure?.reason === LEDGER_UNAVAILABLE) return { kind: 'failed', error: toWeirError(failure), mayFallBack: false };
      const settling = settleAttempt(this.call, place, failure);
      if (settling !== undefined) await settling;
      if (result.kind === 'answered') return { kind: 'answered', answer: result.answer, attempt: place.attempt };
      const end = await this.judge(result, place.attempt);
      if (end !== null) return end;
    }
  }

  /** In one tick, and without a promise where a place is free. */
  private pick(): Candidate | PoolRefusal {
    const { pool } = this.call.road;
    const picked = pool.pick(this.target.route, this.tried, this.call.nowMs(), this.isFallback, this.call.affinity, this.target.model);
    // A fault may pass: when there is nobody else, the same upstream and key are worth a retry.
    if ('refused' in picked && this.tried.length > this.refused.length) return pool.pick(this.target.route, this.refused, this.call.nowMs(), true, this.call.affinity, this.target.model);
    return picked;
  }

  /** Stands in line for an upstream that is full; the refusal, where there is nothing to wait for. */
  private async wait(refusal: PoolRefusal): Promise<Candidate | PoolRefusal> {
    if (refusal.reason !== 'concurrency') return refusal;
    const { call } = this;
    const ticket = call.road.pool.waitForPlace(this.target.route, this.tried, call.nowMs(), {
      organizationId: this.caller.organizationId,
      affinity: call.affinity,
      isRetry: this.isFallback,
      model: this.target.model,
    });
    if ('refused' in ticket) return ticket;
    call.queuePosition = ticket.position;
    call.ticket = ticket;
    const candidate = await ticket.promise;
    call.ticket = null;
    return candidate;
  }

  /** What an attempt at a candidate would be; null where it cannot take the request, which is remembered. */
  private plan(candidate: Candidate): PlannedAttempt | null {
    try {
      return this.planAt(candidate);
    } catch (error) {
      this.call.road.pool.release(candidate);
      throw error;
    }
  }

  private planAt(candidate: Candidate): PlannedAttempt | null {
    const { call, target, meter } = this;
    const { raw } = call;
    const prepared = raw === null ? prepareCall(candidate, target.route.name, target.model, call.facts) : raw.prepare(candidate);
    const body = prepared === null ? null : raw === null ? toBody(call, prepared, candidate, meter) : raw.takeBody();
    if (prepared === null || body instanceof WeirError) {
      // Another upstream may speak the caller's own format, and need no words for it.
      this.unsayable = body instanceof WeirError ? body : new WeirError('invalid_request', { message: 'This model does not serve requests of this kind.', param: 'model' });
      call.road.pool.release(candidate);
      this.exclude(candidate);
      return null;
    }
    const price = call.road.prices.findPrice(target.route, candidate.target, prepared.upstreamModel, call.startedAtMs);
    const attempt = new Attempt(call, candidate, ++call.attempts, prepared);
    return { place: { caller: this.caller, route: target.route, meter, attempt, upstreamModel: prepared.upstreamModel, price }, prepared, body };
  }

  private exclude(candidate: Candidate): void {
    this.tried.push(candidate);
    this.refused.push(candidate);
  }

  /** No candidate is left. */
  private endWithout(refusal: PoolRefusal): LoopResult {
    const { last } = this;
    if (last === null && this.missing !== null) return this.missing;
    // Who could say it is only busy or cooling: then the request is not wrong, but early.
    if (last === null && this.unsayable !== null && refusal.retryAfterMs === null) return { kind: 'failed', error: this.unsayable, mayFallBack: true };
    return { kind: 'failed', error: last === null || isAboutKey(last) ? toRefusalError(refusal) : toWeirError(last), mayFallBack: true };
  }

  /** Whether the attempts end with this one; null: there is to be another. */
  private async judge(result: AttemptResult, attempt: Attempt): Promise<LoopResult | null> {
    const { call, meter } = this;
    if (result.kind === 'answered') return { kind: 'answered', answer: result.answer, attempt };
    if (result.kind === 'streamed') return { kind: 'streamed' };
    const { failure } = result;
    if (failure.failureClass === 'caller' && failure.provider !== null) return this.judgeRefusal(failure, attempt);
    this.last = failure;
    this.tried.push(attempt.candidate);
    if (isAboutKey(failure)) this.refused.push(attempt.candidate);
    if (failure.failureClass === 'fault' || failure.failureClass === 'endpoint') this.faults += 1;
    const mayFallBack = failure.failureClass !== 'caller' && failure.failureClass !== 'aborted';
    const delayMs = call.road.pool.retryDelayMs(failure.failureClass, attempt.number, call.nowMs(), this.faults);
    if (delayMs === null || call.isClosed || call.raw?.isUsedUp === true) return { kind: 'failed', error: toWeirError(failure), mayFallBack };
    if (delayMs > 0) await call.pause(delayMs);
    if (call.isClosed || !(await meter.holdAgain())) return { kind: 'failed', error: toWeirError(failure), mayFallBack: false };
    return null;
  }

  /** A model that the operator named and an upstream does not have is the operator's mistake: another target may have it. */
  private judgeRefusal(failure: AttemptFailure, attempt: Attempt): LoopResult | null {
    const { candidate } = attempt;
    const refusal: LoopResult = { kind: 'refused_by_provider', failure, attempt };
    const isMissing = failure.provider !== null && isMissingModel(failure.provider) && !candidate.target.upstreamModel.endsWith('*');
    this.missingCount += 1;
    if (!isMissing || this.missingCount >= MOST_MISSING || this.call.raw?.isUsedUp === true) return refusal;
    this.missing = refusal;
    this.exclude(candidate);
    return null;
  }
}

/** The request for an upstream, or why its format cannot say it. */
function toBody(call: RelayCall, prepared: PreparedCall, candidate: Candidate, meter: CallMeter): UpstreamRequest | WeirError {
  try {
    return toUpstreamBody(call.speech, prepared, candidate, meter);
  } catch (error) {
    if (error instanceof WeirError) return error;
    throw error;
  }
}

/** Failures of keys say nothing to the caller; that no key is left, and until when, does. */
function isAboutKey({ failureClass }: AttemptFailure): boolean {
  return failureClass === 'bad_key' || failureClass === 'throttled' || failureClass === 'quota_exhausted';
}
