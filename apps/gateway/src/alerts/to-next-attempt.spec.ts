import { toNextAttemptMs } from './to-next-attempt';

const HOUR_MS = 3_600_000;

describe('toNextAttemptMs', () => {
  it('doubles from five seconds to an hour, of which a half is chance', () => {
    expect([1, 2, 3, 10, 11, 1_000].map((attempts) => toNextAttemptMs(attempts, 0, 1))).toEqual([5_000, 10_000, 20_000, 2_560_000, HOUR_MS, HOUR_MS]);
    expect([1, 11].map((attempts) => toNextAttemptMs(attempts, 0, 0))).toEqual([2_500, HOUR_MS / 2]);
  });

  it('gives up when the next attempt would be more than a day after the first', () => {
    expect(toNextAttemptMs(20, 23 * HOUR_MS, 1)).toBe(HOUR_MS);
    expect(toNextAttemptMs(20, 23 * HOUR_MS + 1, 1)).toBeNull();
  });

  it('tries about thirty times', () => {
    let ageMs = 0;
    let attempts = 1;
    for (let delayMs = toNextAttemptMs(attempts, ageMs, 0.5); delayMs !== null; delayMs = toNextAttemptMs(attempts, ageMs, 0.5)) {
      ageMs += delayMs;
      attempts += 1;
    }
    expect(attempts).toBeGreaterThan(25);
    expect(attempts).toBeLessThan(60);
  });
});
