import { type SpanAttributes } from '@weir/platform';
import { toShownCode } from '../to-shown-code';
import { type RelayCall } from '../relay-call';
import { toHttpRoute } from './to-http-route';
import { toRequestAttributes } from './to-request-attributes';
import { toShownName, toShownWord } from './shown-text';

/** Who called, and what became of it. @param isDetached it came by no request of its own */
export function toCallAttributes(call: RelayCall, isDetached: boolean): SpanAttributes {
  const { caller, definition, request, upstreamName, answeredBy } = call;
  const attributes: SpanAttributes = { 'weir.request_id': call.requestId, 'weir.attempts': call.attempts };
  if (!isDetached) {
    attributes['http.request.method'] = request.method ?? '';
    attributes['http.route'] = toHttpRoute(definition, request.url ?? '');
    // Nothing was sent where nothing was written: then there is no status.
    if (call.firstByteMs !== null) {
      attributes['http.response.status_code'] = call.status;
      attributes['weir.first_byte_ms'] = call.firstByteMs;
    }
  }
  if (caller !== null) {
    attributes['weir.organization_id'] = caller.organizationId;
    attributes['weir.key_id'] = caller.publicId;
    if (caller.projectId !== null) attributes['weir.project_id'] = caller.projectId;
  }
  // Before that, the body has not been read.
  if (call.model !== null) Object.assign(attributes, toRequestAttributes(call.facts));
  if (call.firstByteMs !== null && call.model !== null && call.facts.isStream) attributes['gen_ai.response.time_to_first_chunk'] = call.firstByteMs / 1000;
  if (upstreamName !== null) attributes['weir.upstream'] = toShownName(upstreamName);
  if (answeredBy !== null) attributes['weir.answered_by'] = toShownWord(answeredBy) ?? 'other';
  if (call.queuePosition !== null) attributes['weir.queue_position'] = call.queuePosition;
  if (call.isClosed) attributes['weir.aborted'] = true;
  return attributes;
}

/** What kind of error a call ended with; null where it ended well. A caller's leaving is one of its own kind. */
export function toCallErrorType({ isClosed, isBroken, status, errorCode }: Pick<RelayCall, 'isClosed' | 'isBroken' | 'status' | 'errorCode'>): string | null {
  if (isClosed) return 'client_closed_request';
  if (!isBroken && status < 400) return null;
  return errorCode === null ? String(status) : toShownCode(errorCode);
}
