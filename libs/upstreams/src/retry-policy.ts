import { type FailureClass } from '@weir/providers';
import { EventWindow } from './event-window';

export const RETRIES_MAX = 2;
/** Attempts of one request in all, keys that were refused or throttled included. */
export const ATTEMPTS_MAX = 8;
export const RETRY_BASE_MS = 100;
export const RETRY_CAP_MS = 2_000;
export const BUDGET_WINDOW_MS = 30_000;
export const BUDGET_SHARE = 0.1;
/** Retries that a window allows beside the share, so that a quiet server may retry at all. */
export const BUDGET_RESERVE = 10;

const BUDGET_BUCKETS = 30;

/**
 * Whether a failed attempt is followed by another one, and after how long. Moving on from a key
 * that is refused, throttled or used up is no retry: the first attempt never reached the work.
 * Retries after faults draw on a budget, because they multiply the load of what is failing.
 */
export class RetryPolicy {
  readonly #random: () => number;
  readonly #requests = new EventWindow(BUDGET_WINDOW_MS, BUDGET_BUCKETS);
  readonly #retries = new EventWindow(BUDGET_WINDOW_MS, BUDGET_BUCKETS);

  constructor(random: () => number) {
    this.#random = random;
  }

  countRequest(nowMs: number): void {
    this.#requests.add(false, nowMs);
  }

  /**
   * @param attempt the number of the finished attempt, from 1
   * @param faults how many of the request's attempts, this one included, ended in `fault` or `endpoint`
   * @returns the wait before the next attempt, or null when there is to be none
   */
  delayMs(failureClass: FailureClass, attempt: number, faults: number, nowMs: number): number | null {
    switch (failureClass) {
      case 'caller':
      case 'aborted':
        return null;
      case 'bad_key':
      case 'throttled':
      case 'quota_exhausted':
        return attempt < ATTEMPTS_MAX ? 0 : null;
      case 'fault':
      case 'endpoint':
        if (attempt >= ATTEMPTS_MAX || faults > RETRIES_MAX || !this.#draw(nowMs)) return null;
        return this.#random() * Math.min(RETRY_CAP_MS, RETRY_BASE_MS * 2 ** (faults - 1));
    }
  }

  #draw(nowMs: number): boolean {
    const allowed = BUDGET_RESERVE + BUDGET_SHARE * this.#requests.total(nowMs);
    if (this.#retries.total(nowMs) + 1 > allowed) return false;
    this.#retries.add(false, nowMs);
    return true;
  }
}
