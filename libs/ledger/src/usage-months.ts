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
