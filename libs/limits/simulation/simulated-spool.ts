import { type Nanos } from '@weir/kernel';
import { type LedgerRow } from './simulated-ledger';

export interface HeldCall {
  readonly requestId: string;
  readonly organizationId: string;
  readonly counters: readonly string[];
  readonly heldAtMs: number;
}

/**
 * One process's spool: what is in it stays when the process dies. A model of what libs/ledger keeps on
 * disk (features never import each other), by the same rules: HOLD before the admission, INTENT before
 * the upstream, FINAL after it, a release when the hold is settled.
 */
export class SimulatedSpool {
  readonly holds = new Map<string, HeldCall>();
  /** The rows that stand if nothing more is heard: at their estimates. */
  readonly intents = new Map<string, LedgerRow>();
  readonly finals: LedgerRow[] = [];
  /** How many finals are known to be in the ledger. */
  uploadedCount = 0;
  /** Whoever adopts it holds the lock. */
  owner: string | null;

  constructor(readonly name: string) {
    this.owner = name;
  }

  hold(call: HeldCall): void {
    this.holds.set(call.requestId, call);
  }

  release(requestId: string): void {
    this.holds.delete(requestId);
  }

  intend(row: LedgerRow): void {
    this.intents.set(`${row.requestId}/${row.attempt}`, row);
  }

  finish(row: LedgerRow): void {
    this.intents.delete(`${row.requestId}/${row.attempt}`);
    this.finals.push(row);
  }

  /** What its open holds cost, when nothing more comes. */
  chargeOf(requestId: string): Nanos {
    let nanos = 0;
    for (const row of this.finals) if (row.requestId === requestId) nanos += row.costNanos;
    for (const row of this.intents.values()) if (row.requestId === requestId) nanos += row.costNanos;
    return nanos;
  }
}
