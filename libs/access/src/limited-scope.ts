import { type Budget, type ScopeLimits } from '@weir/kernel';

/**
 * One place where limits and budgets stand: a key, a project or an organization. Never changed, and
 * shared: there is another object exactly when its row's limits or budgets are others.
 */
export interface LimitedScope<Id extends string> {
  readonly id: Id;
  readonly limits: ScopeLimits;
  readonly budgets: readonly Budget[];
}
