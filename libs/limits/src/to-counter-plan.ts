import { BUDGET_PERIODS, type BudgetPeriod, LARGEST_BUDGET_NANOS, toBudgetSpan } from '@weir/kernel';
import { makeLimitPlan } from './limit-plan';
import { type BudgetLimit, type LimitPlan } from './meter-store';

const COUNTER = /^rate_limit:\{([^{}]+)\}:budget:(key|project|organization):(.+):(total|(day|week|month):(\d{4}-\d{2}(?:-\d{2})?)):([^:]+):(\d+)$/;

/**
 * A plan of budgets of which only the counters' keys are known: to settle and restore what is in
 * them. It admits nothing worth mentioning: the budgets' limits are not in their keys.
 * @throws RangeError for a key that is no budget's, or another organization's.
 */
export function toCounterPlan(organizationId: string, counters: readonly string[]): LimitPlan {
  const plan = makeLimitPlan(organizationId, counters.map((counter) => parseCounter(organizationId, counter)));
  if (counters.some((counter) => !plan.keys.includes(counter))) throw new RangeError('counters: not as a plan makes them');
  return plan;
}

function parseCounter(organizationId: string, counter: string): BudgetLimit {
  const parts = COUNTER.exec(counter);
  if (parts === null || parts[1] !== organizationId) throw new RangeError('counters: not the key of a budget of this organization');
  const [, , scopeText, subject, spanName, periodText, date, model, resetAtText] = parts;
  const period = toPeriod(periodText ?? spanName);
  return {
    kind: 'budget',
    scope: toScope(scopeText),
    name: 'budget',
    subject,
    model: model === '*' ? null : decodeURIComponent(model),
    period,
    span: toBudgetSpan(period, date === undefined ? 0 : Date.parse(date)),
    resetAtMs: resetAtText === '0' ? null : Number(resetAtText),
    limit: LARGEST_BUDGET_NANOS,
    alerts: [],
  };
}

function toPeriod(text: string): BudgetPeriod {
  const period = BUDGET_PERIODS.find((known) => known === text);
  if (period === undefined) throw new RangeError('counters: no such period');
  return period;
}

function toScope(text: string): BudgetLimit['scope'] {
  switch (text) {
    case 'key':
    case 'project':
    case 'organization':
      return text;
    default:
      throw new RangeError('counters: no such scope');
  }
}
