import { type BucketSum, type LedgerFilter, type UsageBucket, type UsageGroup, type UsageMeasure } from '@weir/ledger';
import { type OpenAiUsageQuery, toPageText } from './open-ai-usage-query';

/** A stretch of time in an answer, in milliseconds: `fromMs` is in it, `toMs` is not. */
export interface BucketTime {
  readonly fromMs: number;
  readonly toMs: number;
}

export type OpenAiResult = Readonly<Record<string, unknown>>;

export interface OpenAiUsagePage {
  object: 'page';
  data: { object: 'bucket'; start_time: number; end_time: number; results: OpenAiResult[] }[];
  has_more: boolean;
  next_page: string | null;
}

const BUCKETS_MS: Readonly<Record<UsageBucket, number>> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };

/** Which of OpenAI's groups are something that Weir records. Of the others there is one group. */
const GROUPS: Readonly<Record<string, UsageGroup>> = { project_id: 'project', api_key_id: 'key', model: 'model', line_item: 'model' };

export const toUsageGroups = (groups: readonly string[]): UsageGroup[] =>
  groups.flatMap((group) => (Object.hasOwn(GROUPS, group) ? GROUPS[group] : []));

/**
 * The buckets of a page: they begin at full minutes, hours or days in UTC, but the first where the
 * question begins, and the last ends where it ends. So sums are of what was asked for.
 */
export function toBucketTimes({ fromMs, toMs, bucket, limit, pageFromMs }: OpenAiUsageQuery): BucketTime[] {
  const widthMs = BUCKETS_MS[bucket];
  const times: BucketTime[] = [];
  for (let startMs = pageFromMs ?? fromMs; startMs < toMs && times.length < limit; ) {
    const endMs = Math.min((Math.floor(startMs / widthMs) + 1) * widthMs, toMs);
    times.push({ fromMs: startMs, toMs: endMs });
    startMs = endMs;
  }
  return times;
}

/** Which rows the buckets are made of; null when there is no bucket. */
export function toBucketFilter(query: OpenAiUsageQuery, times: readonly BucketTime[]): LedgerFilter | null {
  const [first, last] = [times.at(0), times.at(-1)];
  if (first === undefined || last === undefined) return null;
  return { projectId: query.projectIds, keyId: query.keyIds, model: query.names, fromMs: first.fromMs, toMs: last.toMs };
}

/**
 * The answer: every bucket is in it, and those without use have no results.
 * @param toResult what a sum looks like, without what it is grouped by
 */
export function toOpenAiUsagePage<Name extends UsageMeasure>(
  query: OpenAiUsageQuery,
  times: readonly BucketTime[],
  sums: readonly BucketSum<Name>[],
  toResult: (sum: BucketSum<Name>) => OpenAiResult,
): OpenAiUsagePage {
  const widthMs = BUCKETS_MS[query.bucket];
  const results = Map.groupBy(sums, ({ fromMs }) => fromMs);
  const endMs = times.at(-1)?.toMs ?? query.toMs;
  const hasMore = endMs < query.toMs;
  return {
    object: 'page',
    data: times.map(({ fromMs, toMs }) => ({
      object: 'bucket',
      start_time: fromMs / 1_000,
      end_time: toMs / 1_000,
      results: (results.get(Math.floor(fromMs / widthMs) * widthMs) ?? []).map(toResult),
    })),
    has_more: hasMore,
    next_page: hasMore ? toPageText(endMs) : null,
  };
}
