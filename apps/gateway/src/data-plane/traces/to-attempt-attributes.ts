import { type SpanAttributes } from '@weir/platform';
import { type Attempt } from '../attempt';
import { type AttemptFailure } from '../attempt-failure';
import { toShownName } from './shown-text';
import { getUpstreamAttributes } from './upstream-attributes';

/** Where an attempt went, and how it ended. */
export function toAttemptAttributes(
  { candidate, number, httpStatus, headMs, startedMs }: Pick<Attempt, 'candidate' | 'number' | 'httpStatus' | 'headMs' | 'startedMs'>,
  failure: AttemptFailure | null,
  method: string,
  isStream: boolean,
): SpanAttributes {
  const { key, target } = candidate;
  const { provider, host, port } = getUpstreamAttributes(target.upstream);
  const attributes: SpanAttributes = {
    'gen_ai.provider.name': provider,
    'server.address': host,
    'server.port': port,
    'http.request.method': method,
    'weir.attempt': number,
    'weir.upstream': toShownName(target.upstream.name),
  };
  if (key.id !== null) attributes['weir.upstream_key_id'] = key.id;
  if (number > 1) attributes['http.request.resend_count'] = number - 1;
  if (httpStatus !== null) attributes['http.response.status_code'] = httpStatus;
  if (isStream) attributes['gen_ai.request.stream'] = true;
  if (isStream && headMs !== null) attributes['gen_ai.response.time_to_first_chunk'] = (headMs - startedMs) / 1000;
  if (failure !== null) {
    attributes['error.type'] = failure.failureClass;
    attributes['weir.failure_reason'] = failure.reason;
  }
  return attributes;
}
