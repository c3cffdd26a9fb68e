/** What an error code means for a caller: the status, the safe message and whether waiting helps. */
export interface ErrorRow {
  readonly status: number;
  /** Shown to callers when the place that raised the error gave no message of its own. */
  readonly message: string;
  /** OpenAI's `error.type`. */
  readonly type: string;
  /** False sends `x-should-retry: false`, which stops the official SDKs from trying again. */
  readonly retryHelps: boolean;
}

const invalid = 'invalid_request_error';

/** The one table of error codes. Detail that is not safe for a caller goes to the log instead. */
export const ERROR_TABLE = {
  invalid_request: { status: 400, message: 'The request is not valid.', type: invalid, retryHelps: false },
  invalid_json: { status: 400, message: 'The body is not valid JSON.', type: invalid, retryHelps: false },
  invalid_api_key: { status: 401, message: 'The API key is not valid.', type: invalid, retryHelps: false },
  key_expired: { status: 401, message: 'The API key has expired.', type: invalid, retryHelps: false },
  permission_denied: { status: 403, message: 'This key may not do that.', type: invalid, retryHelps: false },
  model_not_allowed: { status: 403, message: 'This key may not use that model.', type: invalid, retryHelps: false },
  model_not_priced: { status: 403, message: 'This model has no price, and a budget applies.', type: invalid, retryHelps: false },
  model_not_found: { status: 404, message: 'There is no such model.', type: invalid, retryHelps: false },
  not_found: { status: 404, message: 'There is nothing at this address.', type: invalid, retryHelps: false },
  method_not_allowed: { status: 405, message: 'This address does not take that method.', type: invalid, retryHelps: false },
  request_timeout: { status: 408, message: 'The request body took too long to arrive.', type: invalid, retryHelps: true },
  conflict: { status: 409, message: 'The object is in a state that does not allow this.', type: invalid, retryHelps: false },
  body_too_large: { status: 413, message: 'The body is larger than this server takes.', type: invalid, retryHelps: false },
  idempotency_conflict: { status: 409, message: 'A request with this Idempotency-Key is still running.', type: invalid, retryHelps: true },
  idempotency_mismatch: { status: 422, message: 'This Idempotency-Key was used with another request.', type: invalid, retryHelps: false },
  unsupported_media_type: { status: 415, message: 'This address takes application/json.', type: invalid, retryHelps: false },
  rate_limit_exceeded: { status: 429, message: 'A rate limit is reached.', type: 'requests', retryHelps: true },
  budget_exceeded: { status: 429, message: 'A budget is spent.', type: 'insufficient_quota', retryHelps: false },
  expectation_failed: { status: 417, message: 'This server meets no such expectation.', type: invalid, retryHelps: false },
  headers_too_large: { status: 431, message: 'The headers are larger than this server takes.', type: invalid, retryHelps: false },
  client_closed_request: { status: 499, message: 'The caller went away.', type: invalid, retryHelps: false },
  internal_error: { status: 500, message: 'Something went wrong in the gateway.', type: 'server_error', retryHelps: true },
  upstream_error: { status: 502, message: 'The upstream failed to answer properly.', type: 'server_error', retryHelps: true },
  no_upstream_available: { status: 503, message: 'No upstream can take this request now.', type: 'server_error', retryHelps: true },
  limits_unavailable: { status: 503, message: 'Limits cannot be checked now.', type: 'server_error', retryHelps: true },
  ledger_unavailable: { status: 503, message: 'Usage cannot be recorded now.', type: 'server_error', retryHelps: true },
  database_unavailable: { status: 503, message: 'The database cannot be reached now.', type: 'server_error', retryHelps: true },
  upstream_timeout: { status: 504, message: 'The upstream took too long to answer.', type: 'server_error', retryHelps: true },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERROR_TABLE;
