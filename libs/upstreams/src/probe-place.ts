/** Held by a call that is an ordinary one: its outcome is no proof while a breaker is open. */
export const NO_TICKET = 0;

/** Held by a call that went past an open breaker because nothing else was left. */
export const LET_THROUGH = -1;

/** A place that was taken, but whose call never began, is free again after this time. */
const UNSTARTED_LEASE_MS = 10_000;

/**
 * Room for one call at a time: the probe of a half-open breaker, the first try of a parked key.
 * A place is held by its ticket's number, so that a late word of an older holder frees nothing.
 */
export class ProbePlace {
  #holder = NO_TICKET;
  #latest = NO_TICKET;
  #takenAtMs = 0;
  #started = false;

  isFree(nowMs: number): boolean {
    if (this.#holder === NO_TICKET) return true;
    // A started call ends in report or finished; one that was picked and dropped says nothing at all.
    return !this.#started && nowMs - this.#takenAtMs >= UNSTARTED_LEASE_MS;
  }

  take(nowMs: number): number {
    this.#latest += 1;
    this.#holder = this.#latest;
    this.#takenAtMs = nowMs;
    this.#started = false;
    return this.#holder;
  }

  start(ticket: number): void {
    if (this.#holds(ticket)) this.#started = true;
  }

  /** True when the ticket held the place. */
  release(ticket: number): boolean {
    if (!this.#holds(ticket)) return false;
    this.#holder = NO_TICKET;
    return true;
  }

  /** Whoever holds the place holds it no more. */
  clear(): void {
    this.#holder = NO_TICKET;
  }

  #holds(ticket: number): boolean {
    return ticket > 0 && ticket === this.#holder;
  }
}
