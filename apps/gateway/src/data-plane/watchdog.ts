/** Something that may take too long. */
export interface Watched {
  /** Monotonic milliseconds; Infinity while nothing is due. */
  deadlineMs: number;
  onDeadline(): void;
}

const INTERVAL_MS = 250;

/**
 * Ends what takes too long. One timer looks at everything open four times a second, so that a
 * request costs an addition to a set instead of timers of its own.
 */
export class Watchdog {
  private readonly watched = new Set<Watched>();
  private readonly timer: NodeJS.Timeout;

  constructor(private readonly monotonicMs: () => number) {
    this.timer = setInterval(() => this.look(), INTERVAL_MS);
    this.timer.unref();
  }

  add(watched: Watched): void {
    this.watched.add(watched);
  }

  remove(watched: Watched): void {
    this.watched.delete(watched);
  }

  get size(): number {
    return this.watched.size;
  }

  /** Looks now. The timer does it; tests that move the clock do, too. */
  look(): void {
    const nowMs = this.monotonicMs();
    for (const watched of this.watched) {
      if (watched.deadlineMs > nowMs) continue;
      watched.deadlineMs = Infinity;
      watched.onDeadline();
    }
  }

  close(): void {
    clearInterval(this.timer);
  }
}
