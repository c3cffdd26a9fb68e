import { type Nanos } from '@weir/kernel';
import { ExpiringIds } from './expiring-ids';
import { type BudgetState } from './meter-store';

/** A hold whose heartbeat is missing for so long is shown as spent. It goes on counting. */
export const HOLD_MS = 60_000;
/** A hold that has been expired for so long is spent for good. Until then it can still be settled. */
export const FOLD_MS = 3_600_000;
/** A counter that has nothing but a mark is forgotten after so long. */
const MARK_MS = 60_000;

/**
 * What is spent and held in one span of a budget, in nano-dollars. The twin of budget.lua.ts. Times go
 * in; there is no clock here.
 */
export class BudgetCounter {
  /** Null until it is seeded. */
  #spentNanos: Nanos | null = null;
  #heldNanos: Nanos = 0;
  readonly #nanosById = new Map<string, Nanos>();
  readonly #expiries = new ExpiringIds();
  #mark: { readonly text: string; readonly untilMs: number } | null = null;

  get isSeeded(): boolean {
    return this.#spentNanos !== null;
  }

  /** Spent and held, without the hold of that request. */
  usedBesides(requestId: string): Nanos {
    return (this.#spentNanos ?? 0) + this.#heldNanos - (this.#nanosById.get(requestId) ?? 0);
  }

  /** Makes the hold, or makes it as large as that. */
  hold(requestId: string, nanos: Nanos, nowMs: number): void {
    this.#change(requestId, nanos);
    this.#expiries.set(requestId, nowMs + HOLD_MS);
  }

  findHold(requestId: string): Nanos | null {
    return this.#nanosById.get(requestId) ?? null;
  }

  extend(requestId: string, nanos: Nanos): void {
    const held = this.#nanosById.get(requestId);
    if (held !== undefined) this.#change(requestId, held + nanos);
  }

  /** The hold goes, and nothing is spent. */
  release(requestId: string): void {
    if (this.#nanosById.has(requestId)) this.#forget(requestId);
  }

  /** The hold becomes spent, as much of it as was charged. @returns null, and leaves the hold, when the counter is not seeded. */
  settle(requestId: string, nanos: Nanos, nowMs: number): BudgetState | null {
    this.fold(nowMs);
    if (this.#spentNanos === null) return null;
    const held = this.#nanosById.get(requestId);
    if (held !== undefined) {
      this.#spentNanos += Math.min(nanos, held);
      this.#forget(requestId);
    }
    return this.show(nowMs);
  }

  renew(requestId: string, nowMs: number): void {
    this.fold(nowMs);
    if (this.#nanosById.has(requestId)) this.#expiries.set(requestId, nowMs + HOLD_MS);
  }

  restore(requestId: string, nanos: Nanos, nowMs: number): void {
    this.fold(nowMs);
    if (!this.#nanosById.has(requestId)) {
      this.#change(requestId, nanos);
      // A sum that is under way may count this call already.
      this.#mark = null;
    }
    this.#expiries.set(requestId, nowMs + HOLD_MS);
  }

  /** @returns whether the counter is there now. */
  seed(spentNanos: Nanos, mark: string, nowMs: number): boolean {
    if (this.#spentNanos !== null) return true;
    if (this.#findMark(nowMs) !== mark) return false;
    this.#mark = null;
    this.#spentNanos = spentNanos;
    return true;
  }

  raise(spentNanos: Nanos): void {
    if (this.#spentNanos !== null) this.#spentNanos = Math.max(this.#spentNanos, spentNanos);
  }

  /** @returns the mark that is there, which is `newMark` when there was none; empty when the counter is seeded. */
  mark(newMark: string, nowMs: number): string {
    if (this.#spentNanos !== null) return '';
    const known = this.#findMark(nowMs);
    if (known !== null) return known;
    this.#mark = { text: newMark, untilMs: this.#nanosById.size === 0 ? nowMs + MARK_MS : Infinity };
    return newMark;
  }

  listRequestIds(): string[] {
    return this.#expiries.ids();
  }

  /** Expired holds are shown as spent. */
  show(nowMs: number): BudgetState | null {
    this.fold(nowMs);
    if (this.#spentNanos === null) return null;
    let expiredNanos = 0;
    for (const [requestId] of this.#expiries.expired(nowMs)) expiredNanos += this.#nanosById.get(requestId) ?? 0;
    return { spentNanos: this.#spentNanos + expiredNanos, heldNanos: this.#heldNanos - expiredNanos };
  }

  /**
   * What has been expired for an hour becomes spent. A counter that is not seeded keeps all its holds: by
   * them the ledger is told what it must not count again.
   */
  fold(nowMs: number): void {
    if (this.#spentNanos === null) return;
    for (const [requestId] of this.#expiries.expired(nowMs - FOLD_MS)) {
      this.#spentNanos += this.#nanosById.get(requestId) ?? 0;
      this.#forget(requestId);
    }
  }

  isIdle(nowMs: number): boolean {
    return this.#spentNanos === null && this.#nanosById.size === 0 && this.#findMark(nowMs) === null;
  }

  #findMark(nowMs: number): string | null {
    return this.#mark === null || nowMs >= this.#mark.untilMs ? null : this.#mark.text;
  }

  #change(requestId: string, nanos: Nanos): void {
    this.#heldNanos += nanos - (this.#nanosById.get(requestId) ?? 0);
    this.#nanosById.set(requestId, nanos);
  }

  #forget(requestId: string): void {
    this.#heldNanos -= this.#nanosById.get(requestId) ?? 0;
    this.#nanosById.delete(requestId);
    this.#expiries.delete(requestId);
  }
}
