import { type Nanos, type UsageUnits } from '@weir/kernel';
import { type CallTrace, type SpanAttributes, type SpanEvent } from '@weir/platform';
import { isOwnServer } from '@weir/providers';
import { type Attempt } from '../attempt';
import { type AttemptFailure } from '../attempt-failure';
import { type ToldAnswer } from '../exchange/told-answer';
import { type RelayCall } from '../relay-call';
import { type AttemptPlace } from '../settle';
import { type CallTracing } from './call-tracer';
import { toAnswerAttributes } from './to-answer-attributes';
import { toCallAttributes, toCallErrorType } from './to-call-attributes';
import { toAdmissionEvent } from './to-admission-event';
import { toAttemptAttributes } from './to-attempt-attributes';
import { toOperationName } from './to-operation-name';
import { toShownName, toShownWord } from './shown-text';
import { toUsageAttributes } from './to-usage-attributes';
import { getUpstreamAttributes } from './upstream-attributes';

/**
 * The trace of one call: a span for the call, and one below it for each attempt. It is put together
 * from what the road knows anyway, when each is over; never from a prompt, an answer or a header.
 */
export class TracedCall implements CallTracing {
  readonly traceId: string;
  private readonly spanIds = new Map<Attempt, string>();
  private provider: string | null = null;
  private told: ToldAnswer | null = null;
  /** Of all attempts together; null while none has a price. */
  private costNanos: Nanos | null = null;

  constructor(
    private readonly call: RelayCall,
    private readonly trace: CallTrace,
  ) {
    this.traceId = trace.traceId;
  }

  get isSampled(): boolean {
    return this.trace.isSampled;
  }

  /**
   * The headers of an attempt. Servers of one's own are told under which span theirs belong; providers
   * are not: whose calls belong together is no business of theirs.
   */
  toUpstreamHeaders(attempt: Attempt, headers: string[]): string[] {
    const { provider, address } = attempt.candidate.target.upstream;
    const isTold = isOwnServer(provider, address);
    if (!isTold && !this.trace.isSampled) return headers;
    const spanId = this.trace.makeSpanId();
    this.spanIds.set(attempt, spanId);
    return isTold ? [...headers, ...this.trace.toHeaders(spanId)] : headers;
  }

  attempted({ attempt, upstreamModel }: AttemptPlace, failure: AttemptFailure | null, usage: UsageUnits, costNanos: Nanos | null): void {
    const { call, trace } = this;
    if (costNanos !== null) this.costNanos = (this.costNanos ?? 0) + costNanos;
    const spanId = this.spanIds.get(attempt);
    if (!trace.isSampled || spanId === undefined) return;
    this.spanIds.delete(attempt);
    const { upstream } = attempt.candidate.target;
    // Of two attempts at the same time, the one that answered counts.
    if (failure === null || this.provider === null) {
      this.provider = getUpstreamAttributes(upstream).provider;
      this.told = attempt.told;
    }
    const operation = this.toOperation();
    const model = upstreamModel === '' ? null : toShownWord(upstreamModel);
    trace.endChild(spanId, {
      name: model === null ? operation : `${operation} ${model}`,
      kind: 'client',
      startedAtMs: this.toEpochMs(attempt.startedMs),
      endedAtMs: this.toEpochMs(call.monotonicMs()),
      attributes: {
        'gen_ai.operation.name': operation,
        ...toNamed('gen_ai.request.model', model),
        ...toAttemptAttributes(attempt, failure, call.raw === null ? 'POST' : (call.request.method ?? 'GET'), call.facts.isStream),
        ...toAnswerAttributes(attempt.told),
        ...toUsageAttributes(usage),
        ...toCost(costNanos),
      },
      events: [],
      // Nobody is at fault where the caller has left.
      hasFailed: failure !== null && failure.failureClass !== 'aborted',
    });
  }

  ended(durationMs: number): void {
    const { call, trace } = this;
    if (!trace.isSampled) return;
    const operation = this.toOperation();
    const errorType = toCallErrorType(call);
    trace.end({
      name: call.route === null ? operation : `${operation} ${toShownName(call.route.name)}`,
      kind: isDetached(call) ? 'internal' : 'server',
      startedAtMs: call.startedAtMs,
      endedAtMs: call.startedAtMs + durationMs,
      attributes: {
        'gen_ai.operation.name': operation,
        ...toNamed('gen_ai.provider.name', this.provider),
        ...toNamed('gen_ai.request.model', this.toModel()),
        ...toCallAttributes(call, isDetached(call)),
        ...toNamed('error.type', errorType),
        ...toAnswerAttributes(this.told),
        ...(call.usage === null ? {} : toUsageAttributes(call.usage)),
        ...toCost(this.costNanos),
      },
      events: this.toEvents(),
      hasFailed: errorType !== null && !call.isClosed && (call.isBroken || call.status >= 500),
    });
  }

  private toEvents(): SpanEvent[] {
    const { admission, askedMs, admissionMs } = this.call;
    return admission === null ? [] : [toAdmissionEvent(admission, this.toEpochMs(askedMs + admissionMs), admissionMs)];
  }

  /** Of a call to a provider's own API, what Weir knows there. */
  private toOperation(): string {
    return toOperationName(this.call.raw?.known ?? this.call.definition);
  }

  /** A name that nobody has given to a model is the caller's text, and not shown. */
  private toModel(): string | null {
    const { route, model, raw } = this.call;
    if (route !== null && route.name === model) return toShownName(route.name);
    return model === null || (route === null && raw === null) ? null : toShownWord(model);
  }

  private toEpochMs(monotonicMs: number): number {
    return this.call.startedAtMs + (monotonicMs - this.call.startedMs);
  }
}

/** Nobody asked for it just now: a job that was taken up. */
function isDetached({ request }: RelayCall): boolean {
  return request.method == null;
}

function toNamed(name: string, value: string | null): SpanAttributes {
  return value === null ? {} : { [name]: value };
}

function toCost(nanos: Nanos | null): SpanAttributes {
  return nanos === null ? {} : { 'weir.cost_nanos': nanos };
}
