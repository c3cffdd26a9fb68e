import { type LimitPlan, type WindowLimit } from './limit-plan';

/** One window as an admission found it, or left it when something was taken. */
export interface WindowState {
  readonly window: WindowLimit;
  readonly used: number;
  readonly remaining: number;
  /**
   * How long until it frees: for the window that refused, until the amount fits (Infinity when the
   * amount is larger than the limit); for any other, until nothing of it is used any more.
   */
  readonly resetMs: number;
}

export type Admission =
  | { readonly admitted: true; readonly windows: readonly WindowState[] }
  | {
      readonly admitted: false;
      /** Of the windows that refused, the one that frees last: waiting for it is enough. */
      readonly refused: WindowState;
      readonly windows: readonly WindowState[];
    };

export interface LimiterStore {
  /** Takes `amount` (1 when absent) from every window of the plan, or from none. */
  admit(plan: LimitPlan, amount?: number): Admission | Promise<Admission>;
  /** What `admit` would answer now; takes nothing. */
  peek(plan: LimitPlan, amount?: number): Admission | Promise<Admission>;
}

/** What a plan without windows gets. */
export const UNLIMITED: Admission = { admitted: true, windows: [] };

export function toWindowState(window: WindowLimit, used: number, resetMs: number): WindowState {
  // A limit that was lowered may lie below what is used already.
  return { window, used, remaining: Math.max(0, window.limit - used), resetMs };
}
