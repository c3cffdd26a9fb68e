import { type FailureClass, type ProviderFailure } from '../provider';
import { parseRetryAfter } from '../retry-after';

/** What OpenAI-shaped error bodies say, whatever their exact form. */
interface ErrorFields {
  message: string;
  type: string | null;
  param: string | null;
  code: string | null;
  innerErrorJson: string | null;
}

/** Codes and types by which OpenAI, Azure and their imitators say that there is no money left. */
const QUOTA = new Set([
  'insufficient_quota',
  'billing_hard_limit_reached',
  'billing_not_active',
  'credit_balance_exhausted',
  'organization_usage_limit_exceeded',
  'insufficient_balance',
]);
const SPEND_LIMIT = /_spend_limit_exceeded$/;

const BAD_KEY = new Set(['invalid_api_key', 'account_deactivated', 'api_key_revoked', 'api_key_expired']);

/** Provider messages are shown to callers: long ones are cut. */
const MAX_MESSAGE_CHARACTERS = 2000;
const MAX_INNER_ERROR_CHARACTERS = 8000;

/**
 * Understands an error answer in OpenAI's shape (https://platform.openai.com/docs/guides/error-codes),
 * in Azure's (a numeric string as code, no type, no param, `innererror`) and in those of compatible
 * servers (numeric codes, a bare string, `detail`, HTML).
 */
export function readOpenAiFailure(
  status: number,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  body: Buffer,
  nowMs: number,
): ProviderFailure {
  const fields = parseErrorFields(body, status);
  return {
    ...fields,
    status,
    failureClass: toFailureClass(status, fields),
    retryAfterMs: parseRetryAfter(headers, nowMs),
  };
}

function toFailureClass(status: number, { code, type }: ErrorFields): FailureClass {
  if (status === 402 || isQuota(code) || isQuota(type)) return 'quota_exhausted';
  if (status === 401 || (code !== null && BAD_KEY.has(code))) return 'bad_key';
  if (status === 429) return 'throttled';
  // 408, 409 and 425 are the server's own troubles with a request that may be sent again.
  if (status < 400 || status >= 500 || status === 408 || status === 409 || status === 425) return 'fault';
  return 'caller';
}

function isQuota(word: string | null): boolean {
  return word !== null && (QUOTA.has(word) || SPEND_LIMIT.test(word));
}

function parseErrorFields(body: Buffer, status: number): ErrorFields {
  const nothing: ErrorFields = { message: `The upstream answered ${status}.`, type: null, param: null, code: null, innerErrorJson: null };
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString('utf8'));
  } catch {
    return nothing;
  }
  if (!isRecord(parsed)) return nothing;
  const error = parsed.error ?? parsed.detail ?? parsed;
  if (typeof error === 'string') return { ...nothing, message: cut(error), type: toText(parsed.error_type) };
  if (!isRecord(error)) return nothing;
  const message = toText(error.message);
  return {
    message: message === null ? nothing.message : cut(message),
    type: toText(error.type),
    param: toText(error.param),
    code: toText(error.code),
    innerErrorJson: toInnerError(error.innererror),
  };
}

/** Passed on whole or not at all: half a text is no JSON. */
function toInnerError(innerError: unknown): string | null {
  if (!isRecord(innerError)) return null;
  const json = JSON.stringify(innerError);
  return json.length <= MAX_INNER_ERROR_CHARACTERS ? json : null;
}

function cut(text: string): string {
  return text.length > MAX_MESSAGE_CHARACTERS ? `${text.slice(0, MAX_MESSAGE_CHARACTERS)}…` : text;
}

function toText(value: unknown): string | null {
  if (typeof value === 'string') return value === '' ? null : value;
  return typeof value === 'number' ? String(value) : null;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
