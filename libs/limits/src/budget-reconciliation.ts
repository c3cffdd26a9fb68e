import { type Clock } from '@weir/kernel';
import { type BudgetSource, toSpentQuestion } from './budget-source';
import { type BudgetLimit, type LimitPlan, type MeterStore } from './meter-store';

/** By then a row's call has been settled, or has a hold: a younger row may be counted twice. */
const SETTLED_AFTER_MS = 600_000;
const IN_USE_FOR_MS = 900_000;

export interface BudgetReconciliationOptions {
  readonly store: MeterStore;
  readonly source: BudgetSource;
  readonly clock: Clock;
}

/**
 * Raises counters to what the ledger knows, never lowers them: after a failover that lost the last
 * writes, say, or for calls that were under way when a budget was made.
 */
export class BudgetReconciliation {
  readonly #options: BudgetReconciliationOptions;
  readonly #usedAtMs = new Map<LimitPlan, number>();
  #isRunning = false;

  constructor(options: BudgetReconciliationOptions) {
    this.#options = options;
  }

  /** @param plan one with budgets. */
  noteUse(plan: LimitPlan): void {
    this.#usedAtMs.set(plan, this.#options.clock.monotonicMs());
  }

  /** @returns how many counters were compared. Never rejects: what failed is compared the next time. */
  async run(): Promise<number> {
    if (this.#isRunning) return 0;
    this.#isRunning = true;
    let compared = 0;
    try {
      for (const [counter, { organizationId, budget }] of this.#listInUse()) {
        await this.#compare(organizationId, counter, budget);
        compared++;
      }
    } catch {
      // The ledger or Redis is away; both are watched elsewhere.
    } finally {
      this.#isRunning = false;
    }
    return compared;
  }

  async #compare(organizationId: string, counter: string, budget: BudgetLimit): Promise<void> {
    const { store, source, clock } = this.#options;
    const holds = await store.listHolds(organizationId, counter);
    if (holds === null) return;
    const question = toSpentQuestion(organizationId, budget, holds.requestIds, clock.nowMs() - SETTLED_AFTER_MS);
    if (question.toMs !== null && question.toMs <= question.fromMs) return;
    await store.seed(organizationId, counter, budget, await source.sumSpentNanos(question), true, '');
  }

  #listInUse(): Map<string, { readonly organizationId: string; readonly budget: BudgetLimit }> {
    const nowMs = this.#options.clock.monotonicMs();
    const inUse = new Map<string, { readonly organizationId: string; readonly budget: BudgetLimit }>();
    for (const [plan, usedAtMs] of this.#usedAtMs) {
      if (nowMs - usedAtMs > IN_USE_FOR_MS) {
        this.#usedAtMs.delete(plan);
        continue;
      }
      plan.limits.forEach((budget, index) => {
        if (budget.kind === 'budget') inUse.set(plan.keys[index], { organizationId: plan.organizationId, budget });
      });
    }
    return inUse;
  }
}
