import { type DataSource } from 'typeorm';
import { WeirError } from '@weir/kernel';
import { type LedgerCursor, parseCursor, toCursorText } from './ledger-cursor';
import { LedgerConditions, type LedgerFilter } from './ledger-filter';
import { runLedgerQuery } from './ledger-query';
import { type LedgerRow } from './ledger-row';
import { toUsageSumQuery } from './rollups/usage-sum-query';
import { DAY_MS } from './rollups/usage-spans';
import { toUsageTable, USAGE_MEASURES, type UsageMeasure } from './rollups/usage-tables';
import { type UsageStatus } from './usage-record';
import { toExactUsd, type UsageBucket, type UsageGroup, type UsageSum } from './usage-sum';

export interface LedgerPage<Item> {
  readonly items: readonly Item[];
  readonly hasMore: boolean;
  /** For the next page; null when this is the last. */
  readonly nextCursor: string | null;
}

export interface LedgerPageOptions {
  readonly limit?: number;
  readonly cursor?: string | null;
}

const DEFAULT_LIMIT = 50;
const LARGEST_LIMIT = 1000;

const FROM = 'FROM usage_records AS record LEFT JOIN upstreams AS upstream ON upstream.id = record.upstream_id';

/** The columns as this file's SQL selects them; pg gives bigint and numeric as text. */
interface RowColumns {
  request_id: string;
  attempt: number;
  at: Date;
  organization_id: string;
  project_id: string | null;
  key_id: string;
  operation: string;
  model: string;
  upstream_id: string | null;
  upstream_key_id: string | null;
  upstream_name: string | null;
  upstream_model: string | null;
  status: UsageStatus;
  http_status: number | null;
  error_code: string | null;
  input_tokens: string;
  cached_input_tokens: string;
  output_tokens: string;
  units: Record<string, number> | null;
  estimated: boolean;
  cost_nanos: string | null;
  rate: Record<string, unknown> | null;
  duration_ms: number;
  first_byte_ms: number | null;
}

type SumColumns = Record<UsageMeasure, string> & Record<`group_${number}`, string | null>;

/** Reads the ledger for people. Never on a request's way. */
export class LedgerReader {
  constructor(private readonly dataSource: DataSource) {}

  /** Rows from the newest to the oldest. */
  async listRows(filter: LedgerFilter, page: LedgerPageOptions = {}, signal?: AbortSignal): Promise<LedgerPage<LedgerRow>> {
    const limit = toLimit(page.limit);
    const conditions = new LedgerConditions(filter);
    if (page.cursor == null && !(await this.#narrow(conditions, filter, signal))) return { items: [], hasMore: false, nextCursor: null };
    if (page.cursor != null) addCursor(conditions, parseCursor(page.cursor));
    const sql = `SELECT record.*, upstream.name AS upstream_name ${FROM} WHERE ${conditions.toSql()}
       ORDER BY record.at DESC, record.request_id DESC, record.attempt DESC LIMIT ${limit + 1}`;
    const columns = await runLedgerQuery<RowColumns>(this.dataSource, { sql, parameters: conditions.parameters }, signal);
    const items = columns.slice(0, limit).map(toLedgerRow);
    const last = items.at(-1);
    const hasMore = columns.length > limit;
    return { items, hasMore, nextCursor: hasMore && last !== undefined ? toCursorText(last) : null };
  }

  /**
   * No index finds rows by their operation or upstream: the sums say from when to when there are
   * any. Later pages begin where the first ended.
   * @returns false when there are none
   */
  async #narrow(conditions: LedgerConditions, filter: LedgerFilter, signal?: AbortSignal): Promise<boolean> {
    if ((filter.operation === undefined && filter.upstreamId === undefined) || filter.requestId !== undefined) return true;
    const [days] = await runLedgerQuery<{ first: Date | null; last: Date | null }>(this.dataSource, toUsedDaysQuery(filter), signal);
    if (days.first === null || days.last === null) return false;
    for (const condition of conditions.toTimeConditions(days.first.getTime(), days.last.getTime() + DAY_MS)) conditions.add(condition);
    return true;
  }

  /**
   * All rows, from the newest to the oldest, a page at a time: the next is asked for when the last
   * was used. No transaction is open in between, so rows that come meanwhile are not in it, and
   * rows that are dropped by their age are missing.
   */
  async *readPages(filter: LedgerFilter, signal?: AbortSignal): AsyncGenerator<readonly LedgerRow[]> {
    let cursor: string | null = null;
    do {
      const page: LedgerPage<LedgerRow> = await this.listRows(filter, { limit: LARGEST_LIMIT, cursor }, signal);
      if (page.items.length > 0) yield page.items;
      cursor = page.nextCursor;
    } while (cursor !== null);
  }

  /** Sums, one for each combination of the groups; a single one without groups. */
  async sumUsage(filter: LedgerFilter, groups: readonly UsageGroup[], page: LedgerPageOptions = {}): Promise<LedgerPage<UsageSum>> {
    const limit = toLimit(page.limit);
    const offset = parseOffset(page.cursor ?? null);
    const query = toUsageSumQuery({ filter, groups, sums: USAGE_MEASURES, page: `LIMIT ${limit + 1} OFFSET ${offset}` });
    const columns = await runLedgerQuery<SumColumns>(this.dataSource, query);
    const hasMore = columns.length > limit;
    return {
      items: columns.slice(0, limit).map((sum) => toUsageSum(sum, groups)),
      hasMore,
      nextCursor: hasMore ? String(offset + limit) : null,
    };
  }

  /**
   * All sums of a range, in the order of time: of one that is short enough for the answer to be held in memory.
   * @param bucket what each sum is of, besides its groups
   */
  async sumBuckets<Name extends UsageMeasure>(
    filter: LedgerFilter,
    { bucket, groups, sums }: { readonly bucket: UsageBucket; readonly groups: readonly UsageGroup[]; readonly sums: readonly Name[] },
  ): Promise<BucketSum<Name>[]> {
    const query = toUsageSumQuery({ filter, groups: [bucket, ...groups], sums, page: '' });
    const columns = await runLedgerQuery<SumColumns>(this.dataSource, query);
    return columns.map((row) => ({
      fromMs: Date.parse(row.group_0 ?? ''),
      groups: toGroups(row, groups, 1),
      sums: Object.fromEntries(sums.map((name) => [name, Number(row[name])])) as Record<Name, number>,
    }));
  }
}

export interface BucketSum<Name extends UsageMeasure> {
  /** When the bucket begins, also if the range begins within it. */
  readonly fromMs: number;
  readonly groups: UsageSum['groups'];
  readonly sums: Readonly<Record<Name, number>>;
}

/** The first and the last day with rows that fit, in days that are not wholly outside of the filter's time. */
function toUsedDaysQuery(filter: LedgerFilter): { sql: string; parameters: unknown[] } {
  const conditions = LedgerConditions.withoutTime(filter);
  const fromMs = Math.floor((filter.fromMs ?? -Infinity) / DAY_MS) * DAY_MS;
  const where = conditions.toSql(conditions.toTimeConditions(fromMs, filter.toMs ?? Infinity));
  const sql = `SELECT min(at) AS first, max(at) AS last FROM ${toUsageTable('daily', conditions.dimensions)} AS record WHERE ${where}`;
  return { sql, parameters: conditions.parameters };
}

/** Said twice, because no index knows what the three mean together; the first also leaves out the partitions of later months. */
function addCursor(conditions: LedgerConditions, { atMs, requestId, attempt }: LedgerCursor): void {
  const [at, ...rest] = [new Date(atMs), requestId, attempt].map((value) => conditions.parameter(value));
  conditions.add(`record.at <= ${at}`);
  conditions.add(`(record.at, record.request_id, record.attempt) < (${[at, ...rest].join(', ')})`);
}

const toLimit = (limit = DEFAULT_LIMIT): number => Math.min(Math.max(Math.trunc(limit) || DEFAULT_LIMIT, 1), LARGEST_LIMIT);

/** Sums are made anew for each page, so their cursor is a plain count of those already seen. */
function parseOffset(cursor: string | null): number {
  if (cursor === null) return 0;
  if (!/^\d{1,9}$/.test(cursor)) {
    throw new WeirError('invalid_request', { param: 'cursor', message: "'cursor' must be a next_cursor of an earlier answer." });
  }
  return Number(cursor);
}

function toLedgerRow(columns: RowColumns): LedgerRow {
  return {
    requestId: columns.request_id,
    attempt: columns.attempt,
    atMs: columns.at.getTime(),
    organizationId: columns.organization_id,
    projectId: columns.project_id,
    keyId: columns.key_id,
    operation: columns.operation,
    model: columns.model,
    upstreamId: columns.upstream_id,
    upstreamKeyId: columns.upstream_key_id,
    upstreamName: columns.upstream_name,
    upstreamModel: columns.upstream_model,
    status: columns.status,
    httpStatus: columns.http_status,
    errorCode: columns.error_code,
    inputTokens: Number(columns.input_tokens),
    cachedInputTokens: Number(columns.cached_input_tokens),
    outputTokens: Number(columns.output_tokens),
    units: columns.units,
    estimated: columns.estimated,
    costNanos: columns.cost_nanos === null ? null : Number(columns.cost_nanos),
    rate: columns.rate,
    durationMs: columns.duration_ms,
    firstByteMs: columns.first_byte_ms,
  };
}

const toGroups = (columns: SumColumns, groups: readonly UsageGroup[], first: number): UsageSum['groups'] =>
  Object.fromEntries(groups.map((group, index) => [group, columns[`group_${first + index}`]]));

function toUsageSum(columns: SumColumns, groups: readonly UsageGroup[]): UsageSum {
  return {
    groups: toGroups(columns, groups, 0),
    requests: Number(columns.requests),
    attempts: Number(columns.attempts),
    succeededAttempts: Number(columns.attempts) - Number(columns.failed_attempts) - Number(columns.aborted_attempts) - Number(columns.unknown_attempts),
    failedAttempts: Number(columns.failed_attempts),
    abortedAttempts: Number(columns.aborted_attempts),
    unknownAttempts: Number(columns.unknown_attempts),
    inputTokens: Number(columns.input_tokens),
    cachedInputTokens: Number(columns.cached_input_tokens),
    cacheWriteTokens: Number(columns.cache_write_tokens),
    outputTokens: Number(columns.output_tokens),
    reasoningTokens: Number(columns.reasoning_tokens),
    characters: Number(columns.characters),
    mediaMs: Number(columns.media_ms),
    images: Number(columns.images),
    documents: Number(columns.documents),
    gpuMs: Number(columns.gpu_ms),
    durationMs: Number(columns.duration_ms),
    costNanos: Number(columns.cost_nanos),
    costUsd: toExactUsd(BigInt(columns.cost_nanos)),
    estimatedAttempts: Number(columns.estimated_attempts),
    unpricedAttempts: Number(columns.unpriced_attempts),
  };
}
