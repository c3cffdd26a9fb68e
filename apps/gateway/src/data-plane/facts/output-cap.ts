import { parseCount, WeirError } from '@weir/kernel';

const LARGEST = 1_000_000_000;

/**
 * A caller's `max_tokens` or `max_completion_tokens`: a whole number from 0 to a billion; null is as
 * good as absent. Anything else is refused here: two readers of -1, 1e400 or "5" might not agree
 * what it means, and the budget is held by what Weir understood.
 * @throws WeirError invalid_request that names the field
 */
export function parseOutputCap(value: unknown, name: string): number | null {
  if (value === null || value === undefined) return null;
  const cap = parseCount(value);
  if (cap === null) throw refuse(name, 0);
  return cap;
}

/**
 * How many answers are asked for: `n` or `best_of`, a whole number of at least 1; 1 when absent.
 * @throws WeirError invalid_request that names the field
 */
export function parseChoiceCount(value: unknown, name: string): number {
  if (value === null || value === undefined) return 1;
  const count = parseCount(value);
  if (count === null || count === 0) throw refuse(name, 1);
  return count;
}

/** Of two caps, the larger: servers do not agree which of the two names counts. */
export function toOutputCap(one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other;
  return Math.max(one, other);
}

function refuse(name: string, smallest: number): WeirError {
  return new WeirError('invalid_request', { message: `Invalid '${name}': it must be a whole number from ${smallest} to ${LARGEST}.`, param: name });
}
