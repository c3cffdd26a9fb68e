import { type UsageUnits, zeroUsage, type Nanos } from '@weir/kernel';
import { type ModelPrice, parseModelPrice, toCost, type UsageRecord } from '@weir/ledger';
import { type ModelRoute } from '@weir/upstreams';
import { type Attempt } from './attempt';
import { type AttemptFailure } from './attempt-failure';
import { type RelayCall } from './relay-call';

/** Where no usage is reported: bytes of language per token, low enough to rather count too many. */
const BYTES_PER_TOKEN = 4;

const prices = new WeakMap<ModelRoute, { readonly price: ModelPrice | null }>();

/** What an attempt used, by the upstream's word or estimated from what passed through. */
export interface AttemptUsage {
  readonly usage: UsageUnits;
  readonly estimated: boolean;
}

export function toAttemptUsage(call: RelayCall, attempt: Attempt, failure: AttemptFailure | null): AttemptUsage {
  if (attempt.usage !== null) return { usage: attempt.usage, estimated: false };
  const hasOutput = attempt.outputTextBytes > 0;
  if (failure !== null && !hasOutput) return { usage: zeroUsage(), estimated: false };
  return {
    usage: {
      inputTokens: Math.ceil(call.facts.textBytes / BYTES_PER_TOKEN),
      cachedInputTokens: 0,
      outputTokens: Math.ceil(attempt.outputTextBytes / BYTES_PER_TOKEN),
      reasoningTokens: 0,
    },
    estimated: true,
  };
}

/** Null when nobody has set a price for the model. */
export function toCostNanos(route: ModelRoute, usage: UsageUnits): Nanos | null {
  const price = getPrice(route);
  return price === null ? null : toCost(price, usage);
}

/** Tells the pool, the ledger and the metrics how an attempt ended. Waits for nothing. */
export function settleAttempt(call: RelayCall, attempt: Attempt, upstreamModel: string, failure: AttemptFailure | null): void {
  const { road, caller, route } = call;
  if (caller === null || route === null) return;
  const { candidate } = attempt;
  if (failure === null) road.pool.report(candidate, SUCCESS, call.nowMs());
  else road.pool.report(candidate, { kind: 'failure', failureClass: failure.failureClass, retryAfterMs: failure.retryAfterMs }, call.nowMs());
  const { usage, estimated } = toAttemptUsage(call, attempt, failure);
  const record: UsageRecord = {
    requestId: call.requestId,
    attempt: attempt.number,
    atMs: call.startedAtMs,
    organizationId: caller.organizationId,
    projectId: caller.projectId,
    keyId: caller.keyId,
    operation: call.definition.operation,
    model: call.facts.model,
    upstreamId: candidate.target.upstream.id,
    upstreamKeyId: candidate.key.id,
    upstreamModel,
    status: failure === null ? 'succeeded' : failure.failureClass === 'aborted' ? 'aborted' : 'failed',
    httpStatus: attempt.httpStatus,
    errorCode: failure === null ? null : `${failure.failureClass}:${failure.reason}`,
    usage,
    estimated,
    costNanos: toCostNanos(route, usage),
    durationMs: Math.round(call.monotonicMs() - attempt.startedMs),
    firstByteMs: attempt.headMs === null ? null : Math.round(attempt.headMs - attempt.startedMs),
  };
  road.ledger.append(record);
  if (attempt.headMs !== null) road.latencies.note(candidate.target.upstream.id, attempt.headMs - attempt.startedMs);
  road.metrics.upstreamAttempt(candidate.target.upstream.name, failure === null ? 'success' : failure.failureClass);
  road.metrics.tokensUsed(record.operation, route.name, usage);
  call.upstreamName = candidate.target.upstream.name;
  call.usage = usage;
  call.costNanos = record.costNanos;
}

const SUCCESS = { kind: 'success' } as const;

function getPrice(route: ModelRoute): ModelPrice | null {
  let known = prices.get(route);
  if (known === undefined) {
    known = { price: route.price === null ? null : parseModelPrice(route.price) };
    prices.set(route, known);
  }
  return known.price;
}
