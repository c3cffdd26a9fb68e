import { Foundation1763600000000 } from './1763600000000-foundation';
import { UsageRollups1763700000000 } from './1763700000000-usage-rollups';
import { LimitsAndBudgets1763700001000 } from './1763700001000-limits-and-budgets';
import { BudgetAlerts1763700002000 } from './1763700002000-budget-alerts';
import { Idempotency1763700003000 } from './1763700003000-idempotency';
import { DemoPrices1763700004000 } from './1763700004000-demo-prices';

/** Every migration, oldest first. A migration that has run anywhere is never changed: add a new one. */
export const MIGRATIONS = [Foundation1763600000000, UsageRollups1763700000000, LimitsAndBudgets1763700001000, BudgetAlerts1763700002000, Idempotency1763700003000, DemoPrices1763700004000];
