import { type Timers } from './timers';

/** What a promise comes to, or null when that takes too long; it goes on by itself. */
export function atMost<Value>(timers: Timers, timeoutMs: number, promise: Promise<Value>): Promise<Value | null> {
  return new Promise((resolve, reject) => {
    const cancel = timers.after(Math.max(0, timeoutMs), () => resolve(null));
    promise.then(
      (value) => {
        cancel();
        resolve(value);
      },
      (error: unknown) => {
        cancel();
        reject(error instanceof Error ? error : new Error('rejected with something other than an error', { cause: error }));
      },
    );
  });
}
