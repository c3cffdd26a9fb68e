import { type Admission, type LimitState, type WindowLimit } from './meter-store';

/** Of the windows of that unit, the one with the smallest share left; the first of equals. */
export function findTightest(states: readonly LimitState[], unit: WindowLimit['unit']): LimitState | null {
  let tightest: LimitState | null = null;
  for (const state of states) {
    if (state.limit.kind !== 'window' || state.limit.unit !== unit) continue;
    // Multiplied crosswise, so that nothing is divided: a/b < c/d.
    if (tightest === null || state.remaining * tightest.limit.limit < tightest.remaining * state.limit.limit) tightest = state;
  }
  return tightest;
}

/**
 * Adds OpenAI's headers about requests and about tokens, as names and values in turn: each for the
 * tightest window of its unit, or for the one that refused, if one did. A concurrency limit or a budget
 * is in no header. Adds nothing without windows.
 */
export function pushRateLimitHeaders(headers: string[], admission: Admission): void {
  const requests = findShown(admission, 'requests');
  if (requests !== null) {
    headers.push(
      'x-ratelimit-limit-requests',
      String(requests.limit.limit),
      'x-ratelimit-remaining-requests',
      String(requests.remaining),
      'x-ratelimit-reset-requests',
      toOpenAiDuration(requests.resetMs),
    );
  }
  const tokens = findShown(admission, 'tokens');
  if (tokens !== null) {
    headers.push(
      'x-ratelimit-limit-tokens',
      String(tokens.limit.limit),
      'x-ratelimit-remaining-tokens',
      String(tokens.remaining),
      'x-ratelimit-reset-tokens',
      toOpenAiDuration(tokens.resetMs),
    );
  }
}

function findShown(admission: Admission, unit: WindowLimit['unit']): LimitState | null {
  if (!admission.admitted && admission.refused.limit.kind === 'window' && admission.refused.limit.unit === unit) return admission.refused;
  return findTightest(admission.states, unit);
}

/** Whole seconds up to two hours: every text that a minute window ever needs, and few of the day's. */
const CACHED_SECONDS = 7_200;
const secondTexts: (string | undefined)[] = new Array<string | undefined>(CACHED_SECONDS).fill(undefined);

/**
 * A duration as OpenAI writes it: `120ms`, `7s`, `6m0s`, `24h24m0s`. From a second on rounded up to
 * whole seconds: who waits for so long is never early, and the texts repeat.
 */
export function toOpenAiDuration(durationMs: number): string {
  if (!Number.isFinite(durationMs)) return '0s';
  const wholeMs = Math.max(0, Math.ceil(durationMs));
  if (wholeMs < 1000) return wholeMs === 0 ? '0s' : `${wholeMs}ms`;
  const seconds = Math.ceil(wholeMs / 1000);
  if (seconds >= CACHED_SECONDS) return writeSeconds(seconds);
  return (secondTexts[seconds] ??= writeSeconds(seconds));
}

function writeSeconds(seconds: number): string {
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const rest = `${seconds % 60}s`;
  if (hours > 0) return `${hours}h${minutes}m${rest}`;
  return minutes > 0 ? `${minutes}m${rest}` : rest;
}
