import { type Budget, type ScopeLimits, toBudgetSpan } from '@weir/kernel';
import { DAY_MS, makeLimitPlan, MINUTE_MS } from './limit-plan';
import { type BudgetLimit, type Limit, type LimitPlan, type LimitScope } from './meter-store';

/** Everything that limits one key's calls to one model. */
export interface CallLimits {
  readonly organizationId: string;
  readonly keyId: string;
  /** Null: the key belongs to no project. */
  readonly projectId: string | null;
  /** Null: what is called is no model of its own; then it has no limits of its own either. */
  readonly modelId: string | null;
  /** The model's name as budgets know it. */
  readonly model: string;
  /** Where the key says nothing about requests, the installation's defaults count. */
  readonly key: ScopeLimits;
  readonly project: ScopeLimits | null;
  readonly organization: ScopeLimits;
  /** Each organization has this much of the model. */
  readonly modelLimits: ScopeLimits | null;
  readonly budgets: {
    readonly key: readonly Budget[];
    readonly project: readonly Budget[];
    readonly organization: readonly Budget[];
  };
  readonly defaultRpm: number;
  readonly defaultRpd: number;
  /** Decides the spans of the budgets. Milliseconds since the epoch. */
  readonly nowMs: number;
}

/**
 * The plan of a key's calls to a model. Keep it until `validUntilMs`: it holds prebuilt texts.
 * @throws RangeError for a limit that is negative, fractional or beyond its bound.
 */
export function toLimitPlan(call: CallLimits): LimitPlan {
  const { keyId, projectId, organizationId, modelId, model, nowMs } = call;
  const key: ScopeLimits = {
    ...call.key,
    requestsPerMinute: call.key.requestsPerMinute ?? call.defaultRpm,
    requestsPerDay: call.key.requestsPerDay ?? call.defaultRpd,
  };
  return makeLimitPlan(organizationId, [
    ...toScopeLimits('key', keyId, key),
    ...toScopeLimits('project', projectId, call.project),
    ...toScopeLimits('organization', organizationId, call.organization),
    ...toScopeLimits('model', modelId, call.modelLimits),
    ...toBudgetLimits('key', keyId, call.budgets.key, model, nowMs),
    ...toBudgetLimits('project', projectId, call.budgets.project, model, nowMs),
    ...toBudgetLimits('organization', organizationId, call.budgets.organization, model, nowMs),
  ]);
}

function toScopeLimits(scope: LimitScope, subject: string | null, limits: ScopeLimits | null): Limit[] {
  if (subject === null || limits === null) return [];
  return [
    { kind: 'window', scope, name: 'requests_per_minute', unit: 'requests', subject, windowMs: MINUTE_MS, limit: limits.requestsPerMinute ?? 0 },
    { kind: 'window', scope, name: 'requests_per_day', unit: 'requests', subject, windowMs: DAY_MS, limit: limits.requestsPerDay ?? 0 },
    { kind: 'window', scope, name: 'tokens_per_minute', unit: 'tokens', subject, windowMs: MINUTE_MS, limit: limits.tokensPerMinute ?? 0 },
    { kind: 'lease', scope, name: 'concurrency', subject, limit: limits.concurrency ?? 0 },
  ];
}

function toBudgetLimits(
  scope: BudgetLimit['scope'],
  subject: string | null,
  budgets: readonly Budget[],
  model: string,
  nowMs: number,
): BudgetLimit[] {
  if (subject === null) return [];
  return budgets
    .filter((budget) => budget.model === null || budget.model === model)
    .map((budget) => ({
      kind: 'budget',
      scope,
      name: 'budget',
      subject,
      model: budget.model,
      period: budget.period,
      span: toBudgetSpan(budget.period, nowMs),
      resetAtMs: budget.resetAtMs,
      limit: budget.amountNanos,
      alerts: budget.alerts,
    }));
}
