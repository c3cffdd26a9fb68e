import { type Caller } from '@weir/access';
import { type Budget, type ModelId, NO_LIMITS, type OrganizationId, type ProjectId, type ProxyKeyId, type ScopeLimits } from '@weir/kernel';
import { type ModelRoute } from '@weir/upstreams';
import { type CallPlan, CallPlans } from './call-plans';

const NOON_MS = Date.parse('2026-11-21T12:00:00Z');
const MIDNIGHT_MS = Date.parse('2026-11-22T00:00:00Z');
const plans = new CallPlans({ defaultRpm: 60, defaultRpd: 0 });

function toBudget(budget: Partial<Budget> = {}): Budget {
  return { amountNanos: 1_000, period: 'day', model: null, alerts: [], resetAtMs: null, ...budget };
}

function toCaller(caller: Partial<Caller> = {}): Caller {
  return {
    keyId: 'k' as ProxyKeyId,
    publicId: 'public',
    organizationId: 'o' as OrganizationId,
    projectId: null,
    models: null,
    key: { id: 'k' as ProxyKeyId, limits: NO_LIMITS, budgets: [] },
    project: null,
    organization: { id: 'o' as OrganizationId, limits: NO_LIMITS, budgets: [] },
    expiresAtMs: null,
    ...caller,
  };
}

function toRoute(limits: ScopeLimits = NO_LIMITS, name = 'm'): ModelRoute {
  return { id: `id of ${name}` as ModelId, name, operation: 'chat', strategy: 'weighted', targets: [], price: null, limits };
}

const limitsOf = ({ plan }: CallPlan) => plan.limits.map(({ scope, name, subject, limit }) => `${scope} ${subject} ${name} ${limit}`);

describe('the plan of a call', () => {
  it('has the limits of the key, its project, its organization and the model, and the budgets of the first three', () => {
    const limits: ScopeLimits = { requestsPerMinute: 5, requestsPerDay: null, tokensPerMinute: null, concurrency: 2 };
    const caller = toCaller({
      projectId: 'p' as ProjectId,
      key: { id: 'k' as ProxyKeyId, limits, budgets: [toBudget({ amountNanos: 1 })] },
      project: { id: 'p' as ProjectId, limits, budgets: [toBudget({ amountNanos: 2 })] },
      organization: { id: 'o' as OrganizationId, limits, budgets: [toBudget({ amountNanos: 3 })] },
    });
    const scopes = ['key k', 'project p', 'organization o', 'model id of m'];
    const windows = scopes.flatMap((scope) => [`${scope} requests_per_minute 5`, `${scope} concurrency 2`]);
    expect(limitsOf(plans.get(caller, toRoute(limits), 'm', NOON_MS))).toEqual([...windows, 'key k budget 1', 'project p budget 2', 'organization o budget 3']);
  });

  it("takes the installation's defaults where the key says nothing, and no limit where it says 0", () => {
    expect(limitsOf(plans.get(toCaller(), toRoute(), 'm', NOON_MS))).toEqual(['key k requests_per_minute 60']);
    const unlimited = { id: 'k' as ProxyKeyId, limits: { ...NO_LIMITS, requestsPerMinute: 0 }, budgets: [] };
    expect(limitsOf(plans.get(toCaller({ key: unlimited }), toRoute(), 'm', NOON_MS))).toEqual([]);
  });

  it('names the counters of its budgets, and of no other limit', () => {
    const budgets = [toBudget(), toBudget({ model: 'm' }), toBudget({ model: 'other' })];
    const { plan, counters } = plans.get(toCaller({ key: { id: 'k' as ProxyKeyId, limits: NO_LIMITS, budgets } }), toRoute(), 'm', NOON_MS);
    expect(counters).toEqual(['rate_limit:{o}:budget:key:k:day:2026-11-21:*:0', 'rate_limit:{o}:budget:key:k:day:2026-11-21:m:0']);
    expect(plan.keys).toEqual(expect.arrayContaining([...counters]));
    expect(plans.get(toCaller(), toRoute(), 'm', NOON_MS).counters).toEqual([]);
  });
});

describe('a plan is made once', () => {
  const withBudget = () => toCaller({ key: { id: 'k' as ProxyKeyId, limits: NO_LIMITS, budgets: [toBudget()] } });
  const dayOf = ({ counters }: CallPlan) => /\d{4}-\d{2}-\d{2}/.exec(counters[0])?.[0];

  it('and kept until the caller or the route is another, or the day is', () => {
    const [caller, route] = [withBudget(), toRoute()];
    const plan = plans.get(caller, route, 'm', NOON_MS);
    expect(plans.get(caller, route, 'm', MIDNIGHT_MS - 1)).toBe(plan);
    expect(dayOf(plans.get(caller, route, 'm', MIDNIGHT_MS))).toBe('2026-11-22');
    expect(plans.get(withBudget(), route, 'm', NOON_MS)).not.toBe(plan);
    expect(plans.get(caller, route, 'other', NOON_MS)).not.toBe(plan);
    expect(plans.get(caller, toRoute({ ...NO_LIMITS, concurrency: 1 }), 'm', NOON_MS)).not.toBe(plan);
  });

  it('and a request that began before midnight neither gets the plan of today nor takes its place', () => {
    const [caller, route] = [withBudget(), toRoute()];
    const today = plans.get(caller, route, 'm', MIDNIGHT_MS);
    expect(dayOf(plans.get(caller, route, 'm', MIDNIGHT_MS - 1))).toBe('2026-11-21');
    expect(plans.get(caller, route, 'm', MIDNIGHT_MS + 1)).toBe(today);
  });

  it('but not remembered for every name that a caller makes up', () => {
    const [caller, route] = [withBudget(), toRoute(NO_LIMITS, '*')];
    const first = plans.get(caller, route, 'made up 0', NOON_MS);
    for (let count = 1; count < 200; count++) plans.get(caller, route, `made up ${count}`, NOON_MS);
    expect(plans.get(caller, route, 'made up 0', NOON_MS)).toBe(first);
    plans.get(caller, route, 'made up 200', NOON_MS);
    expect(plans.get(caller, route, 'made up 0', NOON_MS)).not.toBe(first);
  });
});
