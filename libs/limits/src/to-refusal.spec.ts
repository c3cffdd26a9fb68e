import { toBudgetSpan } from '@weir/kernel';
import { DAY_MS } from './limit-plan';
import { budgetOf, leasesOf, requestsOf, tokensOf, totalOf, USD } from './meter-harness';
import { type Admission, type Limit, type LimitState } from './meter-store';
import { toLimitTrace, toRefusal } from './to-refusal';

const minute = requestsOf('k', 60);
const month = budgetOf('k', 10 * USD, { scope: 'project', model: 'gpt-5', period: 'month', span: toBudgetSpan('month', Date.UTC(2026, 10, 21)) });

function state(limit: Limit, used: number, resetMs: number): LimitState {
  return { limit, used, remaining: Math.max(0, limit.limit - used), resetMs };
}

function refuse(refused: LimitState, ...others: LimitState[]): Extract<Admission, { admitted: false }> {
  return { admitted: false, refused, states: [...others, refused] };
}

describe('toRefusal', () => {
  it('names the limit, what is used and when to come back', () => {
    const error = toRefusal(refuse(state(minute, 60, 11_400)));
    expect(error).toMatchObject({ code: 'rate_limit_exceeded', status: 429, type: 'requests', retryAfterMs: 11_400, row: { retryHelps: true } });
    expect(error.message).toBe('Rate limit reached for requests per minute of this key: limit 60, used 60. Try again in 12 s.');
  });

  it("tells tokens by OpenAI's type for them", () => {
    const error = toRefusal(refuse(state(tokensOf('m', 500, 'model'), 450, 3_000)));
    expect(error).toMatchObject({ code: 'rate_limit_exceeded', type: 'tokens', retryAfterMs: 3_000 });
    expect(error.message).toBe('Rate limit reached for tokens per minute of this model: limit 500, used 450. Try again in 3 s.');
  });

  it.each([
    [350, '350 ms'],
    [3_599_000, '60 min'],
    [7_200_000, '2 h'],
    [12_000_000, '3 h 20 min'],
  ])('tells %i ms as %s', (resetMs, words) => {
    expect(toRefusal(refuse(state(requestsOf('k', 1000, DAY_MS), 1000, resetMs))).message).toBe(
      `Rate limit reached for requests per day of this key: limit 1000, used 1000. Try again in ${words}.`,
    );
  });

  it('promises no time for what never fits', () => {
    const error = toRefusal(refuse(state(minute, 0, Infinity)));
    expect(error.retryAfterMs).toBeNull();
    expect(error.message).toContain('larger than the limit');
  });

  it('lets who is over the concurrency limit come back soon, and not when a lease would expire', () => {
    const error = toRefusal(refuse(state(leasesOf('k', 5), 5, 29_000)));
    expect(error).toMatchObject({ code: 'rate_limit_exceeded', type: 'requests', retryAfterMs: 1_000, row: { retryHelps: true } });
    expect(error.message).toBe('Too many requests of this key are open at the same time: limit 5, open 5. Try again when one has ended.');
  });

  it('tells a budget in dollars, with the end of its span, and that a retry does not help', () => {
    const error = toRefusal(refuse(state(month, 9_500_000_001, 864_000_000)));
    expect(error).toMatchObject({ code: 'budget_exceeded', status: 429, type: 'insufficient_quota', retryAfterMs: 864_000_000, row: { retryHelps: false } });
    expect(error.message).toBe(
      'The budget of this project for gpt-5 for this month does not afford this request: limit $10, spent and held $9.500000001. A new month begins at 2026-12-01T00:00:00.000Z.',
    );
  });

  it('promises no time for a budget that does not renew', () => {
    const error = toRefusal(refuse(state(totalOf('k', USD), USD, Infinity)));
    expect(error.retryAfterMs).toBeNull();
    expect(error.message).toBe('The total budget of this key does not afford this request: limit $1, spent and held $1. It does not renew.');
  });
});

describe('toLimitTrace', () => {
  it('shows every limit with what remains, marks the one that refused, and survives JSON', () => {
    const refused = state(month, 9_500_000_001, 1_000.5);
    const trace = toLimitTrace(refuse(refused, state(minute, 1, 60_000), state(leasesOf('k', 5), 2, 30_000), state(totalOf('k', USD), 0, Infinity)));
    expect(JSON.parse(JSON.stringify(trace))).toEqual(trace);
    expect(trace).toEqual([
      { limit: 'requests_per_minute', scope: 'key', subject: 'k', unit: 'requests', max: 60, used: 1, remaining: 59, resets_in_ms: 60_000 },
      { limit: 'concurrency', scope: 'key', subject: 'k', unit: 'open_requests', max: 5, used: 2, remaining: 3, resets_in_ms: 30_000 },
      {
        limit: 'budget',
        scope: 'key',
        subject: 'k',
        period: 'total',
        unit: 'nanos',
        max: USD,
        used: 0,
        remaining: USD,
        max_usd: '1',
        used_usd: '0',
        remaining_usd: '1',
        resets_in_ms: null,
      },
      {
        limit: 'budget',
        scope: 'project',
        subject: 'k',
        model: 'gpt-5',
        period: 'month',
        unit: 'nanos',
        max: 10 * USD,
        used: 9_500_000_001,
        remaining: 499_999_999,
        max_usd: '10',
        used_usd: '9.500000001',
        remaining_usd: '0.499999999',
        resets_in_ms: 1_001,
        refused: true,
      },
    ]);
  });

  it('marks nothing of an admission', () => {
    expect(toLimitTrace({ admitted: true, states: [state(minute, 1, 1)], grant: null })[0]).not.toHaveProperty('refused');
  });
});
