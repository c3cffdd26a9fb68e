import { setTimeout as sleep } from 'node:timers/promises';

export interface WaitOptions {
  /** What is waited for, for the failure's message. */
  what?: string;
  timeoutMs?: number;
  intervalMs?: number;
}

/**
 * Polls something outside this process until it answers something other than null, undefined or
 * false, and gives that back. An error counts as "not yet". Fails when the time is up.
 */
export async function waitFor<Value>(
  poll: () => Value | Promise<Value>,
  { what = 'the condition', timeoutMs = 60_000, intervalMs = 20 }: WaitOptions = {},
): Promise<Exclude<Value, null | undefined | false>> {
  const deadline = performance.now() + timeoutMs;
  let lastError: unknown;
  for (;;) {
    try {
      const value = await poll();
      if (value !== null && value !== undefined && value !== false) return value as Exclude<Value, null | undefined | false>;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    if (performance.now() >= deadline) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`, { cause: lastError });
    await sleep(intervalMs);
  }
}
