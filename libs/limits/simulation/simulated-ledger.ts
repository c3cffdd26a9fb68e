import { type Nanos } from '@weir/kernel';
import { type BudgetSource, type SpentQuestion } from '../src/budget-source';
import { type World } from './world';

export interface LedgerRow {
  readonly requestId: string;
  readonly attempt: number;
  readonly atMs: number;
  readonly keyId: string;
  readonly organizationId: string;
  readonly model: string;
  readonly costNanos: Nanos;
  readonly status: 'succeeded' | 'unknown';
}

/** PostgreSQL as the meter sees it: down, slow, or committing without saying so. */
export class SimulatedLedger implements BudgetSource {
  readonly rows = new Map<string, LedgerRow>();
  isDown = false;

  constructor(
    readonly world: World,
    private readonly isSlow: () => boolean,
    private readonly commitLostRate: () => number,
  ) {}

  async sumSpentNanos(question: SpentQuestion): Promise<Nanos> {
    await this.#wait();
    this.#assertUp();
    const spentNanos = this.sum(question);
    this.world.note(() => `the ledger sums up ${spentNanos} for ${question.scope} ${question.subject} but ${question.exceptRequestIds.join(' ')}`);
    await this.#wait();
    return spentNanos;
  }

  sum({ scope, subject, model, organizationId, fromMs, toMs, exceptRequestIds }: SpentQuestion): Nanos {
    let spentNanos = 0;
    for (const row of this.rows.values()) {
      const owner = scope === 'key' ? row.keyId : row.organizationId;
      const counts = owner === subject && row.organizationId === organizationId && (model === null || row.model === model);
      if (counts && row.atMs >= fromMs && (toMs === null || row.atMs < toMs) && !exceptRequestIds.includes(row.requestId)) spentNanos += row.costNanos;
    }
    return spentNanos;
  }

  /** ON CONFLICT DO NOTHING. @throws also when it was done, and nobody heard of it. */
  async insert(rows: readonly LedgerRow[]): Promise<void> {
    await this.#wait();
    this.#assertUp();
    for (const row of rows) {
      const key = `${row.requestId}/${row.attempt}`;
      if (!this.rows.has(key)) this.rows.set(key, row);
    }
    if (this.world.chance(this.commitLostRate())) throw new Error('the connection was lost');
    await this.#wait();
  }

  stop(durationMs: number): void {
    this.isDown = true;
    this.world.after(durationMs, () => {
      this.isDown = false;
    });
  }

  #assertUp(): void {
    if (this.isDown) throw new Error('the ledger is away');
  }

  #wait(): Promise<void> {
    const delayMs = this.isSlow() ? this.world.between(1, 500) : this.world.between(1, 8);
    return new Promise((resolve) => void this.world.after(delayMs, resolve));
  }
}
