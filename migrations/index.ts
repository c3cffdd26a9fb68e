import { Foundation1763600000000 } from './1763600000000-foundation';
import { UsageRollups1763700000000 } from './1763700000000-usage-rollups';
import { LimitsAndBudgets1763700001000 } from './1763700001000-limits-and-budgets';
import { BudgetAlerts1763700002000 } from './1763700002000-budget-alerts';
import { Idempotency1763700003000 } from './1763700003000-idempotency';
import { DemoPrices1763700004000 } from './1763700004000-demo-prices';
import { Routing1763800000000 } from './1763800000000-routing';
import { ManagedBy1763800001000 } from './1763800001000-managed-by';
import { Voices1763800002000 } from './1763800002000-voices';
import { MeshJobs1763800003000 } from './1763800003000-mesh-jobs';
import { QueueWeight1763800004000 } from './1763800004000-queue-weight';
import { EndedSessions1763900000000 } from './1763900000000-ended-sessions';

/** Every migration, oldest first. A migration that has run anywhere is never changed: add a new one. */
export const MIGRATIONS = [Foundation1763600000000, UsageRollups1763700000000, LimitsAndBudgets1763700001000, BudgetAlerts1763700002000, Idempotency1763700003000, DemoPrices1763700004000, Routing1763800000000, ManagedBy1763800001000, Voices1763800002000, MeshJobs1763800003000, QueueWeight1763800004000, EndedSessions1763900000000];
