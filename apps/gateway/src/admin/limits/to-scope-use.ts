import { toUsdString } from '@weir/kernel';
import { type BudgetLimit, type BudgetState, type LeaseLimit, type LimitPlan, type LimitState, type PlanUse, type WindowLimit } from '@weir/limits';
import { type BudgetUseView, type LimitUseView } from './limits.dto';
import { type UseScope } from './to-scope-plan';

export interface ScopeUse {
  readonly limits: LimitUseView[];
  readonly budgets: BudgetUseView[];
}

/** What the meter knows of a scope's plan, for people. This is the one place that knows how the meter tells it. */
export function toScopeUse(scope: UseScope, plan: LimitPlan, { admission, budgets }: Pick<PlanUse, 'admission' | 'budgets'>): ScopeUse {
  const budgetLimits = plan.limits.filter((limit) => limit.kind === 'budget');
  return {
    limits: admission.states.flatMap((state) => (state.limit.kind === 'budget' ? [] : toLimitUse(scope, state.limit, state))),
    budgets: budgetLimits.map((limit, index) => toBudgetUse(limit, budgets[index] ?? null)),
  };
}

function toLimitUse(scope: UseScope, limit: WindowLimit | LeaseLimit, { used, remaining, resetMs }: LimitState): LimitUseView {
  return {
    name: limit.name,
    scope,
    unit: limit.kind === 'window' ? limit.unit : 'open_requests',
    limit: limit.limit,
    used,
    remaining,
    // It may be told as never only where one request is more than the limit; a limit of 0 is none.
    reset_ms: Number.isFinite(resetMs) ? Math.ceil(resetMs) : limit.kind === 'window' ? limit.windowMs : 0,
  };
}

function toBudgetUse({ limit, period, span, model }: BudgetLimit, state: BudgetState | null): BudgetUseView {
  return {
    amount_usd: toUsdString(limit),
    spent_usd: state === null ? null : toUsdString(state.spentNanos),
    held_usd: state === null ? null : toUsdString(state.heldNanos),
    // A budget that was lowered may be overspent by its new amount: there is no less than nothing.
    remaining_usd: state === null ? null : toUsdString(Math.max(0, limit - state.spentNanos - state.heldNanos)),
    period,
    resets_at: span.toMs === null ? null : new Date(span.toMs).toISOString(),
    model,
  };
}
