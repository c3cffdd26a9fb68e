import { type BudgetPeriod, type BudgetSpan, type Nanos } from '@weir/kernel';

/** A budget as the meter counts in it: what of its limit an alert needs to know. */
export interface WatchedBudget {
  readonly scope: 'key' | 'project' | 'organization';
  /** The id of whose budget it is. */
  readonly subject: string;
  /** The model it is for; null is for all. */
  readonly model: string | null;
  readonly period: BudgetPeriod;
  readonly span: BudgetSpan;
  readonly resetAtMs: number | null;
  /** The amount. */
  readonly limit: Nanos;
  /** Percentages, ascending, at which somebody is told. */
  readonly alerts: readonly number[];
}

/** A percentage of a budget was reached. */
export interface BudgetAlert {
  readonly id: string;
  readonly organizationId: string;
  readonly budget: WatchedBudget;
  readonly percent: number;
  readonly spentNanos: Nanos;
  readonly heldNanos: Nanos;
  readonly atMs: number;
}

/** Names a budget in one span, among all of its organization. A reset budget counts anew, so it has another name. */
export function toCounterName({ scope, subject, span, model, resetAtMs }: WatchedBudget): string {
  // The model comes last: its name may hold any character.
  return `${scope}:${subject}:${span.name}:${resetAtMs ?? 0}:${model === null ? 'all' : `model:${model}`}`;
}

/** The first amount spent at which `percent` of a budget is reached; exact for whole percentages. */
export function toThresholdNanos(limit: Nanos, percent: number): Nanos {
  // In two parts, because the product of a large budget and a percentage is no exact double.
  return Math.floor(limit / 100) * percent + Math.ceil(((limit % 100) * percent) / 100);
}
