import { toUsdString, WeirError } from '@weir/kernel';

export const USAGE_GROUPS = ['organization', 'project', 'key', 'model', 'upstream', 'operation', 'day'] as const;
/** What usage can be summed by. `day` is a day in UTC; `upstream` is its name, or its id once it is deleted. */
export type UsageGroup = (typeof USAGE_GROUPS)[number];

export interface UsageSum {
  /** One entry for each group asked for; null where the rows have none. */
  readonly groups: Readonly<Partial<Record<UsageGroup, string | null>>>;
  readonly requests: number;
  readonly attempts: number;
  readonly inputTokens: number;
  readonly cachedInputTokens: number;
  readonly outputTokens: number;
  /** Exact up to nine million dollars; `costUsd` beyond, too. */
  readonly costNanos: number;
  readonly costUsd: string;
  /** Attempts whose usage Weir counted itself. */
  readonly estimatedAttempts: number;
  /** Attempts of models without a price: they are not in the cost. */
  readonly unpricedAttempts: number;
}

const isGroup = (value: unknown): value is UsageGroup => USAGE_GROUPS.some((group) => group === value);

/**
 * `group_by` as a caller writes it: names separated by commas, or a list of them.
 * @throws WeirError `invalid_request` naming `group_by`.
 */
export function parseUsageGroups(value: unknown): UsageGroup[] {
  if (value === undefined || value === null || value === '') return [];
  const names: unknown[] = typeof value === 'string' ? value.split(',').map((name) => name.trim()) : Array.isArray(value) ? value : [value];
  const groups = names.filter(isGroup);
  if (groups.length < names.length) {
    throw new WeirError('invalid_request', { param: 'group_by', message: `'group_by' takes any of ${USAGE_GROUPS.join(', ')}.` });
  }
  return [...new Set(groups)];
}

/** A sum in the words of the control plane's API. */
export function toUsageView(sum: UsageSum) {
  return {
    ...sum.groups,
    requests: sum.requests,
    attempts: sum.attempts,
    input_tokens: sum.inputTokens,
    cached_input_tokens: sum.cachedInputTokens,
    output_tokens: sum.outputTokens,
    cost_nanos: sum.costNanos,
    cost_usd: sum.costUsd,
    estimated_attempts: sum.estimatedAttempts,
    unpriced_attempts: sum.unpricedAttempts,
  };
}

/** Exact dollars of a sum that may be beyond what a number holds. */
export function toExactUsd(nanos: bigint): string {
  const billion = 1_000_000_000n;
  const fraction = toUsdString(Number(nanos % billion)).slice(1);
  return `${nanos / billion}${fraction}`;
}
