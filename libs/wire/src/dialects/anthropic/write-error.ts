import { type ConversationError, type ErrorKind } from '../conversation';

const TYPES: Readonly<Record<ErrorKind, string>> = {
  invalid_request: 'invalid_request_error',
  authentication: 'authentication_error',
  permission: 'permission_error',
  not_found: 'not_found_error',
  conflict: 'conflict_error',
  too_large: 'request_too_large',
  rate_limit: 'rate_limit_error',
  // A budget that is spent is a 429 here; Anthropic's SDKs go by the status.
  quota: 'rate_limit_error',
  overloaded: 'overloaded_error',
  timeout: 'timeout_error',
  server: 'api_error',
};

/** An error as the body of an answer to a caller that speaks Anthropic's dialect, as JSON text. */
export function writeAnthropicError({ kind, message }: ConversationError, requestId: string | null): string {
  return JSON.stringify({ type: 'error', error: { type: TYPES[kind], message }, request_id: requestId });
}

/** An error as the last event of a stream that had begun. */
export function writeAnthropicErrorEvent(error: ConversationError, requestId: string | null): string {
  return `event: error\ndata: ${writeAnthropicError(error, requestId)}\n\n`;
}

/** Reads the `type` of an error of Anthropic's. */
export function readAnthropicErrorKind(type: string | null): ErrorKind {
  switch (type) {
    case 'billing_error':
      return 'quota';
    case null:
      return 'server';
    default: {
      const known = ERROR_KINDS.find((kind) => TYPES[kind] === type);
      return known ?? 'server';
    }
  }
}

const ERROR_KINDS: readonly ErrorKind[] = [
  'invalid_request', 'authentication', 'permission', 'not_found', 'conflict', 'too_large', 'rate_limit', 'overloaded', 'timeout', 'server',
];
