import { toUsdString, WeirError } from '@weir/kernel';

export const USAGE_GROUPS = ['organization', 'project', 'key', 'model', 'upstream', 'operation', 'status', 'day', 'hour'] as const;
/**
 * What usage can be summed by. `day` and `hour` are in UTC; `upstream` is its name, or its id once
 * it is deleted; `status` is that of the attempts.
 */
export type UsageGroup = (typeof USAGE_GROUPS)[number];

/** Lengths of time. Minutes are only for short ranges: nothing but the rows knows them. */
export type UsageBucket = 'minute' | 'hour' | 'day';
export type SumGroup = UsageGroup | UsageBucket;

export interface UsageSum {
  /** One entry for each group asked for; null where the rows have none. */
  readonly groups: Readonly<Partial<Record<SumGroup, string | null>>>;
  /** Counted at their first attempt: with its upstream, and its status. */
  readonly requests: number;
  readonly attempts: number;
  readonly succeededAttempts: number;
  readonly failedAttempts: number;
  readonly abortedAttempts: number;
  readonly unknownAttempts: number;
  readonly inputTokens: number;
  readonly cachedInputTokens: number;
  readonly cacheWriteTokens: number;
  readonly outputTokens: number;
  readonly reasoningTokens: number;
  readonly characters: number;
  readonly mediaMs: number;
  readonly images: number;
  readonly documents: number;
  readonly gpuMs: number;
  readonly durationMs: number;
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
    succeeded_attempts: sum.succeededAttempts,
    failed_attempts: sum.failedAttempts,
    aborted_attempts: sum.abortedAttempts,
    unknown_attempts: sum.unknownAttempts,
    input_tokens: sum.inputTokens,
    cached_input_tokens: sum.cachedInputTokens,
    cache_write_tokens: sum.cacheWriteTokens,
    output_tokens: sum.outputTokens,
    reasoning_tokens: sum.reasoningTokens,
    characters: sum.characters,
    seconds: sum.mediaMs / 1_000,
    images: sum.images,
    documents: sum.documents,
    gpu_seconds: sum.gpuMs / 1_000,
    duration_ms: sum.durationMs,
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
