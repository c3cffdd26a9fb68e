interface Waiter {
  readonly isDone: () => boolean;
  readonly resolve: () => void;
}

/** Wakes those who wait for a condition over something that changes. */
export class Awaitable {
  readonly #waiters = new Set<Waiter>();

  /** To be called after every change. */
  changed(): void {
    for (const waiter of [...this.#waiters]) {
      if (!waiter.isDone()) continue;
      this.#waiters.delete(waiter);
      waiter.resolve();
    }
  }

  /** Resolves once the condition holds; fails, and says what it waited for, when the time is up. */
  async until(isDone: () => boolean, what: () => string, timeoutMs: number): Promise<void> {
    if (isDone()) return;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters.delete(waiter);
        reject(new Error(`waited ${timeoutMs} ms in vain: ${what()}`));
      }, timeoutMs);
      const waiter: Waiter = {
        isDone,
        resolve: () => {
          clearTimeout(timer);
          resolve();
        },
      };
      this.#waiters.add(waiter);
    });
  }
}
