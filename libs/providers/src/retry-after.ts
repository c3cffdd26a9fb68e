/** A wait longer than this is not believed: nobody parks a key for a year on a server's word. */
const LONGEST_MS = 24 * 60 * 60 * 1000;

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/**
 * How long an answer asks to wait, in milliseconds: `retry-after-ms` (OpenAI, Azure) before
 * `retry-after` (RFC 9110 §10.2.3: seconds or a date). Null when it says nothing usable.
 */
export function parseRetryAfter(headers: Headers, nowMs: number): number | null {
  const exact = toWaitMs(Number(first(headers['retry-after-ms']) ?? Number.NaN));
  if (exact !== null) return exact;
  const text = first(headers['retry-after']);
  if (text === undefined || text.trim() === '') return null;
  const seconds = Number(text);
  return toWaitMs(Number.isNaN(seconds) ? Date.parse(text) - nowMs : seconds * 1000);
}

/**
 * As above for a refusal: where a 429 names no time, until the latest reset among the rate limits of
 * which its headers say that nothing remains. The limits that are not used up say nothing about it.
 */
export function parseRefusalWait(status: number, headers: Headers, nowMs: number): number | null {
  const named = parseRetryAfter(headers, nowMs);
  if (named !== null || status !== 429) return named;
  const waits: number[] = [];
  for (const [remaining, reset] of LIMIT_HEADERS) {
    if (Number(first(headers[remaining]) ?? Number.NaN) !== 0) continue;
    const wait = toWaitMs(parseReset(first(headers[reset]) ?? '', nowMs));
    if (wait !== null) waits.push(wait);
  }
  return waits.length === 0 ? null : Math.max(...waits);
}

/** A wait as it is believed; null when it is no number. */
export function toWaitMs(ms: number): number | null {
  if (!Number.isFinite(ms)) return null;
  return Math.min(Math.max(Math.ceil(ms), 0), LONGEST_MS);
}

/** Anthropic's; then those of OpenAI and its imitators; then OpenRouter's; then RFC draft ones. */
const LIMIT_HEADERS: readonly (readonly [remaining: string, reset: string])[] = [
  ...['requests', 'tokens', 'input-tokens', 'output-tokens'].map(
    (name) => [`anthropic-ratelimit-${name}-remaining`, `anthropic-ratelimit-${name}-reset`] as const,
  ),
  ...['requests', 'tokens'].map((name) => [`x-ratelimit-remaining-${name}`, `x-ratelimit-reset-${name}`] as const),
  ['x-ratelimit-remaining', 'x-ratelimit-reset'],
  ['ratelimit-remaining', 'ratelimit-reset'],
];

const UNITS_MS: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const DURATION = /^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|[smhd]))+$/;
/** Numbers from here on are points in time: seconds, then milliseconds since 1970. */
const EPOCH_SECONDS = 1e9;
const EPOCH_MS = 1e12;

/** A reset as milliseconds from now: a duration (`6m0s`, `120ms`), seconds, or a point in time (number or RFC 3339). */
function parseReset(text: string, nowMs: number): number {
  const trimmed = text.trim();
  if (trimmed === '') return Number.NaN;
  const number = Number(trimmed);
  if (!Number.isNaN(number)) {
    if (number >= EPOCH_MS) return number - nowMs;
    return number >= EPOCH_SECONDS ? number * 1000 - nowMs : number * 1000;
  }
  if (!DURATION.test(trimmed)) return Date.parse(trimmed) - nowMs;
  let ms = 0;
  for (const [, amount, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|[smhd])/g)) ms += Number(amount) * UNITS_MS[unit];
  return ms;
}

function first(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
