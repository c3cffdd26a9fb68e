import { toBudgetSpan } from '@weir/kernel';
import { makeLimitPlan, MINUTE_MS } from '../src/limit-plan';
import { type BudgetLimit, type Limit, type LimitPlan } from '../src/meter-store';

export const ORGANIZATION_ID = 'organization';
export const KEY_IDS = ['key-1', 'key-2'];
export const MODELS = ['model-1', 'model-2'];
export const CONCURRENCY = 6;

/** Made once for all runs: plans do not change. */
const plans = new Map<string, LimitPlan>();

/** What limits a call of this key to this model at this time. Small enough that some call is always refused. */
export function getPlan(keyId: string, model: string, atMs: number): LimitPlan {
  const name = `${keyId} ${model} ${toBudgetSpan('day', atMs).name}`;
  let plan = plans.get(name);
  if (plan === undefined) plans.set(name, (plan = makePlan(keyId, model, atMs)));
  return plan;
}

function makePlan(keyId: string, model: string, atMs: number): LimitPlan {
  const windows: Limit[] = [
    { kind: 'window', scope: 'key', name: 'requests_per_minute', unit: 'requests', subject: keyId, windowMs: MINUTE_MS, limit: 12 },
    { kind: 'window', scope: 'organization', name: 'tokens_per_minute', unit: 'tokens', subject: ORGANIZATION_ID, windowMs: MINUTE_MS, limit: 400 },
    { kind: 'lease', scope: 'organization', name: 'concurrency', subject: ORGANIZATION_ID, limit: CONCURRENCY },
  ];
  return makeLimitPlan(ORGANIZATION_ID, [
    ...windows,
    toBudget('key', keyId, null, 'total', 2_000, atMs),
    toBudget('organization', ORGANIZATION_ID, null, 'day', 2_500, atMs),
    toBudget('organization', ORGANIZATION_ID, model, 'month', 1_800, atMs),
  ]);
}

function toBudget(scope: BudgetLimit['scope'], subject: string, model: string | null, period: BudgetLimit['period'], limit: number, atMs: number): BudgetLimit {
  return { kind: 'budget', scope, name: 'budget', subject, model, period, span: toBudgetSpan(period, atMs), resetAtMs: null, limit, alerts: [] };
}
