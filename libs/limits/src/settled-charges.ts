import { type Nanos } from '@weir/kernel';
import { makeLimitPlan } from './limit-plan';
import { type Grant, type LimitPlan } from './meter-store';

/** Beyond this the oldest is forgotten: the ledger has been away for long, and its spool is about to refuse. */
const LARGEST_COUNT = 500_000;

export interface SettledCharge {
  readonly grant: Grant;
  readonly nanos: Nanos;
  /** Of its rows, how many are not in the ledger yet. */
  missingRows: number;
}

/** What every charge under one plan has in common. */
type BudgetPart = Pick<Grant, 'plan' | 'buckets'>;

/**
 * What was settled and is not in the ledger yet. When the counters are lost, the ledger does not
 * know of it, so it must be put back by whoever remembers.
 */
export class SettledCharges {
  readonly #byRequestId = new Map<string, SettledCharge>();
  /** How many rows of calls that are not settled are in the ledger already. */
  readonly #landedEarly = new Map<string, number>();
  readonly #budgetParts = new WeakMap<LimitPlan, BudgetPart>();

  get size(): number {
    return this.#byRequestId.size;
  }

  /** @param rows how many rows of the ledger tell of it */
  keep(grant: Grant, nanos: Nanos, rows: number): void {
    const missingRows = rows - (this.#landedEarly.get(grant.requestId) ?? 0);
    this.#landedEarly.delete(grant.requestId);
    if (missingRows <= 0 || nanos === 0) return;
    const part = this.#toBudgetPart(grant.plan);
    if (part.buckets.length === 0) return;
    const charge = toCharge(part, grant, nanos, missingRows);
    if (this.#byRequestId.size >= LARGEST_COUNT) for (const oldest of this.#byRequestId.keys()) return this.#replace(oldest, charge);
    this.#byRequestId.set(grant.requestId, charge);
  }

  /** @param isOpen whether it is still to be settled. */
  land(requestId: string, isOpen: boolean): void {
    if (isOpen) {
      this.#landedEarly.set(requestId, (this.#landedEarly.get(requestId) ?? 0) + 1);
      return;
    }
    const charge = this.#byRequestId.get(requestId);
    if (charge === undefined) return;
    charge.missingRows -= 1;
    if (charge.missingRows <= 0) this.#byRequestId.delete(requestId);
  }

  /** All of them, to be put back and settled once more; they are kept again when that is done. */
  takeAll(): SettledCharge[] {
    const all = [...this.#byRequestId.values()];
    this.#byRequestId.clear();
    return all;
  }

  values(): IterableIterator<SettledCharge> {
    return this.#byRequestId.values();
  }

  #replace(oldest: string, charge: SettledCharge): void {
    this.#byRequestId.delete(oldest);
    this.#byRequestId.set(charge.grant.requestId, charge);
  }

  /** Its leases and tokens were given back for good. */
  #toBudgetPart(plan: LimitPlan): BudgetPart {
    let part = this.#budgetParts.get(plan);
    if (part === undefined) {
      const budgets = plan.limits.filter((limit) => limit.kind === 'budget');
      part = { plan: makeLimitPlan(plan.organizationId, budgets), buckets: budgets.map(() => 0) };
      this.#budgetParts.set(plan, part);
    }
    return part;
  }
}

function toCharge({ plan, buckets }: BudgetPart, { requestId }: Grant, nanos: Nanos, missingRows: number): SettledCharge {
  return { missingRows, grant: { plan, requestId, tokens: 0, buckets, heldNanos: nanos }, nanos };
}
