import { type Clock, type Nanos } from '@weir/kernel';
import { type LedgerWriter, type UsageRollups } from '@weir/ledger';
import { type BudgetSource, type DayRequests, type SpentQuestion, type WindowSource } from '@weir/limits';

/** Who is asked for a model's id: counters of a model's limits are named after it, rows of the ledger after its name. */
interface ModelNames {
  findRoute(model: string): { readonly id: string } | null;
}

/** Rows of this process that are on their way are waited for as long as the question may take. */
export class LedgerBudgetSource implements BudgetSource {
  constructor(
    private readonly writer: Pick<LedgerWriter, 'flush'>,
    private readonly rollups: Pick<UsageRollups, 'sumSpentNanos'>,
  ) {}

  async sumSpentNanos(question: SpentQuestion): Promise<Nanos> {
    await this.writer.flush();
    return this.rollups.sumSpentNanos(question);
  }
}

/** What the ledger knows of the last day, told for each limit that counts it: the key's, the project's, the organization's, the model's. */
export class LedgerWindowSource implements WindowSource {
  constructor(
    private readonly rollups: Pick<UsageRollups, 'readDayRequests'>,
    private readonly models: ModelNames,
    private readonly clock: Clock,
  ) {}

  async *readDayRequests(fromMs: number): AsyncGenerator<DayRequests> {
    for await (const { organizationId, keyId, projectId, model, atMs, requests } of this.rollups.readDayRequests(this.clock.nowMs())) {
      if (atMs < fromMs) continue;
      const counted = { organizationId, atMs, requests };
      yield { ...counted, scope: 'key', subject: keyId };
      yield { ...counted, scope: 'organization', subject: organizationId };
      if (projectId !== null) yield { ...counted, scope: 'project', subject: projectId };
      const route = this.models.findRoute(model);
      if (route !== null) yield { ...counted, scope: 'model', subject: route.id };
    }
  }
}
