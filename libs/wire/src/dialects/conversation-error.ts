import { type WeirError } from '@weir/kernel';
import { type ConversationError, type ErrorKind } from './conversation';

/** One of Weir's own errors, for a caller of any dialect. */
export function toConversationError(error: WeirError): ConversationError {
  return { kind: error.code === 'budget_exceeded' ? 'quota' : toErrorKind(error.status), message: error.message, code: error.code, param: error.param };
}

/** What an HTTP status says, whatever the dialect of its body. */
export function toErrorKind(status: number): ErrorKind {
  switch (status) {
    case 401:
      return 'authentication';
    case 402:
      return 'quota';
    case 403:
      return 'permission';
    case 404:
      return 'not_found';
    case 408:
    case 504:
      return 'timeout';
    case 409:
      return 'conflict';
    case 413:
      return 'too_large';
    case 429:
      return 'rate_limit';
    case 503:
    case 529:
      return 'overloaded';
    default:
      return status >= 400 && status < 500 ? 'invalid_request' : 'server';
  }
}

/** A stream that cannot be understood, or that ended before its time. Detail is for logs, so it is not in here. */
export function toBrokenStream(): ConversationError {
  return { kind: 'server', message: 'The upstream failed to answer properly.', code: 'upstream_error', param: null };
}
