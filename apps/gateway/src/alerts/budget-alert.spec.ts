import { LARGEST_BUDGET_NANOS, toBudgetSpan } from '@weir/kernel';
import { toCounterName, toThresholdNanos, type WatchedBudget } from './budget-alert';

describe('toThresholdNanos', () => {
  it.each([
    [1_000_000_000, 80, 800_000_000],
    [333, 100, 333],
    [1, 1, 1],
    [1, 100, 1],
    [199, 50, 100],
    [LARGEST_BUDGET_NANOS, 100, LARGEST_BUDGET_NANOS],
    [LARGEST_BUDGET_NANOS - 1, 100, LARGEST_BUDGET_NANOS - 1],
  ])('of %p nano-dollars %p %% are %p', (limit, percent, expected) => {
    expect(toThresholdNanos(limit, percent)).toBe(expected);
  });

  it('is the first amount at which the percentage is reached, exactly', () => {
    for (let limit = 1; limit <= 500; limit += 7) {
      for (let percent = 1; percent <= 100; percent++) {
        const threshold = toThresholdNanos(limit, percent);
        expect([threshold * 100 >= limit * percent, (threshold - 1) * 100 < limit * percent]).toEqual([true, true]);
      }
    }
  });
});

describe('toCounterName', () => {
  const budget: WatchedBudget = {
    scope: 'key',
    subject: 's',
    model: null,
    period: 'day',
    span: toBudgetSpan('day', Date.UTC(2026, 10, 21)),
    resetAtMs: null,
    limit: 1,
    alerts: [],
  };

  it('tells budgets apart by scope, subject, model, span and reset', () => {
    const names = [
      budget,
      { ...budget, scope: 'project' as const },
      { ...budget, subject: 't' },
      { ...budget, model: '*' },
      { ...budget, model: 'all' },
      { ...budget, model: 'a:0' },
      { ...budget, span: toBudgetSpan('day', Date.UTC(2026, 10, 22)) },
      { ...budget, resetAtMs: 5 },
    ].map(toCounterName);
    expect(names[0]).toBe('key:s:day:2026-11-21:0:all');
    expect(new Set(names).size).toBe(names.length);
  });
});
