import { type SpanContext } from '@opentelemetry/api';
import { parseTraceParent, TraceState } from '@opentelemetry/core';
import { type IncomingHttpHeaders } from 'node:http';

/** W3C's own limit is 512; what is far longer is not even looked at. */
const LONGEST_STATE = 2048;

/**
 * The span of the caller's that a request's `traceparent` names, with its `tracestate`; null where
 * there is none, or one that is malformed: https://www.w3.org/TR/trace-context/
 */
export function readParent({ traceparent, tracestate }: IncomingHttpHeaders): SpanContext | null {
  // Said twice, they come joined by a comma, which is no traceparent.
  const parent = typeof traceparent === 'string' && traceparent.length <= 100 ? parseTraceParent(traceparent) : null;
  if (parent === null) return null;
  const state = Array.isArray(tracestate) ? tracestate.join(',') : tracestate;
  const isKept = state !== undefined && state !== '' && state.length <= LONGEST_STATE;
  return { ...parent, isRemote: true, ...(isKept ? { traceState: new TraceState(state) } : {}) };
}
