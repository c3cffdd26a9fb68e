import { type Admission, toWindowState, type WindowState } from './admission';
import { DAY_MS, MINUTE_MS, type WindowLimit } from './limit-plan';
import { toOpenAiDuration, toRateLimitHeaders } from './rate-limit-headers';
import { toRefusal } from './to-refusal';

const minute: WindowLimit = { scope: 'key', name: 'requests_per_minute', subject: 'k', windowMs: MINUTE_MS, limit: 60 };
const day: WindowLimit = { scope: 'organization', name: 'requests_per_day', subject: 'o', windowMs: DAY_MS, limit: 1000 };

describe('toOpenAiDuration', () => {
  it.each([
    [0, '0s'],
    [-5, '0s'],
    [0.2, '1ms'],
    [120, '120ms'],
    [999, '999ms'],
    [1_000, '1s'],
    [1_001, '2s'],
    [59_001, '1m0s'],
    [61_000, '1m1s'],
    [360_000, '6m0s'],
    [7_260_000, '2h1m0s'],
    [87_840_000, '24h24m0s'],
    [Infinity, '0s'],
  ])('writes %p ms as %s', (durationMs, text) => {
    expect(toOpenAiDuration(durationMs)).toBe(text);
    expect(toOpenAiDuration(durationMs)).toBe(text);
  });
});

describe('toRateLimitHeaders', () => {
  it.each([
    ['the minute', 50, 100, '60', '10', '30s'],
    ['the day', 6, 990, '1000', '10', '1h0m0s'],
    ['the first of equals', 30, 500, '60', '30', '30s'],
  ])('shows the tightest window: %s', (_, minuteUsed, dayUsed, limit, remaining, reset) => {
    const windows = [toWindowState(minute, minuteUsed, 30_000), toWindowState(day, dayUsed, 3_600_000)];
    expect(toRateLimitHeaders({ admitted: true, windows })).toEqual({
      'x-ratelimit-limit-requests': limit,
      'x-ratelimit-remaining-requests': remaining,
      'x-ratelimit-reset-requests': reset,
    });
  });

  it('shows the window that refused', () => {
    const refused = toWindowState(day, 1000, 5_000);
    const windows = [toWindowState(minute, 60, 61_000), refused];
    expect(toRateLimitHeaders({ admitted: false, refused, windows })).toMatchObject({ 'x-ratelimit-limit-requests': '1000', 'x-ratelimit-reset-requests': '5s' });
  });

  it('shows nothing without limits', () => {
    expect(toRateLimitHeaders({ admitted: true, windows: [] })).toBeNull();
  });
});

describe('toRefusal', () => {
  const refuse = (refused: WindowState): Extract<Admission, { admitted: false }> => ({ admitted: false, refused, windows: [refused] });

  it('names the limit, what is used and when to come back', () => {
    const error = toRefusal(refuse(toWindowState(minute, 60, 11_400)));
    expect(error).toMatchObject({ code: 'rate_limit_exceeded', status: 429, type: 'requests', retryAfterMs: 11_400, row: { retryHelps: true } });
    expect(error.message).toBe('Rate limit reached for requests per minute of this key: limit 60, used 60. Try again in 12 s.');
  });

  it.each([
    [350, '350 ms'],
    [3_599_000, '60 min'],
    [7_200_000, '2 h'],
    [12_000_000, '3 h 20 min'],
  ])('tells %i ms as %s', (resetMs, words) => {
    expect(toRefusal(refuse(toWindowState(day, 1000, resetMs))).message).toBe(
      `Rate limit reached for requests per day of this organization: limit 1000, used 1000. Try again in ${words}.`,
    );
  });

  it('promises no time for what never fits', () => {
    const error = toRefusal(refuse(toWindowState(minute, 0, Infinity)));
    expect(error.retryAfterMs).toBeNull();
    expect(error.message).toContain('larger than the limit');
  });
});
