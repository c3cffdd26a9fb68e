import { type Budget, BUDGET_PERIODS, type BudgetPeriod, LARGEST_BUDGET_NANOS, WeirError } from '@weir/kernel';
import { parseUsdAmount } from './parse-usd-amount';

/** One entry of a `budgets` column. */
export interface StoredBudget {
  amount_nanos: number;
  period: BudgetPeriod;
  model?: string;
  alerts: number[];
  reset_at_ms?: number;
}

export const MOST_BUDGETS = 20;
export const DEFAULT_ALERTS: readonly number[] = Object.freeze([80, 100]);
export const NO_BUDGETS: readonly Budget[] = Object.freeze([]);

const LONGEST_MODEL = 256;
/** A name that a caller may ask for: no spaces or control characters, and no pattern. */
const MODEL = /^[^\s*\p{C}]+$/u;
const FIELDS: ReadonlySet<string> = new Set(['amount_usd', 'period', 'model', 'alerts']);

type Fields = Partial<Record<string, unknown>>;

/**
 * Takes the budgets that a row shall have, `[{amount_usd, period, model?, alerts?}]`; null is none.
 * One that is there already, by its period and model, keeps the moment of its last reset.
 * @param before the row's column as it is
 * @throws WeirError invalid_request that names the field: `budgets[1].amount_usd`.
 */
export function parseBudgets(value: unknown, before: unknown): readonly Budget[] {
  if (value === null) return NO_BUDGETS;
  if (!Array.isArray(value) || value.length > MOST_BUDGETS) throw invalid('budgets', `must be a list of at most ${MOST_BUDGETS} budgets`);
  const known = findReadable(before);
  const budgets: Budget[] = [];
  for (const [index, entry] of value.entries()) {
    const param = `budgets[${index}]`;
    const budget = parseBudget(entry, param);
    if (findBudget(budgets, budget) !== null) throw invalid(param, 'has the period and model of another one');
    budgets.push({ ...budget, resetAtMs: findBudget(known, budget)?.resetAtMs ?? null });
  }
  return budgets.length === 0 ? NO_BUDGETS : budgets;
}

/** The budget of a period and model in a list; there is at most one. */
export function findBudget(budgets: readonly Budget[], { period, model }: Pick<Budget, 'period' | 'model'>): Budget | null {
  return budgets.find((budget) => budget.period === period && budget.model === model) ?? null;
}

/**
 * The same budgets with one of them begun anew: what was spent before `nowMs` does not count in it.
 * @throws WeirError not_found when there is no such budget.
 */
export function resetBudget(budgets: readonly Budget[], which: Pick<Budget, 'period' | 'model'>, nowMs: number): readonly Budget[] {
  const found = findBudget(budgets, which);
  if (found === null) throw new WeirError('not_found', { message: 'There is no budget of this period and model.', param: 'period' });
  return budgets.map((budget) => (budget === found ? { ...budget, resetAtMs: nowMs } : budget));
}

export function toStoredBudgets(budgets: readonly Budget[]): StoredBudget[] {
  return budgets.map(({ amountNanos, period, model, alerts, resetAtMs }) => ({
    amount_nanos: amountNanos,
    period,
    ...(model === null ? {} : { model }),
    alerts: [...alerts],
    ...(resetAtMs === null ? {} : { reset_at_ms: resetAtMs }),
  }));
}

/**
 * Reads a `budgets` column. Fields of an entry that only a newer version knows are passed over, so
 * such a field may narrow what a budget is for, never loosen it.
 * @throws Error for whatever else is not understood: a budget that cannot be read must not become
 *   none.
 */
export function readStoredBudgets(value: unknown): readonly Budget[] {
  if (!Array.isArray(value)) throw new Error('budgets is not a list');
  return value.length === 0 ? NO_BUDGETS : value.map((entry: unknown, index) => readStoredBudget(entry, `budgets[${index}]`));
}

/** A list that cannot be read must be replaceable. Its resets are lost with it: more counts then, not less. */
function findReadable(stored: unknown): readonly Budget[] {
  try {
    return readStoredBudgets(stored);
  } catch {
    return NO_BUDGETS;
  }
}

function parseBudget(entry: unknown, param: string): Omit<Budget, 'resetAtMs'> {
  const fields = toFields(entry);
  if (fields === null) throw invalid(param, 'must be an object');
  if (Object.keys(fields).some((name) => !FIELDS.has(name))) throw invalid(param, 'has an unknown field');
  const amountNanos = parseUsdAmount(fields.amount_usd, LARGEST_BUDGET_NANOS);
  if (amountNanos === null) throw invalid(`${param}.amount_usd`, AMOUNT_RULE);
  const period = findPeriod(fields.period);
  if (period === null) throw invalid(`${param}.period`, `must be one of: ${BUDGET_PERIODS.join(', ')}`);
  return { amountNanos, period, model: parseModel(fields.model, `${param}.model`), alerts: parseAlerts(fields.alerts, `${param}.alerts`) };
}

export const AMOUNT_RULE = 'must be dollars from 0 to 4000000 with at most 9 decimals, as a number or a text';

function parseModel(value: unknown, param: string): string | null {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string' && value.length <= LONGEST_MODEL && MODEL.test(value)) return value;
  throw invalid(param, `must be the exact name of a model, of at most ${LONGEST_MODEL} characters`);
}

function parseAlerts(value: unknown, param: string): readonly number[] {
  if (value === null || value === undefined) return DEFAULT_ALERTS;
  if (Array.isArray(value) && value.length <= 100 && value.every(isPercentage)) return [...new Set(value)].sort((one, other) => one - other);
  throw invalid(param, 'must be a list of whole percentages from 1 to 100');
}

function readStoredBudget(entry: unknown, where: string): Budget {
  const { amount_nanos: amountNanos, period: periodName, model = null, alerts, reset_at_ms: resetAtMs = null } = toFields(entry) ?? {};
  if (!isWholeNumber(amountNanos) || amountNanos > LARGEST_BUDGET_NANOS) throw new Error(`${where}.amount_nanos is not an amount`);
  const period = findPeriod(periodName);
  if (period === null) throw new Error(`${where}.period is unknown`);
  if (model !== null && (typeof model !== 'string' || model === '')) throw new Error(`${where}.model is not a name`);
  if (!Array.isArray(alerts) || !alerts.every(isPercentage)) throw new Error(`${where}.alerts are not percentages`);
  if (resetAtMs !== null && !isWholeNumber(resetAtMs)) throw new Error(`${where}.reset_at_ms is not a moment`);
  return { amountNanos, period, model, alerts, resetAtMs };
}

export function isPercentage(value: unknown): value is number {
  return isWholeNumber(value) && value >= 1 && value <= 100;
}

function isWholeNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function findPeriod(value: unknown): BudgetPeriod | null {
  return BUDGET_PERIODS.find((period) => period === value) ?? null;
}

function toFields(value: unknown): Fields | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : null;
}

function invalid(param: string, what: string): WeirError {
  return new WeirError('invalid_request', { message: `The field ${param} is not valid: ${what}.`, param });
}
