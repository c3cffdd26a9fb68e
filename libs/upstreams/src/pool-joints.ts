import { type ModelRoute, type Target } from './pool-contract';

/**
 * What the pool asks of parts that it may not know: who lives beside this process, whom to favour,
 * what a target costs. The composition root joins them, also after the pool was made. Each must
 * answer at once and not throw.
 */
export interface PoolJoints {
  /** How many processes share each upstream's `concurrency`; 1 while nobody knows. */
  processCount: () => number;
  /** An organization's share of an upstream's places when calls wait for it: above 0, ordinarily 1. */
  organizationWeight: (organizationId: string) => number;
  /** A number that is lower for what is cheaper, comparable among the targets of a route; null without a price. */
  priceOf: (route: ModelRoute, target: Target) => number | null;
}

export function toPoolJoints(given: Partial<PoolJoints>): PoolJoints {
  return { processCount: given.processCount ?? (() => 1), organizationWeight: given.organizationWeight ?? (() => 1), priceOf: given.priceOf ?? (() => null) };
}

/** What a weight from outside counts: 0, a negative number or NaN would starve, or break the arithmetic. */
export function toOrganizationWeight(given: number): number {
  return given > 0 && Number.isFinite(given) ? given : 1;
}
