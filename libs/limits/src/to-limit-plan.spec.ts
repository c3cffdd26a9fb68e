import { type Budget, LARGEST_BUDGET_NANOS, NO_LIMITS, type ScopeLimits } from '@weir/kernel';
import { DAY_MS, LARGEST_LIMIT, makeLimitPlan, MINUTE_MS, toSharedPlan } from './limit-plan';
import { budgetOf, leasesOf, planOf, requestsOf, tokensOf, USD } from './meter-harness';
import { type CallLimits, toLimitPlan } from './to-limit-plan';

const NOW_MS = Date.UTC(2026, 10, 21, 12);

const call: CallLimits = {
  organizationId: 'org',
  keyId: 'key',
  projectId: 'project',
  modelId: 'model',
  model: 'gpt-5',
  key: NO_LIMITS,
  project: NO_LIMITS,
  organization: NO_LIMITS,
  modelLimits: null,
  budgets: { key: [], project: [], organization: [] },
  defaultRpm: 60,
  defaultRpd: 1000,
  nowMs: NOW_MS,
};

function budget(changes: Partial<Budget> = {}): Budget {
  return { amountNanos: USD, period: 'day', model: null, alerts: [], resetAtMs: null, ...changes };
}

function limitsOf(changes: Partial<CallLimits>): Record<string, number> {
  return Object.fromEntries(toLimitPlan({ ...call, ...changes }).limits.map((limit) => [`${limit.scope} ${limit.name}`, limit.limit]));
}

function keyLimits(changes: Partial<ScopeLimits>): ScopeLimits {
  return { ...NO_LIMITS, ...changes };
}

describe('toLimitPlan', () => {
  it.each<[string, Partial<CallLimits>, Record<string, number>]>([
    ["the installation's defaults where the key sets none", {}, { 'key requests_per_minute': 60, 'key requests_per_day': 1000 }],
    [
      "the key's own limits before the defaults",
      { key: keyLimits({ requestsPerMinute: 5, requestsPerDay: 7 }) },
      { 'key requests_per_minute': 5, 'key requests_per_day': 7 },
    ],
    ['no window for a limit of 0 of the key', { key: keyLimits({ requestsPerMinute: 0 }) }, { 'key requests_per_day': 1000 }],
    ['no window for a default of 0', { defaultRpm: 0, defaultRpd: 0 }, {}],
    [
      'the largest limit',
      { key: keyLimits({ requestsPerMinute: LARGEST_LIMIT, requestsPerDay: 0 }) },
      { 'key requests_per_minute': LARGEST_LIMIT },
    ],
    [
      'at other scopes only what is set',
      {
        defaultRpm: 0,
        defaultRpd: 0,
        key: keyLimits({ tokensPerMinute: 9, concurrency: 8 }),
        project: keyLimits({ requestsPerDay: 7 }),
        organization: keyLimits({ tokensPerMinute: 6, requestsPerMinute: 0 }),
        modelLimits: keyLimits({ concurrency: 5 }),
      },
      {
        'key tokens_per_minute': 9,
        'key concurrency': 8,
        'project requests_per_day': 7,
        'organization tokens_per_minute': 6,
        'model concurrency': 5,
      },
    ],
    [
      'nothing of a project or a model that is not there',
      { projectId: null, modelId: null, defaultRpd: 0, project: keyLimits({ concurrency: 1 }), modelLimits: keyLimits({ concurrency: 1 }), budgets: { ...call.budgets, project: [budget()] } },
      { 'key requests_per_minute': 60 },
    ],
  ])('takes %s', (_, changes, expected) => {
    expect(limitsOf(changes)).toEqual(expected);
  });

  it('takes budgets of every scope, and of models only that of the one that is called', () => {
    const budgets = {
      key: [budget({ amountNanos: 1 }), budget({ amountNanos: 2, model: 'gpt-5' }), budget({ amountNanos: 3, model: 'another' })],
      project: [budget({ amountNanos: 4, period: 'week' })],
      organization: [budget({ amountNanos: 5, period: 'total', resetAtMs: 77 })],
    };
    const plan = toLimitPlan({ ...call, defaultRpm: 0, defaultRpd: 0, budgets });
    expect(plan.keys).toEqual([
      'rate_limit:{org}:budget:key:key:day:2026-11-21:*:0',
      'rate_limit:{org}:budget:key:key:day:2026-11-21:gpt-5:0',
      'rate_limit:{org}:budget:project:project:week:2026-11-16:*:0',
      'rate_limit:{org}:budget:organization:org:total:*:77',
    ]);
    expect(plan.limits.map((limit) => limit.limit)).toEqual([1, 2, 4, 5]);
    expect(plan.validUntilMs).toBe(Date.UTC(2026, 10, 22));
  });

  it.each([-1, 0.5, NaN, Infinity, -Infinity, LARGEST_LIMIT + 1, 2 ** 63])('refuses the limit %p when the plan is made', (limit) => {
    expect(() => limitsOf({ key: keyLimits({ requestsPerMinute: limit }) })).toThrow(/requests_per_minute: must be a whole number/);
    expect(() => limitsOf({ organization: keyLimits({ tokensPerMinute: limit }) })).toThrow(RangeError);
    expect(() => limitsOf({ modelLimits: keyLimits({ concurrency: limit }) })).toThrow(RangeError);
    expect(() => limitsOf({ defaultRpm: limit })).toThrow(RangeError);
  });

  it.each([-1, 0.5, NaN, Infinity, LARGEST_BUDGET_NANOS + 1])('refuses a budget of %p', (amountNanos) => {
    expect(() => limitsOf({ budgets: { ...call.budgets, key: [budget({ amountNanos })] } })).toThrow(RangeError);
  });

  it.each(['', 'a}b', '{', 'a{b}c'])('refuses the organization %p, which would break the hash tag', (organizationId) => {
    expect(() => toLimitPlan({ ...call, organizationId })).toThrow(RangeError);
  });
});

describe('makeLimitPlan', () => {
  it.each([0, -60_000, 0.5, NaN, Infinity])('refuses a window of %p ms', (windowMs) => {
    expect(() => planOf({ ...requestsOf('k', 1), windowMs })).toThrow(RangeError);
  });

  it('names every counter as documented', () => {
    const plan = planOf(requestsOf('k', 1), requestsOf('k', 1, DAY_MS), tokensOf('p', 1, 'project'), leasesOf('k', 1), budgetOf('k', 1));
    expect(plan.keys).toEqual([
      'rate_limit:{organization}:key:k:requests_per_minute',
      'rate_limit:{organization}:key:k:requests_per_day',
      'rate_limit:{organization}:project:p:tokens_per_minute',
      'rate_limit:{organization}:key:k:concurrency',
      'rate_limit:{organization}:budget:key:k:day:2099-12-31:*:0',
    ]);
  });

  it.each([
    ['*', '%2A'],
    ['a b:c/{d}', 'a%20b%3Ac%2F%7Bd%7D'],
    ['\ud800', '%EF%BF%BD'],
  ])('gives the model %p a counter that no other has', (model, part) => {
    expect(planOf(budgetOf('k', 1, { model })).keys[0]).toBe(`rate_limit:{organization}:budget:key:k:day:2099-12-31:${part}:0`);
  });

  it('keeps the lower of two limits on one counter, so that nothing is held twice', () => {
    const plan = planOf(budgetOf('k', 7), budgetOf('k', 5), budgetOf('k', 6), leasesOf('k', 3), leasesOf('k', 2));
    expect(plan.limits.map((limit) => limit.limit)).toEqual([5, 2]);
    expect(plan.keys).toHaveLength(2);
  });

  it('keeps a budget of 0, under which nothing may be spent, and no other limit of 0', () => {
    expect(planOf(requestsOf('k', 0), tokensOf('k', 0), leasesOf('k', 0), budgetOf('k', 0)).limits).toEqual([budgetOf('k', 0)]);
  });

  it('says whether there is something to give back, and sends one constant text when there is not', () => {
    const light = planOf(requestsOf('k', 60), requestsOf('k', 1000, DAY_MS));
    expect(light.grants).toBe(false);
    expect(light.validUntilMs).toBe(Infinity);
    expect(light.wire.takeOneText).toBe('admit - 1 0 0 0 1 60 1000 1 1000 1440000');
    for (const limit of [tokensOf('k', 1), leasesOf('k', 1), budgetOf('k', 1)]) {
      expect(planOf(requestsOf('k', 60), limit)).toMatchObject({ grants: true, wire: { takeOneText: null } });
    }
  });

  it('makes a plan of nothing', () => {
    expect(makeLimitPlan('org', [])).toMatchObject({ limits: [], keys: [], grants: false, validUntilMs: Infinity });
  });
});

describe('toSharedPlan', () => {
  it.each([
    [60, 4, 15],
    [10, 4, 2],
    [3, 4, 1],
  ])('divides a limit of %i among %i processes into %i, never below 1, and no budget', (limit, processCount, share) => {
    const plan = planOf(requestsOf('k', limit, MINUTE_MS), tokensOf('k', limit), leasesOf('k', limit), budgetOf('k', limit));
    const shared = toSharedPlan(plan, processCount);
    expect(shared.limits.map((limited) => limited.limit)).toEqual([share, share, share, limit]);
    expect(shared.keys).toEqual(plan.keys);
  });
});
