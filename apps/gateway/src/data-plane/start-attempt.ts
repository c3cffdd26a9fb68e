import { type Attempt, type AttemptResult } from './attempt';
import { isStreamed, type UpstreamRequest, withBodyHeaders } from './exchange/upstream-request';
import { type PreparedCall, toCallHeaders } from './prepared-call';
import { type RelayCall } from './relay-call';
import { type AttemptPlace, toIntentRecord } from './settle';

/** An attempt that can be made. */
export interface PlannedAttempt {
  readonly place: AttemptPlace;
  readonly prepared: PreparedCall;
  readonly body: UpstreamRequest;
}

/**
 * Makes an attempt; what begins here `endAttempt` ends. The promise never rejects. No async function:
 * it is part of every request.
 */
export function startAttempt(call: RelayCall, { place, prepared, body }: PlannedAttempt): Promise<AttemptResult> {
  const { pool, transport, watchdog, configuration, ledger } = call.road;
  const { attempt } = place;
  const { candidate } = attempt;
  const { upstream } = candidate.target;
  const { isStream } = call.facts;
  const timeoutMs = upstream.timeoutMs ?? configuration.requestTimeoutMs;
  const bodyTimeoutMs = isStream ? (upstream.streamTimeoutMs ?? configuration.streamTimeoutMs) : timeoutMs;
  // A stream may last as long as it keeps talking, but its first event must come; a whole answer must come whole.
  call.deadlineMs = attempt.startedMs + (isStream ? Math.max(timeoutMs, bodyTimeoutMs) : timeoutMs);
  const method = call.raw === null ? 'POST' : (call.request.method ?? 'GET');
  const callHeaders = toCallHeaders(prepared, call.request, isStream);
  const bodyHeaders = isStreamed(body) ? withBodyHeaders(callHeaders, body) : callHeaders;
  const headers = call.trace === null ? bodyHeaders : call.trace.toUpstreamHeaders(attempt, bodyHeaders);
  if (call.attempt === null) call.attempt = attempt;
  else call.hedge = attempt;
  watchdog.add(call);
  pool.started(candidate);
  const answered = attempt.run((handler) => {
    // The upstream gets nothing before it is on record that it may: a call that nobody knows of would be free.
    ledger.intent(toIntentRecord(call, place), (error) => {
      if (error !== null) attempt.refuseToStart();
      else if (!attempt.isOver) transport.dispatch(upstream.address.origin, method, isStream ? prepared.streamPath : prepared.path, headers, isStreamed(body) ? body.open() : body, timeoutMs, bodyTimeoutMs, handler);
    });
  });
  const { follow } = call;
  return follow === null ? answered : answered.then((result) => follow(attempt, prepared, result));
}

/** The attempt is over: its places are free. */
export function endAttempt(call: RelayCall, attempt: Attempt): void {
  const { pool, watchdog } = call.road;
  attempt.endedMs = call.monotonicMs();
  pool.finished(attempt.candidate);
  if (call.attempt === attempt) call.attempt = null;
  else call.hedge = null;
  if (call.attempt !== null || call.hedge !== null) return;
  watchdog.remove(call);
  if (call.firstByteMs === null) call.upstreamWaitMs += attempt.endedMs - attempt.startedMs;
}
