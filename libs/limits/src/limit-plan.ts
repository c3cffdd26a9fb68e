import { LARGEST_BUDGET_NANOS } from '@weir/kernel';
import { type BudgetLimit, type Limit, type LimitPlan } from './meter-store';
import { toPlanWire } from './plan-wire';

export const MINUTE_MS = 60_000;
export const DAY_MS = 86_400_000;

/** Far above any honest limit, and far below where sums of it stop being exact. */
export const LARGEST_LIMIT = 1_000_000_000_000;
/** Longer windows would outlive the partitions that a lost counter is rebuilt from. */
const LARGEST_WINDOW_MS = 366 * DAY_MS;

/**
 * Makes a plan of limits that are already decided. A window or a concurrency of 0 means that there is
 * no such limit; a budget of 0 is one: nothing may be spent. Of two limits on the same counter the
 * lower one counts.
 * @throws RangeError for a limit or a window that is not a whole number within bounds.
 */
export function makeLimitPlan(organizationId: string, limits: readonly Limit[]): LimitPlan {
  // A brace would end the hash tag early and scatter one organization's keys over a cluster.
  if (organizationId === '' || /[{}]/.test(organizationId)) throw new RangeError('organizationId: not usable as a hash tag');
  const byKey = new Map<string, Limit>();
  for (const limit of limits) {
    assertLimit(limit);
    if (limit.kind !== 'budget' && limit.limit === 0) continue;
    const key = toLimitKey(organizationId, limit);
    const known = byKey.get(key);
    if (known === undefined || limit.limit < known.limit) byKey.set(key, limit);
  }
  const present = [...byKey.values()];
  const keys = [...byKey.keys()];
  return {
    organizationId,
    limits: present,
    keys,
    grants: present.some((limit) => limit.kind !== 'window' || limit.unit === 'tokens'),
    validUntilMs: Math.min(...present.map((limit) => (limit.kind === 'budget' ? (limit.span.toMs ?? Infinity) : Infinity))),
    wire: toPlanWire(present, keys),
  };
}

/** The same plan with each window and each concurrency divided among so many processes, at least 1 each; budgets as they are. */
export function toSharedPlan(plan: LimitPlan, processCount: number): LimitPlan {
  return makeLimitPlan(
    plan.organizationId,
    plan.limits.map((limit) => (limit.kind === 'budget' ? limit : { ...limit, limit: Math.max(1, Math.floor(limit.limit / processCount)) })),
  );
}

/** Where a limit's counter is: its key in Redis. */
export function toLimitKey(organizationId: string, limit: Limit): string {
  if (limit.kind === 'budget') return toBudgetKey(organizationId, limit);
  return `rate_limit:{${organizationId}}:${limit.scope}:${limit.subject}:${limit.name}`;
}

function toBudgetKey(organizationId: string, { scope, subject, span, model, resetAtMs }: BudgetLimit): string {
  // The star is for all models, and encodeURIComponent would leave a model of that name alone.
  const modelPart = model === null ? '*' : encodeURIComponent(model.toWellFormed()).replaceAll('*', '%2A');
  return `rate_limit:{${organizationId}}:budget:${scope}:${subject}:${span.name}:${modelPart}:${resetAtMs ?? 0}`;
}

function assertLimit(limit: Limit): void {
  switch (limit.kind) {
    case 'window':
      assertWholeNumber(limit.name, limit.limit, 0, LARGEST_LIMIT);
      assertWholeNumber(`${limit.name}.windowMs`, limit.windowMs, 1, LARGEST_WINDOW_MS);
      return;
    case 'lease':
      assertWholeNumber(limit.name, limit.limit, 0, LARGEST_LIMIT);
      return;
    case 'budget':
      assertWholeNumber(limit.name, limit.limit, 0, LARGEST_BUDGET_NANOS);
      assertWholeNumber('budget.resetAtMs', limit.resetAtMs ?? 0, 0, Number.MAX_SAFE_INTEGER);
      assertWholeNumber('budget.span.toMs', limit.span.toMs ?? 0, 0, Number.MAX_SAFE_INTEGER);
      return;
  }
}

/** @throws RangeError naming the field, when it is not a whole number from `lowest` to `highest`. */
export function assertWholeNumber(name: string, value: number, lowest: number, highest: number): void {
  if (!Number.isInteger(value) || value < lowest || value > highest) {
    throw new RangeError(`${name}: must be a whole number from ${lowest} to ${highest}`);
  }
}
