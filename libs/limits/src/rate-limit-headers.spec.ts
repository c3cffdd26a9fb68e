import { budgetOf, leasesOf, requestsOf, tokensOf, USD } from './meter-harness';
import { DAY_MS } from './limit-plan';
import { type Admission, type Limit, type LimitState } from './meter-store';
import { pushRateLimitHeaders, toOpenAiDuration } from './rate-limit-headers';

const minute = requestsOf('k', 60);
const day = requestsOf('k', 1000, DAY_MS);
const tokens = tokensOf('k', 500);

function state(limit: Limit, used: number, resetMs: number): LimitState {
  return { limit, used, remaining: Math.max(0, limit.limit - used), resetMs };
}

function headersOf(admission: Admission): Record<string, string> {
  const headers: string[] = [];
  pushRateLimitHeaders(headers, admission);
  return Object.fromEntries(Array.from({ length: headers.length / 2 }, (_, index) => [headers[2 * index], headers[2 * index + 1]]));
}

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

describe('pushRateLimitHeaders', () => {
  it.each([
    ['the minute', 50, 100, '60', '10', '30s'],
    ['the day', 6, 990, '1000', '10', '1h0m0s'],
    ['the first of equals', 30, 500, '60', '30', '30s'],
  ])('shows the tightest window: %s', (_, minuteUsed, dayUsed, limit, remaining, reset) => {
    expect(headersOf({ admitted: true, states: [state(minute, minuteUsed, 30_000), state(day, dayUsed, 3_600_000)], grant: null })).toEqual({
      'x-ratelimit-limit-requests': limit,
      'x-ratelimit-remaining-requests': remaining,
      'x-ratelimit-reset-requests': reset,
    });
  });

  it('shows tokens beside requests, or alone', () => {
    const ofTokens = { 'x-ratelimit-limit-tokens': '500', 'x-ratelimit-remaining-tokens': '400', 'x-ratelimit-reset-tokens': '1m1s' };
    const ofRequests = { 'x-ratelimit-limit-requests': '60', 'x-ratelimit-remaining-requests': '59', 'x-ratelimit-reset-requests': '1m0s' };
    expect(headersOf({ admitted: true, states: [state(tokens, 100, 61_000)], grant: null })).toEqual(ofTokens);
    const states = [state(minute, 1, 60_000), state(tokens, 100, 61_000), state(tokensOf('p', 50_000, 'project'), 100, 61_000)];
    expect(headersOf({ admitted: true, states, grant: null })).toEqual({ ...ofRequests, ...ofTokens });
  });

  it('shows the window that refused, in the place of its own unit only', () => {
    const refused = state(day, 1000, 5_000);
    const states = [state(minute, 60, 61_000), refused, state(tokens, 500, 7_000)];
    expect(headersOf({ admitted: false, refused, states })).toMatchObject({
      'x-ratelimit-limit-requests': '1000',
      'x-ratelimit-reset-requests': '5s',
      'x-ratelimit-reset-tokens': '7s',
    });
  });

  it.each([leasesOf('k', 1), budgetOf('k', USD)])('shows no concurrency and no budget, even when it refused', (limit) => {
    const refused = state(limit, limit.limit, 9_000);
    expect(headersOf({ admitted: false, refused, states: [state(minute, 1, 60_000), refused] })).toEqual({
      'x-ratelimit-limit-requests': '60',
      'x-ratelimit-remaining-requests': '59',
      'x-ratelimit-reset-requests': '1m0s',
    });
    expect(headersOf({ admitted: false, refused, states: [refused] })).toEqual({});
  });

  it('shows nothing without limits', () => {
    expect(headersOf({ admitted: true, states: [], grant: null })).toEqual({});
  });
});
