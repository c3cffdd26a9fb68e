import { WeirError } from '@weir/kernel';
import { toSharedPlan } from './limit-plan';
import { type Limit, type LimitPlan } from './meter-store';

/** What happens to a control while Redis is away: counted by this process, or refused. */
export type WithoutRedis = 'local' | 'refuse';

export interface WithoutRedisPolicies {
  /** LIMITS_WITHOUT_REDIS: windows of requests and tokens; `local`: each process its share. */
  readonly limits: WithoutRedis;
  /** CONCURRENCY_WITHOUT_REDIS; `local`: each process its share. */
  readonly concurrency: WithoutRedis;
  /** BUDGETS_WITHOUT_REDIS; `local`: only when this is the only process. */
  readonly budgets: WithoutRedis;
}

export const DEFAULT_POLICIES: WithoutRedisPolicies = { limits: 'local', concurrency: 'local', budgets: 'refuse' };

/** While Redis is away, a probe runs this often: earlier than that nothing can have changed. */
const RETRY_AFTER_MS = 1_000;

export function toUnavailable(detail: string): WeirError {
  return new WeirError('limits_unavailable', { retryAfterMs: RETRY_AFTER_MS, detail });
}

/** The first limit of a plan that cannot be kept by this process alone; null when all can. */
export function findRefusing(plan: LimitPlan, policies: WithoutRedisPolicies, processCount: number | null): Limit | null {
  return plan.limits.find((limit) => !isKeptHere(limit, policies, processCount)) ?? null;
}

function isKeptHere(limit: Limit, policies: WithoutRedisPolicies, processCount: number | null): boolean {
  switch (limit.kind) {
    case 'window':
      return policies.limits === 'local';
    case 'lease':
      return policies.concurrency === 'local';
    case 'budget':
      // A share of a budget would be money that two processes may both think theirs; and who has seen nobody yet is not sure to be alone.
      return policies.budgets === 'local' && processCount === 1;
  }
}

/** Plans for this process's share of each limit, made once a plan. */
export class LimitShares {
  readonly #shares = new WeakMap<LimitPlan, { readonly processCount: number; readonly plan: LimitPlan }>();

  toShare(plan: LimitPlan, processCount: number): LimitPlan {
    if (processCount === 1) return plan;
    const known = this.#shares.get(plan);
    if (known?.processCount === processCount) return known.plan;
    const shared = toSharedPlan(plan, processCount);
    this.#shares.set(plan, { processCount, plan: shared });
    return shared;
  }
}
