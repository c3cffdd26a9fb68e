import { type Caller } from '@weir/access';
import { type WeirError } from '@weir/kernel';
import { type Candidate, type ModelRoute } from '@weir/upstreams';
import { spliceMembers, type Splice } from '@weir/wire';
import { type Answer, Attempt } from './attempt';
import { type AttemptFailure, LEDGER_UNAVAILABLE } from './attempt-failure';
import { type CallMeter } from './call-meter';
import { toRefusalError, toWeirError } from './caller-error';
import { prepareCall, type PreparedCall } from './prepared-call';
import { type RelayCall } from './relay-call';
import { type RequestFacts, toCapSplice, toModelSplice } from './request-facts';
import { type AttemptPlace, settleAttempt, toIntentRecord } from './settle';

/** How all attempts together ended. */
export type LoopResult =
  | { readonly kind: 'answered'; readonly answer: Answer; readonly attempt: Attempt }
  | { readonly kind: 'streamed' }
  /** The provider found the caller's request wrong. */
  | { readonly kind: 'refused_by_provider'; readonly failure: AttemptFailure; readonly candidate: Candidate }
  | { readonly kind: 'failed'; readonly error: WeirError };

/**
 * Tries one candidate after the other until one answers, the pool has nothing more, or the retry
 * policy says that it is enough. Every attempt is reported to the pool and gets its usage row.
 * Once the caller has seen a byte, there is no further attempt.
 */
export async function runAttempts(call: RelayCall, caller: Caller, route: ModelRoute, meter: CallMeter): Promise<LoopResult> {
  const { pool } = call.road;
  const tried: Candidate[] = [];
  /** Of those tried, the ones whose key was refused: they are not worth another call. */
  const refused: Candidate[] = [];
  let last: AttemptFailure | null = null;
  let faults = 0;
  for (;;) {
    let candidate = pool.pick(route, tried, call.nowMs());
    // A fault may pass: when there is nobody else, the same upstream and key are worth a retry.
    if ('refused' in candidate && tried.length > refused.length) candidate = pool.pick(route, refused, call.nowMs(), true);
    if ('refused' in candidate) {
      return { kind: 'failed', error: last === null || isAboutKey(last) ? toRefusalError(candidate) : toWeirError(last) };
    }
    const prepared = prepareCall(candidate, route.name, call.facts.model, call.definition);
    const price = call.road.prices.findPrice(route, candidate.target, prepared.upstreamModel, call.startedAtMs);
    const attempt = new Attempt(call, candidate, ++call.attempts);
    const place: AttemptPlace = { caller, route, meter, attempt, upstreamModel: prepared.upstreamModel, price };
    const result = await runAttempt(call, place, prepared);
    const failure = result.kind === 'answered' ? null : result.failure;
    if (failure?.reason === LEDGER_UNAVAILABLE) return { kind: 'failed', error: toWeirError(failure) };
    const settling = settleAttempt(call, place, failure);
    if (settling !== undefined) await settling;
    if (result.kind === 'answered') return { kind: 'answered', answer: result.answer, attempt };
    if (result.kind === 'streamed') return { kind: 'streamed' };
    if (result.failure.failureClass === 'caller' && result.failure.provider !== null) return { kind: 'refused_by_provider', failure: result.failure, candidate };
    last = result.failure;
    tried.push(candidate);
    if (isAboutKey(last)) refused.push(candidate);
    if (last.failureClass === 'fault' || last.failureClass === 'endpoint') faults += 1;
    const delayMs = pool.retryDelayMs(last.failureClass, attempt.number, call.nowMs(), faults);
    if (delayMs === null || call.isClosed) return { kind: 'failed', error: toWeirError(last) };
    if (delayMs > 0) await call.pause(delayMs);
    if (call.isClosed || !(await meter.holdAgain())) return { kind: 'failed', error: toWeirError(last) };
  }
}

async function runAttempt(call: RelayCall, place: AttemptPlace, prepared: PreparedCall): ReturnType<Attempt['run']> {
  const { pool, transport, watchdog, configuration, ledger } = call.road;
  const { attempt } = place;
  const { candidate } = attempt;
  const { upstream } = candidate.target;
  const { isStream } = call.facts;
  const body = toUpstreamBody(call.facts, prepared, upstream.address.options, place.meter);
  const timeoutMs = upstream.timeoutMs ?? configuration.requestTimeoutMs;
  const bodyTimeoutMs = isStream ? (upstream.streamTimeoutMs ?? configuration.streamTimeoutMs) : timeoutMs;
  // A stream may last as long as it keeps talking, but its first event must come; a whole answer must come whole.
  call.deadlineMs = attempt.startedMs + (isStream ? Math.max(timeoutMs, bodyTimeoutMs) : timeoutMs);
  call.attempt = attempt;
  watchdog.add(call);
  pool.started(candidate);
  try {
    return await attempt.run((handler) => {
      // The upstream gets nothing before it is on record that it may: a call that nobody knows of would be free.
      ledger.intent(toIntentRecord(call, place), (error) => {
        if (error !== null) attempt.refuseToStart();
        else if (!attempt.isOver) transport.dispatch(upstream.address.origin, 'POST', prepared.path, isStream ? prepared.streamHeaders : prepared.jsonHeaders, body, timeoutMs, bodyTimeoutMs, handler);
      });
    });
  } finally {
    pool.finished(candidate);
    watchdog.remove(call);
    call.attempt = null;
    if (call.firstByteMs === null) call.upstreamWaitMs += call.monotonicMs() - attempt.startedMs;
  }
}

/** The caller's bytes, with the model's name at the upstream, the cap that its budget affords and, in a stream, the wish for usage. */
function toUpstreamBody(facts: RequestFacts, prepared: PreparedCall, options: Readonly<Record<string, unknown>>, { outputCap, hasBudget: holdsMoney }: CallMeter): Buffer {
  const model = toModelSplice(facts, prepared.upstreamModelJson);
  const usage = options.stream_usage === false ? null : facts.streamUsageSplice;
  const cap = outputCap ?? (holdsMoney && prepared.outputCapName === 'max_tokens' && !facts.hasMaxTokens ? facts.outputCap : null);
  if (model === null && usage === null && cap === null) return facts.body;
  const splices: Splice[] = [];
  if (model !== null) splices.push(model);
  if (usage !== null) splices.push(usage);
  // Money is held for the cap: an upstream that does not know its newer name must be told by the older.
  if (cap !== null) splices.push(toCapSplice(facts, prepared.outputCapName, cap));
  if (splices.length > 1) splices.sort((one, other) => one.start - other.start);
  return spliceMembers(facts.body, splices);
}

/** Failures of keys say nothing to the caller; that no key is left, and until when, does. */
function isAboutKey({ failureClass }: AttemptFailure): boolean {
  return failureClass === 'bad_key' || failureClass === 'throttled' || failureClass === 'quota_exhausted';
}
