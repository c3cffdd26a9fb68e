import { type UsageSource } from './usage-spans';

/** What usage can be filtered and summed by: columns of every table that has them. */
export type UsageDimension = 'organization_id' | 'project_id' | 'key_id' | 'model' | 'upstream_id' | 'operation' | 'status' | 'request_id';

/** Stands in the sums where a row has no project or no upstream. */
export const NO_ID = '00000000-0000-0000-0000-000000000000';

/** The columns that are summed, in the words of the tables of sums. */
export const USAGE_MEASURES = [
  'requests',
  'attempts',
  'failed_attempts',
  'aborted_attempts',
  'unknown_attempts',
  'input_tokens',
  'cached_input_tokens',
  'cache_write_tokens',
  'output_tokens',
  'reasoning_tokens',
  'characters',
  'media_ms',
  'images',
  'documents',
  'gpu_ms',
  'cost_nanos',
  'estimated_attempts',
  'unpriced_attempts',
  'duration_ms',
] as const;
export type UsageMeasure = (typeof USAGE_MEASURES)[number];

// Rows as the tables of sums would hold them, each a bucket of its own; as the migration's trigger
// reads them. PostgreSQL takes only the columns that are asked for.
const ROWS = `(
  SELECT at, request_id, organization_id, coalesce(project_id, '${NO_ID}') AS project_id, key_id, model,
    coalesce(upstream_id, '${NO_ID}') AS upstream_id, operation, status,
    (attempt = 1)::int AS requests, 1 AS attempts, (status = 'failed')::int AS failed_attempts,
    (status = 'aborted')::int AS aborted_attempts, (status = 'unknown')::int AS unknown_attempts, input_tokens, cached_input_tokens,
    coalesce((units->>'cache_write_tokens')::numeric, 0) AS cache_write_tokens, output_tokens,
    coalesce((units->>'reasoning_tokens')::numeric, 0) AS reasoning_tokens,
    coalesce((units->>'characters')::numeric, 0) AS characters,
    coalesce((units->>'seconds')::numeric * 1000, 0) AS media_ms,
    coalesce((units->>'images')::numeric, 0) AS images,
    coalesce((units->>'documents')::numeric, 0) AS documents,
    coalesce((units->>'gpu_seconds')::numeric * 1000, 0) AS gpu_ms,
    coalesce(cost_nanos, 0) AS cost_nanos, estimated::int AS estimated_attempts,
    (cost_nanos IS NULL)::int AS unpriced_attempts, duration_ms
  FROM usage_records)`;

/** Days, from the smallest table: the first that has what is asked for is read. */
const DAILY_TABLES: readonly { readonly table: string; readonly dimensions: readonly UsageDimension[] }[] = [
  { table: 'usage_daily_models', dimensions: ['model', 'upstream_id', 'operation', 'status'] },
  { table: 'usage_daily_keys', dimensions: ['organization_id', 'project_id', 'key_id'] },
];

/** The table, or a query in its place, that sums over these dimensions can be read from. */
export function toUsageTable(source: UsageSource, dimensions: Iterable<UsageDimension>): string {
  if (source === 'rows') return ROWS;
  if (source === 'hourly') return 'usage_hourly';
  const wanted = [...dimensions];
  return DAILY_TABLES.find((daily) => wanted.every((dimension) => daily.dimensions.includes(dimension)))?.table ?? 'usage_daily';
}
