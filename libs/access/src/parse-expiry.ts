import { WeirError } from '@weir/kernel';

/**
 * Takes the time at which a key shall end; null is never.
 * @throws WeirError invalid_request for a time that is none or has passed: who wants that, revokes.
 */
export function parseExpiry(value: Date | null, nowMs: number): Date | null {
  // An invalid date is NaN, and not later than anything.
  if (value === null || value.getTime() > nowMs) return value;
  throw new WeirError('invalid_request', { message: 'expires_at must be a time in the future.', param: 'expires_at' });
}
