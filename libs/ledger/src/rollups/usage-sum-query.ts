import { LedgerConditions, type LedgerFilter } from '../ledger-filter';
import { type SumGroup } from '../usage-sum';
import { NO_ID, toUsageTable, type UsageDimension, type UsageMeasure } from './usage-tables';
import { toUsageSpans, type UsageSource, type UsageSpan } from './usage-spans';

interface GroupColumn {
  /** Null for the time. */
  readonly dimension: UsageDimension | null;
  /** The coarsest table that tells the groups apart. */
  readonly coarsest: UsageSource;
  /** What the rows of a table are grouped by. */
  readonly inner: (source: UsageSource) => string;
  /** What is shown of that. */
  readonly shown: (column: string) => string;
}

const toIdColumn = (dimension: UsageDimension): GroupColumn => ({
  dimension,
  coarsest: 'daily',
  inner: () => `record.${dimension}`,
  shown: (column) => `nullif(${column}, '${NO_ID}')::text`,
});

const toTextColumn = (dimension: UsageDimension): GroupColumn => ({
  dimension,
  coarsest: 'daily',
  inner: () => `record.${dimension}`,
  shown: (column) => column,
});

/** @param own whose buckets begin at these moments already, so that nothing need be computed */
const toTimeColumn = (unit: string, own: UsageSource, format: string): GroupColumn => ({
  dimension: null,
  coarsest: own,
  inner: (source) => (source === own && own !== 'rows' ? 'record.at' : `date_trunc('${unit}', record.at, 'UTC')`),
  shown: (column) => `to_char(${column} AT TIME ZONE 'UTC', '${format}')`,
});

const GROUP_COLUMNS: Readonly<Record<SumGroup, GroupColumn>> = {
  organization: toIdColumn('organization_id'),
  project: toIdColumn('project_id'),
  key: toIdColumn('key_id'),
  model: toTextColumn('model'),
  upstream: { ...toIdColumn('upstream_id'), shown: (column) => `coalesce(upstream.name, nullif(${column}, '${NO_ID}')::text)` },
  operation: toTextColumn('operation'),
  status: toTextColumn('status'),
  day: toTimeColumn('day', 'daily', 'YYYY-MM-DD'),
  hour: toTimeColumn('hour', 'hourly', 'YYYY-MM-DD"T"HH24:MI"Z"'),
  minute: toTimeColumn('minute', 'rows', 'YYYY-MM-DD"T"HH24:MI"Z"'),
};

const FINENESS: Readonly<Record<UsageSource, number>> = { daily: 0, hourly: 1, rows: 2 };

export interface UsageSumQuestion {
  readonly filter: LedgerFilter;
  readonly groups: readonly SumGroup[];
  readonly sums: readonly UsageMeasure[];
  /** `LIMIT` and `OFFSET`, of the sums in the order of their groups. */
  readonly page: string;
}

/**
 * Sums over a range of time as one statement, and so at one moment: each part of the range is
 * summed where that is cheapest, then the parts are put together. Columns `group_0`, `group_1`, …
 * in the order of the groups, then the sums, as PostgreSQL's numeric.
 */
export function toUsageSumQuery({ filter, groups, sums, page }: UsageSumQuestion): { sql: string; parameters: unknown[] } {
  const conditions = LedgerConditions.withoutTime(filter);
  const columns = groups.map((group) => GROUP_COLUMNS[group]);
  // The sums do not know single requests.
  const finest: UsageSource[] = [filter.requestId === undefined ? 'daily' : 'rows', ...columns.map(({ coarsest }) => coarsest)];
  const coarsest = finest.reduce((one, other) => (FINENESS[one] > FINENESS[other] ? one : other));
  const spans = toUsageSpans(filter.fromMs ?? -Infinity, filter.toMs ?? Infinity, coarsest);
  // No part would be no sum: an empty one is.
  const parts = (spans.length > 0 ? spans : [{ source: coarsest, fromMs: 0, toMs: 0 }]).map((span) => toPart(span, conditions, columns, sums));
  const shown = columns.map((column, index) => `${column.shown(`part.group_${index}`)} AS group_${index}, `).join('');
  const names = columns.map((_, index) => index + 1).join(', ');
  const upstream = groups.indexOf('upstream');
  const sql = `SELECT ${shown}${sums.map((name) => `coalesce(sum(part.${name}), 0) AS ${name}`).join(', ')}
    FROM (${parts.join(' UNION ALL ')}) AS part
    ${upstream === -1 ? '' : `LEFT JOIN upstreams AS upstream ON upstream.id = part.group_${upstream}`}
    ${columns.length === 0 ? '' : `GROUP BY ${names} ORDER BY ${names}`} ${page}`;
  return { sql, parameters: conditions.parameters };
}

function toPart({ source, fromMs, toMs }: UsageSpan, conditions: LedgerConditions, columns: readonly GroupColumn[], sums: readonly UsageMeasure[]): string {
  const dimensions = [...conditions.dimensions, ...columns.flatMap(({ dimension }) => dimension ?? [])];
  const selected = columns.map(({ inner }, index) => `${inner(source)} AS group_${index}, `).join('');
  const names = columns.map((_, index) => index + 1).join(', ');
  return `(SELECT ${selected}${sums.map((name) => `sum(record.${name}) AS ${name}`).join(', ')}
      FROM ${toUsageTable(source, dimensions)} AS record
      WHERE ${conditions.toSql(conditions.toTimeConditions(fromMs, toMs))}
      ${columns.length === 0 ? '' : `GROUP BY ${names}`})`;
}
