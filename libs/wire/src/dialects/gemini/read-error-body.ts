import { isJsonObject } from '../json-object';

/** What an error answer of Google's says. Null: it does not say. */
export interface GeminiErrorBody {
  readonly code: number | null;
  /** In Google's words; not cut. */
  readonly message: string | null;
  /** `INVALID_ARGUMENT`, `RESOURCE_EXHAUSTED`, … */
  readonly status: string | null;
  /** Of ErrorInfo: `API_KEY_INVALID`, `SERVICE_DISABLED`, … */
  readonly reason: string | null;
  /** The first field that BadRequest names. */
  readonly field: string | null;
  /** How long to wait, of RetryInfo, in milliseconds. */
  readonly retryDelayMs: number | null;
  /** Which quota is used up, of QuotaFailure: the longest period where several are. */
  readonly quotaPeriod: 'day' | 'minute' | 'other' | null;
  /** `GenerateRequestsPerDayPerProjectPerModel-FreeTier`, … */
  readonly quotaIds: readonly string[];
}

const NOTHING: GeminiErrorBody = { code: null, message: null, status: null, reason: null, field: null, retryDelayMs: null, quotaPeriod: null, quotaIds: [] };

/**
 * Understands the body of an error answer: `{error: {code, message, status, details}}`, or a list with
 * that in it, as a stream without `alt=sse` has. The body may be cut, empty or not JSON.
 */
export function readGeminiErrorBody(body: Buffer): GeminiErrorBody {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString('utf8'));
  } catch {
    return NOTHING;
  }
  const holder: unknown = Array.isArray(parsed) ? parsed[0] : parsed;
  return isJsonObject(holder) && isJsonObject(holder.error) ? readError(holder.error) : NOTHING;
}

function readError(error: Readonly<Record<string, unknown>>): GeminiErrorBody {
  const details = toObjects(error.details);
  const detailOf = (type: string): Readonly<Record<string, unknown>> | undefined =>
    details.find((detail) => typeof detail['@type'] === 'string' && detail['@type'].endsWith(`google.rpc.${type}`));
  const violations = toObjects(detailOf('QuotaFailure')?.violations);
  const quotaNames = violations.flatMap(({ quotaId, quotaMetric, subject }) => toText(quotaId) ?? toText(quotaMetric) ?? toText(subject) ?? []);
  return {
    code: typeof error.code === 'number' ? error.code : null,
    message: toText(error.message),
    status: toText(error.status),
    reason: toText(detailOf('ErrorInfo')?.reason),
    field: toText(toObjects(detailOf('BadRequest')?.fieldViolations)[0]?.field),
    retryDelayMs: parseDuration(detailOf('RetryInfo')?.retryDelay),
    quotaPeriod: toPeriod(quotaNames),
    quotaIds: quotaNames,
  };
}

/** `34.07s`: a duration as Protocol Buffers write it in JSON. */
function parseDuration(duration: unknown): number | null {
  const match = typeof duration === 'string' ? /^(\d{1,9}(?:\.\d{1,9})?)s$/.exec(duration) : null;
  return match === null ? null : Math.ceil(Number(match[1]) * 1000);
}

function toPeriod(names: readonly string[]): GeminiErrorBody['quotaPeriod'] {
  if (names.length === 0) return null;
  if (names.some((name) => /per_?day/i.test(name))) return 'day';
  return names.some((name) => /per_?minute/i.test(name)) ? 'minute' : 'other';
}

function toObjects(list: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(list) ? list.filter(isJsonObject) : [];
}

function toText(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
