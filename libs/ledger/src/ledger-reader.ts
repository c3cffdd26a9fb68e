import { type DataSource } from 'typeorm';
import { WeirError } from '@weir/kernel';
import { parseCursor, toCursorText } from './ledger-cursor';
import { LedgerConditions, type LedgerFilter } from './ledger-filter';
import { type LedgerRow } from './ledger-row';
import { type UsageStatus } from './usage-record';
import { toExactUsd, type UsageGroup, type UsageSum } from './usage-sum';

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

const GROUP_SQL: Readonly<Record<UsageGroup, string>> = {
  organization: 'record.organization_id::text',
  project: 'record.project_id::text',
  key: 'record.key_id::text',
  model: 'record.model',
  upstream: 'coalesce(upstream.name, record.upstream_id::text)',
  operation: 'record.operation',
  day: `to_char(record.at AT TIME ZONE 'UTC', 'YYYY-MM-DD')`,
};

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
  duration_ms: number;
  first_byte_ms: number | null;
}

type SumColumns = Record<
  'requests' | 'attempts' | 'input_tokens' | 'cached_input_tokens' | 'output_tokens' | 'cost_nanos' | 'estimated_attempts' | 'unpriced_attempts',
  string
> &
  Record<`group_${number}`, string | null>;

/** Reads the ledger for people. Never on a request's way. */
export class LedgerReader {
  constructor(private readonly dataSource: DataSource) {}

  /** Rows from the newest to the oldest. */
  async listRows(filter: LedgerFilter, page: LedgerPageOptions = {}): Promise<LedgerPage<LedgerRow>> {
    const limit = toLimit(page.limit);
    const conditions = new LedgerConditions(filter);
    if (page.cursor != null) {
      const { atMs, requestId, attempt } = parseCursor(page.cursor);
      const last = [new Date(atMs), requestId, attempt].map((value) => conditions.parameter(value)).join(', ');
      conditions.add(`(record.at, record.request_id, record.attempt) < (${last})`);
    }
    const columns = await this.dataSource.query<RowColumns[]>(
      `SELECT record.*, upstream.name AS upstream_name ${FROM} WHERE ${conditions.toSql()}
       ORDER BY record.at DESC, record.request_id DESC, record.attempt DESC LIMIT ${limit + 1}`,
      conditions.parameters,
    );
    const items = columns.slice(0, limit).map(toLedgerRow);
    const last = items.at(-1);
    const hasMore = columns.length > limit;
    return { items, hasMore, nextCursor: hasMore && last !== undefined ? toCursorText(last) : null };
  }

  /** Sums over the rows, one for each combination of the groups; a single one without groups. */
  async sumUsage(filter: LedgerFilter, groups: readonly UsageGroup[], page: LedgerPageOptions = {}): Promise<LedgerPage<UsageSum>> {
    const limit = toLimit(page.limit);
    const offset = parseOffset(page.cursor ?? null);
    const conditions = new LedgerConditions(filter);
    const names = groups.map((_, index) => `group_${index}`).join(', ');
    const columns = await this.dataSource.query<SumColumns[]>(
      `SELECT ${groups.map((group, index) => `${GROUP_SQL[group]} AS group_${index},`).join(' ')}
         count(DISTINCT record.request_id) AS requests,
         count(*) AS attempts,
         coalesce(sum(record.input_tokens), 0) AS input_tokens,
         coalesce(sum(record.cached_input_tokens), 0) AS cached_input_tokens,
         coalesce(sum(record.output_tokens), 0) AS output_tokens,
         coalesce(sum(record.cost_nanos), 0) AS cost_nanos,
         count(*) FILTER (WHERE record.estimated) AS estimated_attempts,
         count(*) FILTER (WHERE record.cost_nanos IS NULL) AS unpriced_attempts
       ${FROM} WHERE ${conditions.toSql()}
       ${groups.length === 0 ? '' : `GROUP BY ${names} ORDER BY ${names}`}
       LIMIT ${limit + 1} OFFSET ${offset}`,
      conditions.parameters,
    );
    const hasMore = columns.length > limit;
    return {
      items: columns.slice(0, limit).map((sum) => toUsageSum(sum, groups)),
      hasMore,
      nextCursor: hasMore ? String(offset + limit) : null,
    };
  }
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
    durationMs: columns.duration_ms,
    firstByteMs: columns.first_byte_ms,
  };
}

function toUsageSum(columns: SumColumns, groups: readonly UsageGroup[]): UsageSum {
  return {
    groups: Object.fromEntries(groups.map((group, index) => [group, columns[`group_${index}`]])),
    requests: Number(columns.requests),
    attempts: Number(columns.attempts),
    inputTokens: Number(columns.input_tokens),
    cachedInputTokens: Number(columns.cached_input_tokens),
    outputTokens: Number(columns.output_tokens),
    costNanos: Number(columns.cost_nanos),
    costUsd: toExactUsd(BigInt(columns.cost_nanos)),
    estimatedAttempts: Number(columns.estimated_attempts),
    unpricedAttempts: Number(columns.unpriced_attempts),
  };
}
