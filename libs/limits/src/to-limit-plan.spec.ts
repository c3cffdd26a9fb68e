import { LARGEST_LIMIT, makeLimitPlan, MINUTE_MS, toSharedPlan } from './limit-plan';
import { type KeyLimits, toLimitPlan } from './to-limit-plan';

const key: KeyLimits = { organizationId: 'org', keyId: 'key', requestsPerMinute: null, requestsPerDay: null, defaultRpm: 60, defaultRpd: 1000 };

function limitsOf(limits: Partial<KeyLimits>): Record<string, number> {
  return Object.fromEntries(toLimitPlan({ ...key, ...limits }).windows.map((window) => [window.name, window.limit]));
}

describe('toLimitPlan', () => {
  it.each([
    ["the installation's defaults where the key sets none", {}, { requests_per_minute: 60, requests_per_day: 1000 }],
    ["the key's own limits before the defaults", { requestsPerMinute: 5, requestsPerDay: 7 }, { requests_per_minute: 5, requests_per_day: 7 }],
    ['no window for a limit of 0 of the key', { requestsPerMinute: 0 }, { requests_per_day: 1000 }],
    ['no window for a default of 0', { defaultRpm: 0, defaultRpd: 0 }, {}],
    ['the largest limit', { requestsPerMinute: LARGEST_LIMIT, requestsPerDay: 0 }, { requests_per_minute: LARGEST_LIMIT }],
  ])('takes %s', (_, limits, expected) => {
    expect(limitsOf(limits)).toEqual(expected);
  });

  it.each([-1, 0.5, NaN, Infinity, -Infinity, LARGEST_LIMIT + 1, 2 ** 63])('refuses the limit %p when the plan is made', (limit) => {
    expect(() => limitsOf({ requestsPerMinute: limit })).toThrow(/requests_per_minute: must be a whole number/);
    expect(() => limitsOf({ requestsPerDay: limit })).toThrow(RangeError);
    expect(() => limitsOf({ defaultRpm: limit })).toThrow(RangeError);
  });

  it.each(['', 'a}b', '{', 'a{b}c'])('refuses the organization %p, which would break the hash tag', (organizationId) => {
    expect(() => toLimitPlan({ ...key, organizationId })).toThrow(RangeError);
  });
});

describe('makeLimitPlan', () => {
  it.each([0, -60_000, 0.5, NaN, Infinity])('refuses a window of %p ms', (windowMs) => {
    expect(() => makeLimitPlan('org', [{ scope: 'key', name: 'requests_per_minute', subject: 'k', windowMs, limit: 1 }])).toThrow(RangeError);
  });
});

describe('toSharedPlan', () => {
  it.each([
    [60, 4, 15],
    [10, 4, 2],
    [3, 4, 1],
  ])('divides a limit of %i among %i processes into %i, never below 1', (limit, processCount, share) => {
    const plan = makeLimitPlan('org', [{ scope: 'key', name: 'requests_per_minute', subject: 'k', windowMs: MINUTE_MS, limit }]);
    const shared = toSharedPlan(plan, processCount);
    expect(shared.windows[0].limit).toBe(share);
    expect(shared.keys).toEqual(plan.keys);
  });
});
