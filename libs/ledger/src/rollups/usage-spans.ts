/** Where a part of a sum is read: the rows themselves, or their sums by the hour or the day. */
export type UsageSource = 'rows' | 'hourly' | 'daily';

/** A part of a time range: `fromMs` is in it, `toMs` is not; infinite where there is no end. */
export interface UsageSpan {
  readonly source: UsageSource;
  readonly fromMs: number;
  readonly toMs: number;
}

export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;

/** From the coarsest: what is no whole bucket of one is looked for in the next. */
const LEVELS: readonly { readonly source: UsageSource; readonly widthMs: number }[] = [
  { source: 'daily', widthMs: DAY_MS },
  { source: 'hourly', widthMs: HOUR_MS },
  { source: 'rows', widthMs: 1 },
];

/**
 * Cuts a time range into whole days, whole hours at its edges, and rows at the edges of those: the
 * same sum, from the fewest rows. Without overlap, without a gap, in the order of time. A range
 * without an end needs no rows there: the bucket of the current hour holds all that there is of it.
 * @param coarsest what the answer is to be told apart by: a day's sum says nothing about its hours.
 */
export function toUsageSpans(fromMs: number, toMs: number, coarsest: UsageSource = 'daily'): UsageSpan[] {
  return cut(fromMs, toMs, LEVELS.findIndex(({ source }) => source === coarsest));
}

function cut(fromMs: number, toMs: number, level: number): UsageSpan[] {
  if (fromMs >= toMs) return [];
  const { source, widthMs } = LEVELS[level];
  const lowerMs = Math.ceil(fromMs / widthMs) * widthMs;
  const upperMs = Math.floor(toMs / widthMs) * widthMs;
  if (level === LEVELS.length - 1) return [{ source, fromMs, toMs }];
  if (lowerMs >= upperMs) return cut(fromMs, toMs, level + 1);
  return [...cut(fromMs, lowerMs, level + 1), { source, fromMs: lowerMs, toMs: upperMs }, ...cut(upperMs, toMs, level + 1)];
}
