import { type Clock, type Nanos } from '@weir/kernel';
import { type EpochWatch } from './epoch-watch';
import { type Grant, type LimitPlan } from './meter-store';
import { type SettleQueue } from './settle-queue';
import { toCounterPlan } from './to-counter-plan';

/** Of a process's clock against that of Redis. In the first three seconds of an epoch no hold is made, so nothing is mistaken. */
const LARGEST_SKEW_MS = 1_500;

/** A call of a process that is no more, as its spool tells of it. */
export interface RecoveredCall {
  readonly requestId: string;
  readonly organizationId: string;
  /** The keys of the budgets' counters in which it has a hold. */
  readonly counters: readonly string[];
  /** What it cost, or is charged at. */
  readonly chargedNanos: Nanos;
  /** When its hold was made, by its process's clock: whether that can still be there. Absent: it can. */
  readonly heldAtMs?: number;
}

export interface RecoveredCallsOptions {
  readonly clock: Clock;
  readonly queue: SettleQueue;
  /** Null: the counters are this process's own. */
  readonly epoch: EpochWatch | null;
}

/** Ends the holds of calls of processes that are no more. */
export class RecoveredCalls {
  readonly #options: RecoveredCallsOptions;
  readonly #recoveries = new Map<string, Promise<void>>();
  #waiting: (() => void)[] = [];

  constructor(options: RecoveredCallsOptions) {
    this.#options = options;
  }

  /** @returns when its record may go; the same promise for a call that is being settled. */
  settle(call: RecoveredCall): Promise<void> {
    let recovery = this.#recoveries.get(call.requestId);
    if (recovery === undefined) {
      recovery = new Promise((resolve) => {
        // Whether the hold can be there is known with the first beat.
        if (this.#options.epoch?.epochMs === null) this.#waiting.push(() => this.#settle(call, resolve));
        else this.#settle(call, resolve);
      });
      this.#recoveries.set(call.requestId, recovery);
      void recovery.finally(() => this.#recoveries.delete(call.requestId));
    }
    return recovery;
  }

  /** The epoch is known: those that waited for it go on. */
  noteEpoch(): void {
    for (const settle of this.#waiting.splice(0)) settle();
  }

  #settle({ requestId, organizationId, counters, chargedNanos, heldAtMs }: RecoveredCall, onDone: () => void): void {
    const { clock, epoch, queue } = this.#options;
    const plan = toKnownCounters(organizationId, counters);
    if (plan === null) return onDone();
    const grant: Grant = { plan, requestId, tokens: 0, buckets: plan.limits.map(() => 0), heldNanos: chargedNanos };
    const isLost = epoch === null || (heldAtMs !== undefined && heldAtMs < (epoch.epochMs ?? 0) + LARGEST_SKEW_MS);
    queue.push(grant, { tokens: 0, nanos: chargedNanos }, {
      needsRestore: isLost && chargedNanos > 0,
      // Nothing was sent for it, so perhaps its admission was never answered, and is done late.
      uncertainSinceMs: epoch !== null && chargedNanos === 0 ? clock.monotonicMs() : -Infinity,
      isSilent: true,
      onDone,
    });
    // Counters of one's own are counted anew from the ledger after the next crash: nothing more needs to be kept of it.
    if (epoch === null) onDone();
  }
}

/** Null for counters that this version does not know: the ledger has the row, and the reconciliation brings it in. */
function toKnownCounters(organizationId: string, counters: readonly string[]): LimitPlan | null {
  try {
    return toCounterPlan(organizationId, counters);
  } catch {
    return null;
  }
}
