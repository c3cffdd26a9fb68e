import { systemClock } from '@weir/kernel';

/** A question on its way. */
export interface Asked {
  /** By the process's monotonic clock. */
  readonly askedMs: number;
  /** Nobody has answered in time. Called once at most, and never inside `expect`. */
  onLate(): void;
}

/**
 * Watches with one timer whether questions are answered in time: to set one for each and clear it again
 * costs more than to remember what is open. It keeps no process alive: the connection that the answer
 * comes on does.
 */
export class AnswerDeadlines {
  readonly #timeoutMs: number;
  /** In the order in which they were asked. */
  readonly #open = new Set<Asked>();
  #isWatching = false;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  expect(asked: Asked): void {
    this.#open.add(asked);
    if (!this.#isWatching) this.#watch(this.#timeoutMs);
  }

  /** @returns false when it came too late: `onLate` was called. */
  answered(asked: Asked): boolean {
    return this.#open.delete(asked);
  }

  #watch(forMs: number): void {
    this.#isWatching = true;
    // Timers run before sockets are read: after a long pause of this process answers may be there,
    // unread. So look behind the poll phase before anybody is blamed.
    setTimeout(() => setImmediate(this.#look), Math.max(1, Math.ceil(forMs))).unref();
  }

  readonly #look = (): void => {
    const nowMs = systemClock.monotonicMs();
    for (const asked of this.#open) {
      const leftMs = asked.askedMs + this.#timeoutMs - nowMs;
      if (leftMs > 0) return this.#watch(leftMs);
      this.#open.delete(asked);
      asked.onLate();
    }
    this.#isWatching = false;
  };
}
