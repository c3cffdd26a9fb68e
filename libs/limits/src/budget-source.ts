import { type Nanos } from '@weir/kernel';
import { type BudgetLimit } from './meter-store';

export interface SpentQuestion {
  readonly organizationId: string;
  readonly scope: BudgetLimit['scope'];
  readonly subject: string;
  /** Null: of all models. */
  readonly model: string | null;
  readonly fromMs: number;
  /** Not included; null: no end. */
  readonly toMs: number | null;
  /** What these requests have cost is not asked for: they have a hold, which becomes spent by itself. */
  readonly exceptRequestIds: readonly string[];
}

/** What the ledger knows: limits may not read it themselves, so the application joins the two. */
export interface BudgetSource {
  /** @throws when the ledger cannot be read. */
  sumSpentNanos(question: SpentQuestion): Promise<Nanos>;
}

/** The part of a budget's span that counts. */
export function toSpentQuestion(organizationId: string, budget: BudgetLimit, exceptRequestIds: readonly string[], untilMs: number | null): SpentQuestion {
  const ends = [budget.span.toMs, untilMs].filter((endMs) => endMs !== null);
  return {
    organizationId,
    scope: budget.scope,
    subject: budget.subject,
    model: budget.model,
    fromMs: Math.max(budget.span.fromMs, budget.resetAtMs ?? 0),
    toMs: ends.length === 0 ? null : Math.min(...ends),
    exceptRequestIds,
  };
}
