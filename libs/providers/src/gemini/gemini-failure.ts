import { type GeminiErrorBody, readGeminiErrorBody } from '@weir/wire';
import { toShownMessage } from '../parse-error-json';
import { type FailureClass, type ProviderFailure } from '../provider';
import { parseRefusalWait, toWaitMs } from '../retry-after';
import { toCallerStatus } from '../to-caller-status';
import { untilPacificMidnightMs } from './pacific-midnight';

/**
 * Understands an error of Google's (https://ai.google.dev/gemini-api/docs/troubleshooting).
 *
 * A refusal is about the key only where its reason or its first words say so: a caller may also be
 * refused a file or a tuned model that is another's, with the same PERMISSION_DENIED.
 */
export function readGeminiFailure(
  status: number,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  body: Buffer,
  nowMs: number,
): ProviderFailure {
  const error = readGeminiErrorBody(body);
  const failureClass = toFailureClass(status, error);
  const waits = [toWaitMs(error.retryDelayMs ?? Number.NaN), parseRefusalWait(status, headers, nowMs), toDailyWait(error, nowMs)].filter((wait) => wait !== null);
  return {
    failureClass,
    status: toCallerStatus(failureClass, status),
    retryAfterMs: waits.length === 0 ? null : Math.max(...waits),
    message: hideKeys(toShownMessage(error.message, status)),
    type: error.status,
    param: error.field,
    code: error.reason ?? (status === 404 && /^models\//.test(error.message ?? '') ? 'model_not_found' : null),
    innerErrorJson: null,
  };
}

/** Reasons of domain googleapis.com by which a key, its project or its restrictions are refused for good. */
const BAD_KEY_REASONS = new Set([
  'API_KEY_INVALID',
  'API_KEY_EXPIRED',
  'API_KEY_SERVICE_BLOCKED',
  'API_KEY_HTTP_REFERRER_BLOCKED',
  'API_KEY_IP_ADDRESS_BLOCKED',
  'API_KEY_ANDROID_APP_BLOCKED',
  'API_KEY_IOS_APP_BLOCKED',
  'SERVICE_DISABLED',
  'CONSUMER_SUSPENDED',
  'CONSUMER_INVALID',
  'USER_PROJECT_DENIED',
  'USER_BLOCKED_BY_ADMIN',
  'ACCOUNT_STATE_INVALID',
  'ACCESS_TOKEN_EXPIRED',
  'ACCESS_TOKEN_TYPE_UNSUPPORTED',
  'CREDENTIALS_MISSING',
]);
const BAD_KEY_MESSAGE =
  /^(?:API key (?:not valid|expired|not found)|Your API key was reported as leaked|Your project has been denied access|Permission denied: Consumer |Method doesn't allow unregistered callers)/;
/** No credit, no billing, or the project's own cap: nothing that waiting a minute would change. */
const QUOTA_MESSAGE =
  /^(?:Your prepayment credits are depleted|Your (?:project|billing account) has (?:exceeded|reached) its (?:monthly )?spend|Gemini API free tier is not available|This API method requires billing)/;
/** The gateway's own address, not the caller's. It is sometimes judged wrongly, and comes back by itself. */
const LOCATION_MESSAGE = /^User location is not supported/;

function toFailureClass(status: number, error: GeminiErrorBody): FailureClass {
  const { reason } = error;
  const message = error.message ?? '';
  if (status === 402 || reason === 'BILLING_DISABLED' || QUOTA_MESSAGE.test(message)) return 'quota_exhausted';
  if (status === 401 || (reason !== null && BAD_KEY_REASONS.has(reason)) || BAD_KEY_MESSAGE.test(message)) return 'bad_key';
  if (status === 429) return isWholeDayGone(error) ? 'quota_exhausted' : 'throttled';
  if (LOCATION_MESSAGE.test(message)) return 'fault';
  // 499: the work was cancelled there, as nobody here did.
  if (status < 400 || status >= 499 || status === 408 || error.status === 'ABORTED') return 'fault';
  return 'caller';
}

const PER_DAY = /per_?day/i;
const PER_MODEL = /per_?(?:base_?)?model/i;

/**
 * A day's quota of all models parks the key. Most are of one model each (and 0 for models that a free
 * key may not use): those cool the key for that model alone, or one caller's wish for such a model
 * would take the others from everybody.
 */
function isWholeDayGone({ quotaIds }: GeminiErrorBody): boolean {
  return quotaIds.some((id) => PER_DAY.test(id) && !PER_MODEL.test(id));
}

/** A day's quota begins anew at midnight Pacific time; the RetryInfo beside it speaks of the minute's. */
function toDailyWait({ quotaPeriod }: GeminiErrorBody, nowMs: number): number | null {
  return quotaPeriod === 'day' ? toWaitMs(untilPacificMidnightMs(nowMs)) : null;
}

/** Google names a suspended key in full: "Consumer 'api_key:AIza…' has been suspended." */
function hideKeys(message: string): string {
  return message.replace(/api_key:[^\s'\"]+/g, 'api_key:…').replace(/\b(?:AIza|AQ\.)[\w-]{20,}/g, '…');
}
