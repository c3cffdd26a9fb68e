import { type Nanos, NANOS_PER_USD } from './money';

export const BUDGET_PERIODS = ['day', 'week', 'month', 'total'] as const;
/** Calendar periods in UTC; a week begins on Monday (ISO 8601). `total` never ends. */
export type BudgetPeriod = (typeof BUDGET_PERIODS)[number];

/** Four million dollars: so that spent + held + estimate stays below 2^53 nano-dollars, exact in a double. */
export const LARGEST_BUDGET_NANOS: Nanos = 4_000_000 * NANOS_PER_USD;

/** How much may be spent in a period, by everybody under a key, a project or an organization. */
export interface Budget {
  readonly amountNanos: Nanos;
  readonly period: BudgetPeriod;
  /** The model it is for; null is for all. */
  readonly model: string | null;
  /** Percentages of the amount, ascending, at which somebody is told. */
  readonly alerts: readonly number[];
  /** What was spent before this moment does not count; null until somebody resets the budget. Milliseconds. */
  readonly resetAtMs: number | null;
}

/** One stretch of a budget's period. */
export interface BudgetSpan {
  /** `day:2026-11-21`, `week:2026-11-16` (its Monday), `month:2026-11`, `total`. */
  readonly name: string;
  readonly fromMs: number;
  /** Not included; null for `total`. */
  readonly toMs: number | null;
}

const DAY_MS = 86_400_000;
/** 1970-01-05, a Monday. */
const FIRST_MONDAY_MS = 4 * DAY_MS;
const WEEK_MS = 7 * DAY_MS;

/** The stretch that a moment lies in. */
export function toBudgetSpan(period: BudgetPeriod, atMs: number): BudgetSpan {
  switch (period) {
    case 'day': {
      const fromMs = Math.floor(atMs / DAY_MS) * DAY_MS;
      return { name: `day:${toDate(fromMs)}`, fromMs, toMs: fromMs + DAY_MS };
    }
    case 'week': {
      const fromMs = Math.floor((atMs - FIRST_MONDAY_MS) / WEEK_MS) * WEEK_MS + FIRST_MONDAY_MS;
      return { name: `week:${toDate(fromMs)}`, fromMs, toMs: fromMs + WEEK_MS };
    }
    case 'month': {
      const at = new Date(atMs);
      const fromMs = Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), 1);
      return { name: `month:${toDate(fromMs).slice(0, 7)}`, fromMs, toMs: Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1, 1) };
    }
    case 'total':
      return { name: 'total', fromMs: 0, toMs: null };
  }
}

function toDate(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
