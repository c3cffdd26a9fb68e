import { DAY_MS } from './rollups/usage-spans';

/** A month of the ledger, in UTC: `fromMs` is in it, `toMs` is not. */
export interface UsageMonth {
  readonly partition: string;
  readonly fromMs: number;
  readonly toMs: number;
}

function toMonth(year: number, month: number): UsageMonth {
  const fromMs = Date.UTC(year, month);
  const [isoYear, isoMonth] = new Date(fromMs).toISOString().split('-');
  return { partition: `usage_records_${isoYear}_${isoMonth}`, fromMs, toMs: Date.UTC(year, month + 1) };
}

/** The month of a time and the one after it. */
export function toUsageMonths(nowMs: number): [UsageMonth, UsageMonth] {
  const now = new Date(nowMs);
  const [year, month] = [now.getUTCFullYear(), now.getUTCMonth()];
  return [toMonth(year, month), toMonth(year, month + 1)];
}

/** The month that a partition holds, by its name; null for the default partition and for what is none. */
export function parseUsageMonth(partition: string): UsageMonth | null {
  const [, year, month] = /^usage_records_(\d{4})_(0[1-9]|1[0-2])$/.exec(partition) ?? [];
  return year === undefined ? null : toMonth(Number(year), Number(month) - 1);
}

/**
 * From when on rows are kept: whole months, until all of a month is older than so many days.
 * @param retentionDays 0: for ever
 */
export function toKeptFromMs(nowMs: number, retentionDays: number): number {
  return retentionDays === 0 ? -Infinity : toUsageMonths(nowMs - retentionDays * DAY_MS)[0].fromMs;
}
