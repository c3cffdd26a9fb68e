import { toBudgetSpan } from '@weir/kernel';
import { makeLimitPlan } from './limit-plan';
import { type BudgetLimit } from './meter-store';
import { toCounterPlan } from './to-counter-plan';

const AT_MS = Date.UTC(2026, 10, 21, 13);

function toBudget(part: Partial<BudgetLimit>): BudgetLimit {
  const period = part.period ?? 'day';
  return { kind: 'budget', scope: 'key', name: 'budget', subject: 'k', model: null, period, span: toBudgetSpan(period, AT_MS), resetAtMs: null, limit: 1, alerts: [], ...part };
}

describe('toCounterPlan', () => {
  it.each([
    [{ period: 'day' }],
    [{ period: 'week', scope: 'project' }],
    [{ period: 'month', scope: 'organization', subject: '0193-org' }],
    [{ period: 'total', resetAtMs: AT_MS }],
    [{ period: 'month', model: 'acme/model:7 b*' }],
  ] satisfies [Partial<BudgetLimit>][])('finds the counter of a budget again by its key: %o', (part) => {
    const plan = makeLimitPlan('0193-org', [toBudget(part)]);
    const found = toCounterPlan('0193-org', plan.keys);
    expect(found.keys).toEqual(plan.keys);
    expect(found.limits).toEqual([{ ...plan.limits[0], limit: expect.any(Number) as number }]);
    expect(found.validUntilMs).toBe(plan.validUntilMs);
  });

  it.each(['', 'weir:epoch', 'rate_limit:{0193-org}:key:k:concurrency', 'rate_limit:{other}:budget:key:k:total:*:0', 'rate_limit:{0193-org}:budget:model:k:total:*:0'])(
    'refuses %p',
    (counter) => {
      expect(() => toCounterPlan('0193-org', [counter])).toThrow(RangeError);
    },
  );
});
