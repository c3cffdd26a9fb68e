import { type FailureClass, type ProviderFailure } from '@weir/providers';

/** Why an attempt brought no answer. */
export interface AttemptFailure {
  readonly failureClass: FailureClass;
  readonly httpStatus: number | null;
  readonly retryAfterMs: number | null;
  readonly isTimeout: boolean;
  /** The provider's own error, where it sent one. */
  readonly provider: ProviderFailure | null;
  /** A short word for the log and the ledger; nothing from outside. */
  readonly reason: string;
}

export function toFailure(failureClass: FailureClass, httpStatus: number | null, reason: string): AttemptFailure {
  return { failureClass, httpStatus, retryAfterMs: null, isTimeout: false, provider: null, reason };
}

/** Reasons of Weir's own, for which an attempt is ended or not begun. */
export const BUDGET_EXCEEDED = 'budget_exceeded';
export const LEDGER_UNAVAILABLE = 'ledger_unavailable';
