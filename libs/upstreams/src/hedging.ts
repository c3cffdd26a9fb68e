import { type Operation } from '@weir/kernel';
import { EventWindow } from './event-window';

export const HEDGE_MIN_MS = 50;
/** With fewer latencies than this nobody knows what is late. */
export const HEDGE_SAMPLES = 20;
export const HEDGE_SHARE = 0.05;
export const HEDGE_WINDOW_MS = 60_000;

const HEDGE_BUCKETS = 60;

/** Short calls that change nothing and cost little. A second chat or picture would be paid for twice and thrown away once. */
const HEDGED: ReadonlySet<Operation> = new Set<Operation>(['embeddings', 'rerank']);

/**
 * How long a call may be without an answer before a second one is worth sending; null for never.
 * @param percentile95Ms of the target's latest latencies
 * @param samples how many they are
 */
export function toHedgeDelayMs(operation: Operation, percentile95Ms: number | null, samples: number): number | null {
  if (!HEDGED.has(operation) || percentile95Ms === null || samples < HEDGE_SAMPLES) return null;
  return Math.max(HEDGE_MIN_MS, percentile95Ms);
}

/** Keeps second calls to a twentieth of the calls that could have one, in any minute; when all are slow, they would only add to it. */
export class HedgeBudget {
  readonly #calls = new EventWindow(HEDGE_WINDOW_MS, HEDGE_BUCKETS);
  readonly #hedges = new EventWindow(HEDGE_WINDOW_MS, HEDGE_BUCKETS);
  calls = 0;
  hedges = 0;

  countCall(nowMs: number): void {
    this.#calls.add(false, nowMs);
    this.calls += 1;
  }

  allows(nowMs: number): boolean {
    return this.#hedges.total(nowMs) + 1 <= HEDGE_SHARE * this.#calls.total(nowMs);
  }

  spend(nowMs: number): void {
    this.#hedges.add(false, nowMs);
    this.hedges += 1;
  }
}
