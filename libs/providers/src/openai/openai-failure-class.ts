import { type FailureClass } from '../provider';

/** Codes and types by which OpenAI, Azure and their imitators say that there is no money left. */
const QUOTA = new Set([
  'insufficient_quota',
  'billing_hard_limit_reached',
  'billing_not_active',
  'credit_balance_exhausted',
  'organization_usage_limit_exceeded',
  // DeepSeek and others
  'insufficient_balance',
  // Moonshot
  'exceeded_current_quota_error',
  // Together
  'credit_limit',
  // Groq: its spend limit
  'blocked_api_access',
  // Alibaba
  'Arrearage',
  'AllocationQuota.FreeTierOnly',
  'PrepaidBillOverdue',
  'PostpaidBillOverdue',
  // Zhipu, SiliconFlow
  '1113',
  '30001',
]);
const SPEND_LIMIT = /_spend_limit_exceeded$/;

/** The same in words only, from the first word on: what a caller wrote may be quoted further behind. */
const QUOTA_MESSAGE =
  // xAI; xAI; OpenRouter; Fireworks (412); Cohere; Azure's older services
  /^(?:Your team \S+ has either used all available credits|Your newly created team doesn't have any credits|Key limit exceeded|Account \S+ is suspended, possibly due to reaching the monthly spending limit|You are using a Trial key, which is limited to \d+ API calls \/ month|Out of call volume quota)/;

const BAD_KEY = new Set([
  'invalid_api_key',
  'account_deactivated',
  'api_key_revoked',
  'api_key_expired',
  'wrong_api_key',
  'organization_restricted',
  // Azure: keys are switched off for the resource
  'AuthenticationTypeDisabled',
]);
/** Under 400 (xAI) and 403 (Fireworks). */
const BAD_KEY_MESSAGE = /^(?:Incorrect API key provided|unauthorized$)/i;

/**
 * What the caller asked for, under a status that says otherwise:
 * - `missing_scope` (401): the key may not do this kind of work, but does others
 * - llama.cpp's `exceed_context_size_error` (500 in some builds)
 */
const CALLER = new Set(['missing_scope', 'exceed_context_size_error']);
const CALLER_MESSAGE = /^(?:You have insufficient permissions for this operation|Context size has been exceeded)/;

/** The gateway's own address is not welcome: nothing of the caller's doing, and no word about the key. */
const FAULT = new Set(['unsupported_country_region_territory']);
const FAULT_MESSAGE = /^Access denied due to Virtual Network\/Firewall rules/;

/** Alibaba calls its limit of tokens a minute `insufficient_quota`, and tells by the link that it is one. */
const RATE_MESSAGE = /error-code#token-limit/;

/** @param error what an OpenAI-shaped body says, in whatever form */
export function toOpenAiFailureClass(
  status: number,
  { code, type, message }: { readonly code: string | null; readonly type: string | null; readonly message: string },
): FailureClass {
  const isOneOf = (words: ReadonlySet<string>): boolean => (code !== null && words.has(code)) || (type !== null && words.has(type));
  if (isOneOf(CALLER) || CALLER_MESSAGE.test(message)) return 'caller';
  if (status === 429 && RATE_MESSAGE.test(message)) return 'throttled';
  if (status === 402 || isOneOf(QUOTA) || SPEND_LIMIT.test(code ?? '') || SPEND_LIMIT.test(type ?? '') || QUOTA_MESSAGE.test(message)) return 'quota_exhausted';
  if (status === 401 || isOneOf(BAD_KEY) || ((status === 400 || status === 403) && BAD_KEY_MESSAGE.test(message))) return 'bad_key';
  if (status === 429) return 'throttled';
  if (isOneOf(FAULT) || FAULT_MESSAGE.test(message)) return 'fault';
  return isServerStatus(status) ? 'fault' : 'caller';
}

/** 408, 409, 424 (a model server's own backend) and 425 are the server's troubles with a request that may be sent again. */
function isServerStatus(status: number): boolean {
  return status < 400 || status >= 500 || status === 408 || status === 409 || status === 424 || status === 425;
}
