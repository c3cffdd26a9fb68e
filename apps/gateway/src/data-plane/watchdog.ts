/** Something that may take too long. */
export interface Watched {
  /** Monotonic milliseconds; Infinity while nothing is due. */
  deadlineMs: number;
  /** The watchdog's own: its place in the list, -1 when it is not watched. */
  watchIndex: number;
  onDeadline(): void;
}

const INTERVAL_MS = 250;

/**
 * Ends what takes too long. One timer looks at everything open four times a second, so that a
 * request costs a place in a list instead of timers of its own.
 *
 * A list and not a Set: a Set that shrinks and grows leaves its old tables behind, chained to the
 * new ones, and once one of them has become old every finished request in them is kept, and
 * copied, until the next full collection.
 */
export class Watchdog {
  private readonly watched: Watched[] = [];
  private readonly timer: NodeJS.Timeout;

  constructor(private readonly monotonicMs: () => number) {
    this.timer = setInterval(() => this.look(), INTERVAL_MS);
    this.timer.unref();
  }

  add(watched: Watched): void {
    if (watched.watchIndex !== -1) return;
    watched.watchIndex = this.watched.push(watched) - 1;
  }

  remove(watched: Watched): void {
    const index = watched.watchIndex;
    if (index === -1) return;
    watched.watchIndex = -1;
    const last = this.watched.pop();
    if (last === undefined || last === watched) return;
    this.watched[index] = last;
    last.watchIndex = index;
  }

  get size(): number {
    return this.watched.length;
  }

  /** Looks now. The timer does it; tests that move the clock do, too. */
  look(): void {
    const nowMs = this.monotonicMs();
    // Collected first: what a deadline sets off may change the list.
    const due = this.watched.filter(({ deadlineMs }) => deadlineMs <= nowMs);
    for (const watched of due) {
      watched.deadlineMs = Infinity;
      watched.onDeadline();
    }
  }

  close(): void {
    clearInterval(this.timer);
  }
}
