import { type Attributes, type HrTime, type Link, type SpanContext, SpanKind, type SpanStatus, SpanStatusCode } from '@opentelemetry/api';
import { type InstrumentationScope } from '@opentelemetry/core';
import { type Resource } from '@opentelemetry/resources';
import { type ReadableSpan, type TimedEvent } from '@opentelemetry/sdk-trace';
import { type EndedSpan } from './traces';

const KINDS: Readonly<Record<EndedSpan['kind'], SpanKind>> = { server: SpanKind.SERVER, client: SpanKind.CLIENT, internal: SpanKind.INTERNAL };
const UNSET: SpanStatus = { code: SpanStatusCode.UNSET };
const FAILED: SpanStatus = { code: SpanStatusCode.ERROR };
const SCOPE: InstrumentationScope = { name: 'weir' };
const NO_LINKS: Link[] = [];

/**
 * A span as exporters read it. The SDK's own is made when work begins and checks each attribute as
 * it is set; here all is known at the end, and comes from Weir itself.
 */
export class FinishedSpan implements ReadableSpan {
  readonly name: string;
  readonly kind: SpanKind;
  readonly startTime: HrTime;
  readonly endTime: HrTime;
  readonly duration: HrTime;
  readonly status: SpanStatus;
  readonly attributes: Attributes;
  readonly events: TimedEvent[];
  readonly links = NO_LINKS;
  readonly ended = true;
  readonly instrumentationScope = SCOPE;
  readonly droppedAttributesCount = 0;
  readonly droppedEventsCount = 0;
  readonly droppedLinksCount = 0;

  constructor(
    private readonly context: SpanContext,
    readonly parentSpanContext: SpanContext | undefined,
    readonly resource: Resource,
    { name, kind, startedAtMs, endedAtMs, attributes, events, hasFailed }: EndedSpan,
  ) {
    this.name = name;
    this.kind = KINDS[kind];
    this.startTime = toHrTime(startedAtMs);
    // The machine's clock may have been set in between: nothing ends before it began.
    this.endTime = toHrTime(Math.max(startedAtMs, endedAtMs));
    this.duration = toHrTime(Math.max(0, endedAtMs - startedAtMs));
    this.status = hasFailed ? FAILED : UNSET;
    this.attributes = attributes;
    this.events = events.map((event) => ({ name: event.name, time: toHrTime(event.atMs), attributes: event.attributes }));
  }

  spanContext(): SpanContext {
    return this.context;
  }
}

/** Seconds, and what remains in nanoseconds. */
export function toHrTime(ms: number): HrTime {
  const seconds = Math.trunc(ms / 1000);
  const nanoseconds = Math.round((ms - seconds * 1000) * 1_000_000);
  return nanoseconds >= 1_000_000_000 ? [seconds + 1, 0] : [seconds, nanoseconds];
}
