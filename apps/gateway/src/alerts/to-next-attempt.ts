const FIRST_DELAY_MS = 5_000;
const LARGEST_DELAY_MS = 3_600_000;
const GIVE_UP_AFTER_MS = 24 * 3_600_000;

/**
 * How long to wait after an attempt that failed: 5 s, twice that each time, at most an hour, and of
 * that a random half, so that receivers that were down do not get everything at once. Null when the
 * next attempt would be more than a day after the first: then it is given up.
 * @param attempts that failed so far, at least 1
 * @param random from 0 to 1
 */
export function toNextAttemptMs(attempts: number, ageMs: number, random: number): number | null {
  const most = Math.min(FIRST_DELAY_MS * 2 ** Math.min(attempts - 1, 30), LARGEST_DELAY_MS);
  const delayMs = Math.round(most / 2 + (most / 2) * random);
  return ageMs + delayMs > GIVE_UP_AFTER_MS ? null : delayMs;
}
