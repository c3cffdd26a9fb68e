import { type FailureClass } from './provider';

/**
 * The status by which a caller learns of its own mistake where the provider's says something else: a
 * 401 would be about the caller's key at Weir, a 429 or 5xx would have its client try again.
 */
export function toCallerStatus(failureClass: FailureClass, status: number): number {
  if (failureClass !== 'caller') return status;
  if (status === 401) return 403;
  return status === 429 || status >= 500 ? 400 : status;
}
