import { type Caller } from '@weir/access';
import { type ModelPrice, toTier, type UsageRecord, type UsageStatus } from '@weir/ledger';
import { type ModelRoute } from '@weir/upstreams';
import { type Attempt } from './attempt';
import { type AttemptFailure } from './attempt-failure';
import { type CallMeter, type Charge } from './call-meter';
import { type ChargedUsage, toChargedUsage } from './charged-usage';
import { type RelayCall } from './relay-call';

/** An attempt and all that its row tells besides what it used. */
export interface AttemptPlace {
  readonly caller: Caller;
  readonly route: ModelRoute;
  readonly meter: CallMeter;
  readonly attempt: Attempt;
  readonly upstreamModel: string;
  /** Null when nobody has set one. */
  readonly price: ModelPrice | null;
}

const SUCCESS = { kind: 'success' } as const;

/**
 * The row that stands for an attempt from before it is made until its end is known: should this
 * process die in between, it is what the attempt is charged.
 */
export function toIntentRecord(call: RelayCall, place: AttemptPlace): UsageRecord {
  const { worstUsage } = place.meter.estimate;
  return {
    ...toIdentity(call, place),
    status: 'unknown',
    httpStatus: null,
    errorCode: null,
    usage: worstUsage,
    estimated: true,
    costNanos: place.meter.toIntentNanos(place.price),
    rate: toRate(place.price, worstUsage.inputTokens),
    durationMs: 0,
    firstByteMs: null,
  };
}

/** Tells the pool, the ledger and the metrics how an attempt ended. Only a charge beyond the hold takes time. */
export function settleAttempt(call: RelayCall, place: AttemptPlace, failure: AttemptFailure | null): void | Promise<void> {
  const { road } = call;
  const { candidate } = place.attempt;
  if (failure === null) road.pool.report(candidate, SUCCESS, call.nowMs());
  else road.pool.report(candidate, { kind: 'failure', failureClass: failure.failureClass, retryAfterMs: failure.retryAfterMs }, call.nowMs());
  const status = toStatus(failure);
  const charged = toChargedUsage(
    {
      status,
      reportedUsage: place.attempt.usage,
      reachedUpstream: place.attempt.reachedUpstream,
      requestTextBytes: call.facts.textBytes,
      outputTextBytes: place.attempt.outputTextBytes,
      worstUsage: place.meter.estimate.worstUsage,
    },
    road.configuration.abortedCallCharge,
  );
  const charge = place.meter.charge(place.price, charged.usage);
  if (charge instanceof Promise) return charge.then((paid) => record(call, place, failure, status, charged, paid));
  record(call, place, failure, status, charged, charge);
}

type EndStatus = Exclude<UsageStatus, 'unknown'>;

function record(call: RelayCall, place: AttemptPlace, failure: AttemptFailure | null, status: EndStatus, { usage, estimated }: ChargedUsage, charge: Charge): void {
  const { road } = call;
  const { attempt } = place;
  const upstream = attempt.candidate.target.upstream;
  road.ledger.append({
    ...toIdentity(call, place),
    status,
    httpStatus: attempt.httpStatus,
    errorCode: toErrorCode(failure, charge),
    usage,
    estimated,
    costNanos: charge.nanos,
    rate: toRate(place.price, usage.inputTokens),
    durationMs: Math.round(call.monotonicMs() - attempt.startedMs),
    firstByteMs: attempt.headMs === null ? null : Math.round(attempt.headMs - attempt.startedMs),
  });
  if (attempt.headMs !== null) road.latencies.note(upstream.id, attempt.headMs - attempt.startedMs);
  road.metrics.upstreamAttempt(upstream.name, failure === null ? 'success' : failure.failureClass);
  road.metrics.tokensUsed(call.definition.operation, place.route.name, usage);
  call.upstreamName = upstream.name;
  call.usage = usage;
  call.costNanos = charge.nanos;
}

type Identity = Pick<
  UsageRecord,
  'requestId' | 'attempt' | 'atMs' | 'organizationId' | 'projectId' | 'keyId' | 'operation' | 'model' | 'upstreamId' | 'upstreamKeyId' | 'upstreamModel'
>;

function toIdentity(call: RelayCall, { caller, attempt, upstreamModel }: AttemptPlace): Identity {
  return {
    requestId: call.requestId,
    attempt: attempt.number,
    atMs: call.startedAtMs,
    organizationId: caller.organizationId,
    projectId: caller.projectId,
    keyId: caller.keyId,
    operation: call.definition.operation,
    model: call.facts.model,
    upstreamId: attempt.candidate.target.upstream.id,
    upstreamKeyId: attempt.candidate.key.id,
    upstreamModel,
  };
}

function toStatus(failure: AttemptFailure | null): EndStatus {
  if (failure === null) return 'succeeded';
  return failure.failureClass === 'aborted' ? 'aborted' : 'failed';
}

function toErrorCode(failure: AttemptFailure | null, { isOverrun }: Charge): string | null {
  if (failure !== null) return `${failure.failureClass}:${failure.reason}`;
  return isOverrun ? 'overrun' : null;
}

function toRate(price: ModelPrice | null, inputTokens: number): string | null {
  return price === null ? null : toTier(price, inputTokens).rateJson;
}
