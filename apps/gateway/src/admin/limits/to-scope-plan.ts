import { type Budget, NO_LIMITS, type ScopeLimits, toBudgetSpan } from '@weir/kernel';
import { type BudgetLimit, type LimitPlan, makeLimitPlan, toLimitPlan } from '@weir/limits';

/** The scopes whose use can be looked at. */
export const USE_SCOPES = ['key', 'project', 'organization', 'model'] as const;
export type UseScope = (typeof USE_SCOPES)[number];

/** One scope alone, with what it says. */
export interface ScopeRules {
  /** Whose counters: the organization of the scope; of a model, the one that uses it. */
  readonly organizationId: string;
  readonly scope: UseScope;
  /** The id of what is limited. */
  readonly subject: string;
  /** A key's with the installation's defaults in the place of nulls. */
  readonly limits: ScopeLimits;
  readonly budgets: readonly Budget[];
}

/** What one scope limits, its budgets of all models among it: to look at, not to admit with. */
export function toScopePlan({ organizationId, scope, subject, limits, budgets }: ScopeRules, nowMs: number): LimitPlan {
  const own = (of: UseScope): ScopeLimits => (of === scope ? limits : NO_LIMITS);
  const { limits: windowsAndLeases } = toLimitPlan({
    organizationId,
    keyId: subject,
    projectId: subject,
    modelId: subject,
    model: '',
    key: own('key'),
    project: own('project'),
    organization: own('organization'),
    modelLimits: own('model'),
    budgets: { key: [], project: [], organization: [] },
    defaultRpm: 0,
    defaultRpd: 0,
    nowMs,
  });
  return makeLimitPlan(organizationId, [...windowsAndLeases, ...(scope === 'model' ? [] : toBudgetLimits(scope, subject, budgets, nowMs))]);
}

function toBudgetLimits(scope: BudgetLimit['scope'], subject: string, budgets: readonly Budget[], nowMs: number): BudgetLimit[] {
  return budgets.map(({ model, period, resetAtMs, amountNanos, alerts }) => ({
    kind: 'budget',
    scope,
    name: 'budget',
    subject,
    model,
    period,
    span: toBudgetSpan(period, nowMs),
    resetAtMs,
    limit: amountNanos,
    alerts,
  }));
}
