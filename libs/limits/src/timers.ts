/** Where waiting comes from, so that a test can move time along. */
export interface Timers {
  /** Runs once, after so long, and keeps no process alive. @returns what calls it off. */
  after(delayMs: number, run: () => void): () => void;
}

export const systemTimers: Timers = {
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs).unref();
    return () => clearTimeout(timer);
  },
};
