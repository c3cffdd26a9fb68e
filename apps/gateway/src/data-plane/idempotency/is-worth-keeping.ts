/** Statuses that ask to come again: an answer of that kind must not be given for a day. */
const COME_AGAIN: ReadonlySet<number> = new Set([408, 409, 425, 429]);

/**
 * Whether a whole answer is kept for repeats: success, and what a provider says about the request
 * itself. Weir's own refusals cost nothing and may be otherwise in a minute, as failures may.
 * @param attempts how often an upstream was called; without a call a refusal is Weir's own
 */
export function isWorthKeeping(status: number, attempts: number): boolean {
  if (status >= 200 && status < 300) return true;
  return status >= 400 && status < 500 && attempts > 0 && !COME_AGAIN.has(status);
}
