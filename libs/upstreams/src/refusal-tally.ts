import { type PoolRefusal, type PoolRefusalReason } from './pool-contract';

/** A limit on open calls frees at an unknown moment; this is when asking again is worth it. */
export const CONCURRENCY_RETRY_MS = 1_000;

/** Gathers why each place of a route was passed over, and says what to tell of it. */
export class RefusalTally {
  #reason: PoolRefusalReason = 'disabled';
  #retryAfterMs: number | null = null;
  #triedSome = false;

  clear(): void {
    this.#reason = 'disabled';
    this.#retryAfterMs = null;
    this.#triedSome = false;
  }

  /** Passed over until a time that is known. */
  add(reason: PoolRefusalReason, retryAfterMs: number): void {
    if (this.#retryAfterMs !== null && this.#retryAfterMs <= retryAfterMs) return;
    this.#reason = reason;
    this.#retryAfterMs = retryAfterMs;
  }

  addTried(): void {
    this.#triedSome = true;
  }

  toRefusal(): PoolRefusal {
    if (this.#retryAfterMs !== null) return { refused: true, reason: this.#reason, retryAfterMs: Math.ceil(this.#retryAfterMs) };
    return { refused: true, reason: this.#triedSome ? 'none_left' : 'disabled', retryAfterMs: null };
  }
}
