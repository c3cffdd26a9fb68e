import { ApiProperty } from '@nestjs/swagger';
import { readStoredBudgets } from '@weir/access';
import { type Budget, BUDGET_PERIODS, type BudgetPeriod, toUsdString } from '@weir/kernel';
import { Name, OneOf, Percentages, UsdAmount } from '../fields/fields';

const LONGEST_MODEL = 256;
const PERIOD = 'By the calendar, in UTC; a week begins on Monday. `total` never begins anew.';
const MODEL = 'The exact name that callers ask for. Null or absent is for all models together.';

export const BUDGETS = 'At most one a period and model. Every budget of the key, its project and its organization must have room.';
export const BUDGETS_REPLACED = `${BUDGETS} Replaces the list; a budget of the same period and model keeps its \`reset_at\`.`;
export const UNREADABLE = 'Null when a newer version wrote what this one cannot read; then nothing is let through.';

export class BudgetInput {
  @UsdAmount({ description: 'At most this is spent in a period; 0 lets nothing through that costs.' })
  amount_usd: number | string;

  @OneOf(BUDGET_PERIODS, { description: PERIOD })
  period: BudgetPeriod;

  @Name(LONGEST_MODEL, { optional: true, nullable: true, description: MODEL })
  model?: string | null;

  @Percentages({ optional: true, nullable: true, description: 'Percentages of the amount at which an alert is sent; 80 and 100 when not given.' })
  alerts?: number[] | null;
}

export class ResetBudget {
  @OneOf(BUDGET_PERIODS, { description: 'Which budget: its period.' })
  period: BudgetPeriod;

  @Name(LONGEST_MODEL, { optional: true, nullable: true, description: 'Which budget: its model.' })
  model?: string | null;
}

export class BudgetView {
  @ApiProperty({ type: String, description: 'Dollars, exact to the nano-dollar.' })
  amount_usd: string;

  @ApiProperty({ enum: [...BUDGET_PERIODS] })
  period: BudgetPeriod;

  @ApiProperty({ type: String, nullable: true })
  model: string | null;

  @ApiProperty({ type: 'integer', isArray: true, description: 'Percentages, ascending.' })
  alerts: number[];

  @ApiProperty({ type: String, format: 'date-time', nullable: true, description: 'What was spent before does not count.' })
  reset_at: string | null;
}

/** Null for a column that cannot be read: as with limits. */
export function toBudgetViews(stored: unknown): BudgetView[] | null {
  try {
    return readStoredBudgets(stored).map(toBudgetView);
  } catch {
    return null;
  }
}

function toBudgetView({ amountNanos, period, model, alerts, resetAtMs }: Budget): BudgetView {
  return {
    amount_usd: toUsdString(amountNanos),
    period,
    model,
    alerts: [...alerts],
    reset_at: resetAtMs === null ? null : new Date(resetAtMs).toISOString(),
  };
}
