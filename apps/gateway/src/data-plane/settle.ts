import { type Caller } from '@weir/access';
import { type Nanos } from '@weir/kernel';
import { type ModelPrice, takesGpuTime, toTier, type UsageRecord, type UsageStatus } from '@weir/ledger';
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
  return toRecord(call, place, 'unknown', null, null, { usage: worstUsage, estimated: true }, place.meter.toIntentNanos(place.price), 0, null);
}

/** Tells the pool, the ledger and the metrics how an attempt ended. Only a charge beyond the hold takes time. */
export function settleAttempt(call: RelayCall, place: AttemptPlace, failure: AttemptFailure | null): void | Promise<void> {
  const { road } = call;
  const { attempt } = place;
  const { candidate } = attempt;
  const nowMs = call.nowMs();
  if (failure === null) {
    road.pool.report(candidate, SUCCESS, nowMs);
    if (attempt.headMs !== null) road.pool.noteFirstByte(candidate, attempt.headMs - attempt.startedMs, nowMs);
  } else road.pool.report(candidate, { kind: 'failure', failureClass: failure.failureClass, retryAfterMs: failure.retryAfterMs, upstreamModel: place.upstreamModel }, nowMs);
  const status = toStatus(failure);
  const charged = toChargedUsage(
    {
      status,
      reportedUsage: attempt.usage,
      isReportFinal: attempt.isUsageFinal,
      reachedUpstream: attempt.reachedUpstream,
      isTimeout: failure?.isTimeout === true,
      hasOutput: attempt.hasOutput,
      requestTextBytes: call.facts.textBytes,
      outputTextBytes: attempt.outputTextBytes,
      worstUsage: place.meter.estimate.worstUsage,
      work: call.facts.work,
      price: place.price,
    },
    road.configuration.abortedCallCharge,
  );
  const used = takesGpuTime(place.price) ? withGpuTime(charged, call, place) : charged;
  const charge = place.meter.charge(place.price, used.usage);
  if (charge instanceof Promise) return charge.then((paid) => record(call, place, failure, status, used, paid));
  record(call, place, failure, status, used, charge);
}

/** The time on a GPU of one's own is that of the attempt: from its sending to its end. */
function withGpuTime({ usage, estimated }: ChargedUsage, call: RelayCall, { attempt }: AttemptPlace): ChargedUsage {
  const gpuMs = attempt.reachedUpstream ? Math.round(call.monotonicMs() - attempt.startedMs) : 0;
  return { usage: { ...usage, gpuMs }, estimated };
}

type EndStatus = Exclude<UsageStatus, 'unknown'>;

function record(call: RelayCall, place: AttemptPlace, failure: AttemptFailure | null, status: EndStatus, charged: ChargedUsage, charge: Charge): void {
  const { road } = call;
  const { usage } = charged;
  const { attempt } = place;
  const upstream = attempt.candidate.target.upstream;
  const durationMs = Math.round(attempt.endedMs - attempt.startedMs);
  const firstByteMs = attempt.headMs === null ? null : Math.round(attempt.headMs - attempt.startedMs);
  road.ledger.append(toRecord(call, place, status, attempt.httpStatus, toErrorCode(failure, charge), charged, charge.nanos, durationMs, firstByteMs));
  if (attempt.headMs !== null) road.latencies.note(upstream.id, attempt.headMs - attempt.startedMs);
  road.metrics.upstreamAttempt(upstream.name, failure === null ? 'success' : failure.failureClass);
  road.metrics.tokensUsed(call.definition.operation, place.route.name, usage);
  call.upstreamName = upstream.name;
  call.usage = usage;
  call.costNanos = charge.nanos;
  call.trace?.attempted(place, failure, usage, charge.nanos);
}

/** One literal for every row, so that all of them have one shape: this is part of every request, twice. */
function toRecord(
  call: RelayCall,
  { caller, attempt, upstreamModel, price }: AttemptPlace,
  status: UsageStatus,
  httpStatus: number | null,
  errorCode: string | null,
  { usage, estimated }: ChargedUsage,
  costNanos: Nanos | null,
  durationMs: number,
  firstByteMs: number | null,
): UsageRecord {
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
    status,
    httpStatus,
    errorCode,
    usage,
    estimated,
    costNanos,
    rate: price === null ? null : toTier(price, usage.inputTokens).rateJson,
    durationMs,
    firstByteMs,
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
