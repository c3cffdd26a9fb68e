import { type Admission, type WindowState } from './admission';

export interface RateLimitHeaders {
  readonly 'x-ratelimit-limit-requests': string;
  readonly 'x-ratelimit-remaining-requests': string;
  readonly 'x-ratelimit-reset-requests': string;
}

/** Of the windows, the one with the smallest share left; the first of equals. */
export function findTightest(windows: readonly WindowState[]): WindowState | null {
  let tightest: WindowState | null = null;
  for (const state of windows) {
    // Multiplied crosswise, so that nothing is divided: a/b < c/d.
    if (tightest === null || state.remaining * tightest.window.limit < tightest.remaining * state.window.limit) tightest = state;
  }
  return tightest;
}

/** OpenAI's headers about requests, for the tightest window (the one that refused, if one did); null without limits. */
export function toRateLimitHeaders(admission: Admission): RateLimitHeaders | null {
  const state = admission.admitted ? findTightest(admission.windows) : admission.refused;
  if (state === null) return null;
  return {
    'x-ratelimit-limit-requests': String(state.window.limit),
    'x-ratelimit-remaining-requests': String(state.remaining),
    'x-ratelimit-reset-requests': toOpenAiDuration(state.resetMs),
  };
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
