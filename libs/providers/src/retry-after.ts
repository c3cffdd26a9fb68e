/** A wait longer than this is not believed: nobody parks a key for a year on a server's word. */
const LONGEST_MS = 24 * 60 * 60 * 1000;

/**
 * How long an answer asks to wait, in milliseconds: `retry-after-ms` (OpenAI, Azure) before
 * `retry-after` (RFC 9110 §10.2.3: seconds or a date). Null when it says nothing usable.
 */
export function parseRetryAfter(
  headers: Readonly<Record<string, string | string[] | undefined>>,
  nowMs: number,
): number | null {
  const exact = toWait(Number(first(headers['retry-after-ms']) ?? Number.NaN));
  if (exact !== null) return exact;
  const text = first(headers['retry-after']);
  if (text === undefined || text.trim() === '') return null;
  const seconds = Number(text);
  return toWait(Number.isNaN(seconds) ? Date.parse(text) - nowMs : seconds * 1000);
}

function toWait(ms: number): number | null {
  if (!Number.isFinite(ms)) return null;
  return Math.min(Math.max(Math.ceil(ms), 0), LONGEST_MS);
}

function first(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
