import { type ErrorCode, type Secret, WeirError } from '@weir/kernel';
import { scrubSecrets } from '@weir/platform';
import { type PoolRefusal } from '@weir/upstreams';
import { type OpenAiError, toOpenAiError } from '@weir/wire';
import { type AttemptFailure, BUDGET_EXCEEDED, LEDGER_UNAVAILABLE } from './attempt-failure';

/** What a caller is told of a failed attempt. Only an error about its own request keeps the provider's words. */
export function toCallerError(failure: AttemptFailure, secret: Secret): OpenAiError {
  const { provider } = failure;
  if (failure.failureClass !== 'caller' || provider === null) return toOpenAiError(toWeirError(failure));
  return {
    message: scrub(provider.message, secret),
    type: scrub(provider.type ?? 'invalid_request_error', secret),
    param: provider.param === null ? null : scrub(provider.param, secret),
    code: provider.code === null ? null : scrub(provider.code, secret),
    innerErrorJson: provider.innerErrorJson === null ? null : scrubJson(provider.innerErrorJson, secret),
  };
}

/** The status that goes with `toCallerError`. */
export function toCallerStatus(failure: AttemptFailure): number {
  return failure.failureClass === 'caller' && failure.provider !== null ? failure.provider.status : toWeirError(failure).status;
}

/** A failed attempt as an error of Weir's own, in safe words. */
export function toWeirError(failure: AttemptFailure): WeirError {
  const code = toCode(failure);
  return new WeirError(code, {
    message: toMessage(failure),
    // Of one key it is not known when it works again, but a 503 says when to come back in any case.
    retryAfterMs: failure.retryAfterMs ?? (code === 'no_upstream_available' ? DEFAULT_RETRY_AFTER_MS : undefined),
    detail: failure.reason,
  });
}

/** Nothing in the pool could be called (again). */
export function toRefusalError(refusal: PoolRefusal): WeirError {
  return new WeirError('no_upstream_available', {
    message: REFUSALS[refusal.reason],
    retryAfterMs: refusal.retryAfterMs ?? DEFAULT_RETRY_AFTER_MS,
    detail: refusal.reason,
  });
}

const DEFAULT_RETRY_AFTER_MS = 30_000;

const REFUSALS: Readonly<Record<PoolRefusal['reason'], string>> = {
  disabled: 'No upstream for this model is in use at the moment.',
  throttled: "Every key for this model waits for its provider's rate limit.",
  exhausted: 'Every key for this model has used up its quota at the provider.',
  breaker_open: 'The upstreams for this model have failed repeatedly and are being left alone for a moment.',
  concurrency: 'Every upstream for this model has as many requests as it takes at once.',
  none_left: 'Every upstream for this model was tried without success.',
};

function toCode(failure: AttemptFailure): ErrorCode {
  switch (failure.failureClass) {
    case 'bad_key':
    case 'throttled':
    case 'quota_exhausted':
      return 'no_upstream_available';
    case 'aborted':
      return toOwnCode(failure.reason);
    case 'fault':
    case 'endpoint':
    case 'caller':
      return failure.isTimeout ? 'upstream_timeout' : 'upstream_error';
  }
}

function toOwnCode(reason: string): ErrorCode {
  return OWN_CODES.find((code) => code === reason) ?? 'client_closed_request';
}

/** For which Weir itself ends an attempt, or what is sent to an upstream does not come. */
const OWN_CODES: readonly ErrorCode[] = [BUDGET_EXCEEDED, LEDGER_UNAVAILABLE, 'body_too_large', 'request_timeout', 'invalid_request', 'no_upstream_available', 'database_unavailable', 'not_found'];

function toMessage(failure: AttemptFailure): string | undefined {
  switch (failure.reason) {
    case BUDGET_EXCEEDED:
      return 'The stream cost more than its budget affords, and was ended.';
    case 'ended_early':
      return 'The upstream ended its stream early.';
    case 'error_event':
      return 'The upstream ended its stream with an error.';
    case 'invalid_json':
      return 'The upstream sent something that is not JSON.';
    default:
      return undefined;
  }
}

/** Some providers repeat the key in their messages. */
function scrub(text: string, secret: Secret): string {
  const key = secret.expose();
  return scrubSecrets(key === '' ? text : text.replaceAll(key, '[secret]'));
}

/** A provider's own error, without the key that it may repeat. */
export function scrubBody(body: Buffer, secret: Secret): Buffer {
  return Buffer.from(scrub(body.toString('latin1'), secret), 'latin1');
}

/** A mark in the place of a number, or behind half an escape, leaves no JSON: then all of it is left out. */
function scrubJson(json: string, secret: Secret): string | null {
  const scrubbed = scrub(json, secret);
  if (scrubbed === json) return json;
  try {
    JSON.parse(scrubbed);
    return scrubbed;
  } catch {
    return null;
  }
}
