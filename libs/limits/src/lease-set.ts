import { ExpiringIds } from './expiring-ids';

/** A call whose heartbeat is missing for so long no longer counts as open. */
export const LEASE_MS = 30_000;

/**
 * Who is open: one lease a request, which lives on a heartbeat, so that nothing can stick. The twin of
 * lease.lua.ts. Times go in; there is no clock here. No lease lives longer than `LEASE_MS`, even when
 * time goes back.
 */
export class LeaseSet {
  readonly #leases = new ExpiringIds();

  countOpen(nowMs: number): number {
    return this.#leases.size - this.#leases.countExpired(nowMs);
  }

  /** How long until one more fits, as far as can be known: until the first lease expires; 0 when it fits now. */
  freesInMs(requestId: string, limit: number, nowMs: number): number {
    const open = this.countOpen(nowMs);
    if (open < limit) return 0;
    // Asked again after a lost answer: its own lease does not stand in its way.
    const ownMs = this.#leases.find(requestId);
    if (ownMs !== null && ownMs > nowMs && open === limit) return 0;
    return Math.ceil(Math.min((this.#leases.findNextMs(nowMs) ?? nowMs) - nowMs, LEASE_MS));
  }

  /** How long until none is open any more, if no heartbeat comes. */
  emptyInMs(nowMs: number): number {
    return Math.max(0, Math.ceil(Math.min(this.#leases.findLastMs() - nowMs, LEASE_MS)));
  }

  take(requestId: string, nowMs: number): void {
    this.noteTime(nowMs);
    this.#leases.deleteExpired(nowMs);
    this.put(requestId, nowMs);
  }

  /** The heartbeat; brings back one that was missed for too long, since its call is still running. */
  put(requestId: string, nowMs: number): void {
    this.#leases.set(requestId, nowMs + LEASE_MS);
  }

  remove(requestId: string): void {
    this.#leases.delete(requestId);
  }

  /** The clock may have gone back. */
  noteTime(nowMs: number): void {
    this.#leases.shortenTo(nowMs + LEASE_MS);
  }

  isIdle(nowMs: number): boolean {
    return this.countOpen(nowMs) === 0;
  }
}
