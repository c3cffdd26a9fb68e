import { type ConversationError, type ErrorKind } from '../conversation';
import { toErrorKind } from '../conversation-error';

/** Google's status names (google.rpc.Code) and their HTTP statuses. */
const STATUSES: Readonly<Record<ErrorKind, readonly [code: number, status: string]>> = {
  invalid_request: [400, 'INVALID_ARGUMENT'],
  authentication: [401, 'UNAUTHENTICATED'],
  permission: [403, 'PERMISSION_DENIED'],
  not_found: [404, 'NOT_FOUND'],
  conflict: [409, 'ABORTED'],
  too_large: [413, 'INVALID_ARGUMENT'],
  rate_limit: [429, 'RESOURCE_EXHAUSTED'],
  quota: [429, 'RESOURCE_EXHAUSTED'],
  overloaded: [503, 'UNAVAILABLE'],
  timeout: [504, 'DEADLINE_EXCEEDED'],
  server: [500, 'INTERNAL'],
};

export interface GeminiErrorOptions {
  /** The HTTP status of the answer: clients go by `code`, and it should be the same. Default: by the kind. */
  readonly httpStatus?: number;
  /** When to try again, in milliseconds. */
  readonly retryAfterMs?: number | null;
}

/** An error as the body of an answer to a caller that speaks Gemini's dialect, as JSON text. */
export function writeGeminiError(error: ConversationError, options: GeminiErrorOptions = {}): string {
  const [code, status] = STATUSES[error.kind];
  const details = toDetails(error, options.retryAfterMs ?? null);
  return JSON.stringify({ error: { code: options.httpStatus ?? code, message: error.message, status, ...(details.length === 0 ? {} : { details }) } });
}

/** An error as the last event of a stream that had begun. */
export function writeGeminiErrorEvent(error: ConversationError): string {
  return `data: ${writeGeminiError(error)}\n\n`;
}

function toDetails({ code, message, param }: ConversationError, retryAfterMs: number | null): object[] {
  const details: object[] = [];
  if (code !== null) details.push({ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: code.toUpperCase(), domain: 'weir' });
  if (param !== null) details.push({ '@type': 'type.googleapis.com/google.rpc.BadRequest', fieldViolations: [{ field: param, description: message }] });
  if (retryAfterMs !== null) details.push({ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: `${retryAfterMs / 1000}s` });
  return details;
}

/** What an error of Google's says, by the name of its status, else by its code. */
export function readGeminiErrorKind(status: string | null, code: number | null): ErrorKind {
  switch (status) {
    case 'INVALID_ARGUMENT':
    case 'FAILED_PRECONDITION':
    case 'OUT_OF_RANGE':
      return 'invalid_request';
    case 'UNAUTHENTICATED':
      return 'authentication';
    case 'PERMISSION_DENIED':
      return 'permission';
    case 'NOT_FOUND':
      return 'not_found';
    case 'ABORTED':
    case 'ALREADY_EXISTS':
      return 'conflict';
    case 'RESOURCE_EXHAUSTED':
      return 'rate_limit';
    case 'UNAVAILABLE':
      return 'overloaded';
    case 'DEADLINE_EXCEEDED':
      return 'timeout';
    default:
      return toErrorKind(code ?? 500);
  }
}
