import { type MigrationInterface, type QueryRunner } from 'typeorm';

/**
 * Sums of the ledger by hour and by day, kept by the ledger's own inserts, and the rate that a row
 * was priced at.
 */
export class UsageRollups1763700000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    // Rows that come while the sums are made would be in neither: whoever inserts waits for the commit.
    await queryRunner.query('LOCK TABLE usage_records IN SHARE ROW EXCLUSIVE MODE');
    for (const rollup of ROLLUPS) await queryRunner.query(toTable(rollup));
    for (const rollup of ROLLUPS) await queryRunner.query(toBackfill(rollup));
    for (const rollup of ROLLUPS) await queryRunner.query(toIndexes(rollup));
    await queryRunner.query(TRIGGER);
    await queryRunner.query(ROW_INDEXES);
    // Last: from here on nobody may read the ledger until the commit.
    await queryRunner.query('ALTER TABLE usage_records ADD COLUMN rate jsonb');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP TRIGGER IF EXISTS roll_up_usage ON usage_records;
      DROP FUNCTION IF EXISTS weir_roll_up_usage;
      DROP TABLE IF EXISTS ${ROLLUPS.map(({ table }) => table).join(', ')};
      DROP INDEX IF EXISTS usage_records_project, usage_records_model, usage_records_status;
      ALTER TABLE usage_records DROP COLUMN IF EXISTS rate;
    `);
  }
}

interface Rollup {
  readonly table: string;
  /** How long a bucket is. */
  readonly bucket: 'hour' | 'day';
  /** What the sums are kept by, besides the bucket. */
  readonly dimensions: readonly (keyof typeof DIMENSIONS)[];
  /** For questions about one of something; the primary key begins with the time. */
  readonly indexes: readonly string[];
}

/** Where a row has no project or upstream: NULLs are all different from each other in a key. */
const NONE = `'00000000-0000-0000-0000-000000000000'::uuid`;

const DIMENSIONS = {
  organization_id: { type: 'uuid', from: 'organization_id' },
  project_id: { type: 'uuid', from: `coalesce(project_id, ${NONE})` },
  key_id: { type: 'uuid', from: 'key_id' },
  model: { type: 'text', from: 'model' },
  upstream_id: { type: 'uuid', from: `coalesce(upstream_id, ${NONE})` },
  operation: { type: 'text', from: 'operation' },
  status: { type: 'text', from: 'status' },
} as const;

/**
 * The whole truth is in usage_hourly and usage_daily. The last two are smaller, for sums over the
 * whole installation, where there are many keys and many models: keeping them apart keeps their
 * product away.
 */
const ROLLUPS: readonly Rollup[] = [
  {
    table: 'usage_hourly',
    bucket: 'hour',
    dimensions: ['organization_id', 'project_id', 'key_id', 'model', 'upstream_id', 'operation', 'status'],
    indexes: ['organization_id'],
  },
  {
    table: 'usage_daily',
    bucket: 'day',
    dimensions: ['organization_id', 'project_id', 'key_id', 'model', 'upstream_id', 'operation', 'status'],
    indexes: ['organization_id', 'key_id'],
  },
  {
    table: 'usage_daily_keys',
    bucket: 'day',
    dimensions: ['organization_id', 'project_id', 'key_id'],
    indexes: ['organization_id', 'key_id'],
  },
  { table: 'usage_daily_models', bucket: 'day', dimensions: ['model', 'upstream_id', 'operation', 'status'], indexes: [] },
];

const toUnit = (name: string, factor = 1): string => `coalesce((units->>'${name}')::numeric * ${factor}, 0)`;

/** What is summed, from a row of the ledger. */
const MEASURES: Readonly<Record<string, string>> = {
  requests: '(attempt = 1)::int',
  attempts: '1',
  failed_attempts: `(status = 'failed')::int`,
  aborted_attempts: `(status = 'aborted')::int`,
  unknown_attempts: `(status = 'unknown')::int`,
  input_tokens: 'input_tokens',
  cached_input_tokens: 'cached_input_tokens',
  cache_write_tokens: toUnit('cache_write_tokens'),
  output_tokens: 'output_tokens',
  reasoning_tokens: toUnit('reasoning_tokens'),
  characters: toUnit('characters'),
  media_ms: toUnit('seconds', 1000),
  images: toUnit('images'),
  documents: toUnit('documents'),
  gpu_ms: toUnit('gpu_seconds', 1000),
  cost_nanos: 'coalesce(cost_nanos, 0)',
  estimated_attempts: 'estimated::int',
  unpriced_attempts: '(cost_nanos IS NULL)::int',
  duration_ms: 'duration_ms',
};

const MEASURE_NAMES = Object.keys(MEASURES);
/** Zero in most buckets, where NULL takes no room in the row and no time to add. */
const RARE_MEASURES: ReadonlySet<string> = new Set([
  'failed_attempts',
  'aborted_attempts',
  'unknown_attempts',
  'cache_write_tokens',
  'reasoning_tokens',
  'characters',
  'media_ms',
  'images',
  'documents',
  'gpu_ms',
  'estimated_attempts',
  'unpriced_attempts',
]);

// Every ledger insert changes its buckets of today: room in the page keeps that from touching indexes.
const toTable = ({ table, dimensions }: Rollup): string => `
  CREATE TABLE ${table} (
    at timestamptz NOT NULL,
    ${dimensions.map((name) => `${name} ${DIMENSIONS[name].type} NOT NULL,`).join('\n    ')}
    ${MEASURE_NAMES.map((name) => `${name} bigint${RARE_MEASURES.has(name) ? '' : ' NOT NULL'}`).join(',\n    ')}
  ) WITH (fillfactor = 85)`;

const toIndexes = ({ table, dimensions, indexes }: Rollup): string => `
  ALTER TABLE ${table} ADD PRIMARY KEY (at, ${dimensions.join(', ')});
  ${indexes.map((name) => `CREATE INDEX ${table}_${name.replace('_id', '')} ON ${table} (${name}, at);`).join('\n  ')}
  ANALYZE ${table};`;

/** A sum that no column holds must not cost the rows that make it. */
function toStored(name: string, sum: string): string {
  // least() passes NULL over.
  const stored = `least(coalesce(${sum}, 0), 9223372036854775807)::bigint`;
  return RARE_MEASURES.has(name) ? `nullif(${stored}, 0)` : stored;
}

/** @param isSummed whether the source is another rollup, and not rows. */
function toInsert({ table, bucket, dimensions }: Rollup, source: string, isSummed: boolean): string {
  const keys = [1, ...dimensions.map((_, index) => index + 2)].join(', ');
  const selected = dimensions.map((name) => (isSummed ? name : DIMENSIONS[name].from));
  const sums = MEASURE_NAMES.map((name) => toStored(name, `sum(${isSummed ? name : MEASURES[name]})`));
  return `INSERT INTO ${table} AS rollup (at, ${dimensions.join(', ')}, ${MEASURE_NAMES.join(', ')})
    SELECT date_trunc('${bucket}', at, 'UTC'), ${selected.join(', ')},
      ${sums.join(', ')}
    FROM ${source} GROUP BY ${keys} ORDER BY ${keys}`;
}

const toBackfill = (rollup: Rollup): string =>
  rollup === ROLLUPS[0] ? toInsert(rollup, 'usage_records', false) : toInsert(rollup, ROLLUPS[0].table, true);

// Two inserts with the same buckets lock them in the same order: that is what ORDER BY is for, and
// the fixed order of the tables. The last table has the fewest and hottest buckets: they are locked
// for the shortest time.
const toUpsert = (rollup: Rollup): string => `${toInsert(rollup, 'new_rows', false)}
    ON CONFLICT (at, ${rollup.dimensions.join(', ')}) DO UPDATE SET
      ${MEASURE_NAMES.map((name) => `${name} = ${toStored(name, toAdded(name))}`).join(',\n      ')};`;

const toAdded = (name: string): string =>
  RARE_MEASURES.has(name) ? `coalesce(rollup.${name}, 0)::numeric + coalesce(excluded.${name}, 0)` : `rollup.${name}::numeric + excluded.${name}`;

// For pages of rows that few rows fit: without them a page is looked for in all rows of its time.
const ROW_INDEXES = `
  CREATE INDEX usage_records_project ON usage_records (project_id, at) WHERE project_id IS NOT NULL;
  CREATE INDEX usage_records_model ON usage_records (model, at);
  CREATE INDEX usage_records_status ON usage_records (status, at) WHERE status <> 'succeeded';
`;

// A trigger, and no part of the program, so that no row can come without being counted: neither
// from a process of the version before, nor by hand. new_rows holds what was really inserted, not
// what ON CONFLICT left alone. Rows that move to another partition do not come by here.
const TRIGGER = `
  CREATE FUNCTION weir_roll_up_usage() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    ${ROLLUPS.map(toUpsert).join('\n    ')}
    RETURN NULL;
  END $$;

  CREATE TRIGGER roll_up_usage AFTER INSERT ON usage_records
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION weir_roll_up_usage();
`;
