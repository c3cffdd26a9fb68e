import { type IncomingHttpHeaders } from 'node:http';

export type SpanAttribute = string | number | boolean | string[];
export type SpanAttributes = Record<string, SpanAttribute>;

/** Something that happened at one moment of a span. */
export interface SpanEvent {
  readonly name: string;
  readonly atMs: number;
  readonly attributes: SpanAttributes;
}

/** A piece of work that is over. Times are milliseconds since the Unix epoch, with their fractions. */
export interface EndedSpan {
  readonly name: string;
  /** `server`: asked for from outside; `client`: asked of others; `internal`: neither. */
  readonly kind: 'server' | 'client' | 'internal';
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly attributes: SpanAttributes;
  readonly events: readonly SpanEvent[];
  readonly hasFailed: boolean;
}

/** The trace of one call. Spans are handed in when they are over; what waits to be exported is bounded. */
export interface CallTrace {
  /** 32 hex digits; W3C's. */
  readonly traceId: string;
  /** Nobody will see its spans: it is no use to put any together. */
  readonly isSampled: boolean;
  /** The id of a span that stands below the call's own. */
  makeSpanId(): string;
  /** What says to others which span theirs belong under: header names and values, flat. None where nothing is to be told on. */
  toHeaders(spanId: string): readonly string[];
  endChild(spanId: string, span: EndedSpan): void;
  /** The call's own span, the last one. */
  end(span: EndedSpan): void;
}

/** Where the traces of calls go. */
export interface Traces {
  /** @param headers of the request: its `traceparent` names the caller's own span, under which this one stands */
  begin(headers: IncomingHttpHeaders): CallTrace;
}

/** Traces, for whoever opened them. */
export interface OpenTraces extends Traces {
  /** Sends what waits, for at most `timeoutMs`; spans that come later are dropped. Never rejects. */
  close(timeoutMs: number): Promise<void>;
}
