import { isRecord, parseErrorJson, toShownMessage, toText } from '../parse-error-json';
import { type FailureClass, type ProviderFailure } from '../provider';
import { parseRefusalWait, toWaitMs } from '../retry-after';
import { toCallerStatus } from '../to-caller-status';

interface ErrorFields {
  readonly type: string | null;
  /** `error.details.error_code`: finer than the type, where there is one. */
  readonly code: string | null;
  readonly message: string;
}

/**
 * Understands an error of Anthropic's (https://platform.claude.com/docs/en/api/errors):
 * `{type: "error", error: {type, message, details?: {error_code}}, request_id}`.
 *
 * Messages are looked at where a type means several things, and only from their first word on:
 * what a caller wrote may be quoted further behind, and nobody may park a key by writing to it.
 */
export function readAnthropicFailure(
  status: number,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  body: Buffer,
  nowMs: number,
): ProviderFailure {
  const fields = parseErrorFields(body, status);
  const failureClass = toFailureClass(status, fields);
  return {
    failureClass,
    status: toCallerStatus(failureClass, status),
    retryAfterMs: parseRefusalWait(status, headers, nowMs) ?? (failureClass === 'quota_exhausted' ? parseRegainedAccess(fields.message, nowMs) : null),
    message: fields.message,
    type: fields.type,
    param: null,
    code: fields.code ?? (isMissingModel(status, fields) ? 'model_not_found' : null),
    innerErrorJson: null,
  };
}

/** Spend limits under a 429, for which waiting does not help as it does for a rate. */
const QUOTA_CODES = new Set(['contract_spend_limit_reached', 'enforced_spend_limit_reached']);
/** The key's organization or its maker is barred: a person must act. */
const BAD_KEY_CODES = new Set(['organization_on_hold', 'claude_code_key_creator_not_member']);
/** The key's workspace has lost its own encryption key for now. Another workspace's key may serve. */
const FAULT_CODES = new Set(['cmek_key_disabled', 'cmek_key_network_blocked', 'cmek_context_unavailable', 'cmek_key_unreachable']);
/** About the user profile that the caller named, which may be billed by itself: no word about the key. */
const CALLER_CODES = /^(?:linked_organization_|user_profile_)/;

/** No credit left, or a limit that the organization set itself: both come as 400 invalid_request_error. */
const QUOTA_MESSAGE = /^(?:Your credit balance is too low|You have reached your specified (?:workspace )?API usage limits)/;
const BAD_KEY_MESSAGE =
  /^(?:OAuth authentication is currently not (?:allowed|supported)|(?:This|Your|The) (?:API key|organization|account|workspace)\b[^.:]* (?:disabled|suspended|revoked|deactivated|expired))/i;
/** A plan without long contexts; under 429, though no wait changes it. */
const LONG_CONTEXT_MESSAGE = /^Extra usage is required for long context/;

function toFailureClass(status: number, { type, code, message }: ErrorFields): FailureClass {
  if (code !== null && CALLER_CODES.test(code)) return 'caller';
  if (code !== null && QUOTA_CODES.has(code)) return 'quota_exhausted';
  if (code !== null && BAD_KEY_CODES.has(code)) return 'bad_key';
  if (code !== null && FAULT_CODES.has(code)) return 'fault';
  if (status === 402 || type === 'billing_error') return 'quota_exhausted';
  if (status === 401 || type === 'authentication_error') return 'bad_key';
  if (status < 400 || status >= 500 || status === 408) return 'fault';
  switch (status) {
    case 429:
      return LONG_CONTEXT_MESSAGE.test(message) ? 'caller' : 'throttled';
    case 400:
    case 403:
      if (QUOTA_MESSAGE.test(message)) return 'quota_exhausted';
      if (BAD_KEY_MESSAGE.test(message)) return 'bad_key';
      // Anthropic's front door does not let this address in ("Request not allowed"): nothing of the caller's doing.
      return type === 'forbidden' ? 'fault' : 'caller';
    default:
      return 'caller';
  }
}

function parseErrorFields(body: Buffer, status: number): ErrorFields {
  const error = parseErrorJson(body)?.error;
  if (!isRecord(error)) return { type: null, code: null, message: toShownMessage(error, status) };
  return {
    type: toText(error.type),
    code: isRecord(error.details) ? toText(error.details.error_code) : null,
    message: toShownMessage(error.message, status),
  };
}

/** `model: claude-none` is the whole message of a 404 for a model. */
function isMissingModel(status: number, { type, message }: ErrorFields): boolean {
  return status === 404 && type === 'not_found_error' && /^model\b/i.test(message);
}

/** "You will regain access on 2026-12-01 at 00:00 UTC." */
function parseRegainedAccess(message: string, nowMs: number): number | null {
  const match = /regain access on (\d{4}-\d\d-\d\d) at (\d\d:\d\d) UTC/.exec(message);
  return match === null ? null : toWaitMs(Date.parse(`${match[1]}T${match[2]}:00Z`) - nowMs);
}
