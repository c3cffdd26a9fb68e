import { type IncomingHttpHeaders } from 'node:http';

/**
 * Of one connection (RFC 9110 §7.6.1), of the caller's credentials, or of what stands between it and
 * Weir. No conditions (`if-…`): an answer without a body is a failure to Weir.
 */
const KEPT_BACK = new Set([
  'host', 'connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authorization', 'te', 'trailer', 'transfer-encoding', 'upgrade',
  'content-length', 'expect', 'authorization', 'x-api-key', 'api-key', 'x-goog-api-key', 'cookie', 'accept-encoding', 'idempotency-key',
  'openai-organization', 'openai-project', 'forwarded', 'via', 'x-real-ip', 'x-request-id', 'x-goog-user-project', 'origin', 'referer',
  // Whose calls belong together is not the provider's business; servers of one's own are told by Weir itself.
  'traceparent', 'tracestate', 'baggage',
  // They would make another request, or another answer, of it than the one that was allowed.
  'x-http-method-override', 'x-http-method', 'x-method-override', 'x-original-url', 'x-rewrite-url', 'x-goog-fieldmask',
  'client-ip', 'true-client-ip', 'x-client-ip', 'x-auth-token', 'ocp-apim-subscription-key', 'x-goog-iam-authorization-token',
]);
const KEPT_BACK_PREFIX = /^(?:x-forwarded-|x-stainless-|x-weir-|sec-|cf-|if-)/;

/**
 * The caller's headers as they go to the provider, flat.
 * @param length of the body; null for none, or for one whose length nobody knows
 */
export function toPassedHeaders(headers: IncomingHttpHeaders, own: readonly string[], length: number | null): string[] {
  const named = toConnectionNames(headers);
  const ownNames = own.filter((_, index) => index % 2 === 0);
  const passed: string[] = [];
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || KEPT_BACK.has(name) || KEPT_BACK_PREFIX.test(name) || named.includes(name)) continue;
    // What the caller says of itself goes before what Weir would say (`anthropic-version`).
    passed.push(name, Array.isArray(value) ? value.join(', ') : value);
  }
  for (let index = 0; index < own.length; index += 2) if (!Object.hasOwn(headers, ownNames[index / 2]) || KEPT_BACK.has(ownNames[index / 2])) passed.push(own[index], own[index + 1]);
  passed.push('accept-encoding', 'identity');
  if (length !== null) passed.push('content-length', String(length));
  return passed;
}

/** What of an answer is the provider's word to Weir, or Weir's own to say, or an order to a server in front of Weir (`x-accel-…`). */
const NOT_RETURNED = new Set([
  'connection', 'keep-alive', 'proxy-authenticate', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'set-cookie', 'date', 'server', 'alt-svc',
  'strict-transport-security', 'openai-organization', 'openai-project', 'anthropic-organization-id', 'x-request-id', 'request-id', 'retry-after', 'retry-after-ms', 'via',
  'x-ms-client-request-id', 'apim-request-id', 'location', 'proxy-connection', 'x-sendfile', 'x-lighttpd-send-file',
]);
const NOT_RETURNED_PREFIX = /^(?:x-ratelimit-|anthropic-ratelimit-|anthropic-workspace-|access-control-|x-weir-|x-accel-|cf-|x-envoy-)/;

/** The provider's headers as they go to the caller, flat. */
export function toReturnedHeaders(headers: IncomingHttpHeaders): string[] {
  const returned: string[] = [];
  const named = toConnectionNames(headers);
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || NOT_RETURNED.has(name) || NOT_RETURNED_PREFIX.test(name) || named.includes(name)) continue;
    returned.push(name, Array.isArray(value) ? value.join(', ') : value);
  }
  return returned;
}

/** What belongs to the connection besides, by its own word. */
function toConnectionNames({ connection }: IncomingHttpHeaders): readonly string[] {
  return typeof connection === 'string' ? connection.toLowerCase().split(',').map((name) => name.trim()) : [];
}
