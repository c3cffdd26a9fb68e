import { SlidingWindow } from './sliding-window';

/** For so long an admission's estimate can be corrected. */
const OPEN_MS = 3_600_000;

/** A sliding window with the calls whose tokens are only estimated. The twin of window.lua.ts. */
export class WindowCounter {
  readonly window: SlidingWindow;
  readonly #openSinceMs = new Map<string, number>();

  constructor(windowMs: number, window = new SlidingWindow(windowMs)) {
    this.window = window;
  }

  take(amount: number, nowMs: number): void {
    if (this.window.take(amount)) this.#forgetOld(nowMs);
  }

  /** The tokens of this call may be corrected, once. */
  open(requestId: string, nowMs: number): void {
    this.#openSinceMs.set(requestId, nowMs);
  }

  close(requestId: string): void {
    this.#openSinceMs.delete(requestId);
  }

  /** Nothing happens for a call that is not open: it was corrected before. */
  correct(requestId: string, bucket: number, missing: number, nowMs: number): void {
    const sinceMs = this.#openSinceMs.get(requestId);
    this.#openSinceMs.delete(requestId);
    if (sinceMs === undefined || sinceMs <= nowMs - OPEN_MS || missing === 0) return;
    this.window.advance(nowMs);
    if (missing > 0) this.take(missing, nowMs);
    else this.window.giveBack(bucket, -missing);
  }

  isIdle(nowMs: number): boolean {
    if (!this.window.isEmptyAt(nowMs)) return false;
    for (const sinceMs of this.#openSinceMs.values()) if (sinceMs > nowMs - OPEN_MS) return false;
    return true;
  }

  #forgetOld(nowMs: number): void {
    for (const [requestId, sinceMs] of this.#openSinceMs) if (sinceMs <= nowMs - OPEN_MS) this.#openSinceMs.delete(requestId);
  }
}
