import { type Nanos } from '@weir/kernel';
import { type BudgetSource, toSpentQuestion } from './budget-source';
import { type BudgetLimit, type LimitPlan, type MeterStore } from './meter-store';

export interface BudgetSeederOptions {
  readonly store: MeterStore;
  /** Null: nothing was ever spent. */
  readonly source: BudgetSource | null;
  /** Whether everybody has put back what was lost: what has no hold there is taken from the ledger. */
  readonly mayCount: () => Promise<boolean>;
}

/** Fills counters that are missing from the ledger: one query a counter, however many requests wait for it. */
export class BudgetSeeder {
  readonly #options: BudgetSeederOptions;
  readonly #underWay = new Map<string, Promise<boolean>>();

  constructor(options: BudgetSeederOptions) {
    this.#options = options;
  }

  /** @returns whether each of these is there now. Never rejects; takes as long as the ledger does. */
  async seed(plan: LimitPlan, indexes: readonly number[]): Promise<boolean> {
    const seeded = await Promise.all(indexes.map((index) => this.#seedOnce(plan, index)));
    return seeded.every((isThere) => isThere);
  }

  #seedOnce(plan: LimitPlan, index: number): Promise<boolean> {
    const counter = plan.keys[index];
    const budget = plan.limits[index];
    if (budget.kind !== 'budget') return Promise.resolve(true);
    let underWay = this.#underWay.get(counter);
    if (underWay === undefined) {
      underWay = this.#seedCounter(plan.organizationId, counter, budget)
        // The mark was gone: something was put back, or it was too old. The next one is new.
        .then((isSeeded) => isSeeded ?? this.#seedCounter(plan.organizationId, counter, budget))
        .then((isSeeded) => isSeeded === true)
        .catch(() => false)
        .finally(() => this.#underWay.delete(counter));
      this.#underWay.set(counter, underWay);
    }
    return underWay;
  }

  /**
   * The order matters. First the holds are listed, which leaves a mark; then the age of the data is
   * asked; only then the ledger. Were the data lost anywhere on the way, the mark would be gone with
   * it, and nothing is seeded: a sum that knows nothing of the others' holds never becomes a counter.
   * @returns null when the mark was gone.
   */
  async #seedCounter(organizationId: string, counter: string, budget: BudgetLimit): Promise<boolean | null> {
    const { store, mayCount } = this.#options;
    const holds = await store.listHolds(organizationId, counter);
    if (holds === null || !(await mayCount())) return false;
    const spentNanos = await this.#askSpent(organizationId, budget, holds.requestIds);
    const isSeeded = await store.seed(organizationId, counter, budget, spentNanos, false, holds.mark);
    if (isSeeded === null) return false;
    return isSeeded ? true : null;
  }

  async #askSpent(organizationId: string, budget: BudgetLimit, heldRequestIds: readonly string[]): Promise<Nanos> {
    const { source } = this.#options;
    return source === null ? 0 : source.sumSpentNanos(toSpentQuestion(organizationId, budget, heldRequestIds, null));
  }
}
