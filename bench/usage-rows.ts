import { UsagePartitions } from '@weir/ledger';
import { type Client } from 'pg';
import { type DataSource } from 'typeorm';

export const DAYS = 180;
const DAY_MS = 86_400_000;
/** Rows an INSERT: a statement of its own, so that what it remembers stays small. */
const CHUNK_ROWS = 500_000;

/**
 * Who uses what. Organizations and keys are of very different sizes: the largest organization has
 * about a tenth of all rows, the largest key a fiftieth, the smallest key a dozen a day. A key uses
 * one to four models, each behind two upstreams; two of three keys belong to a project.
 */
const PEOPLE = `
  SELECT setseed(0.42);
  CREATE UNLOGGED TABLE bench_upstreams AS SELECT n, gen_random_uuid() AS id FROM generate_series(0, 9) AS n;
  INSERT INTO upstreams (id, name, provider, base_url) SELECT id, 'upstream-' || n, 'openai', 'https://api.example' FROM bench_upstreams;
  CREATE UNLOGGED TABLE bench_organizations AS SELECT n, gen_random_uuid() AS id FROM generate_series(0, 199) AS n;
  INSERT INTO organizations (id, name) SELECT id, 'organization-' || n FROM bench_organizations;
  CREATE UNLOGGED TABLE bench_keys AS
    SELECT key.n, organization.id AS organization_id, key.id AS key_id,
      CASE WHEN key.n % 3 > 0 THEN md5(organization.n || '/' || key.n % 3)::uuid END AS project_id, key.models
    FROM (SELECT n, gen_random_uuid() AS id, floor(200 * random() ^ 1.5)::int AS organization,
            (SELECT array_agg(DISTINCT floor(30 * random() ^ 1.5)::int) FROM generate_series(0, n % 4)) AS models
          FROM generate_series(0, 1999) AS n) AS key
    JOIN bench_organizations AS organization ON organization.n = key.organization;
  ANALYZE bench_keys;`;

/** Busy noons and quiet midnights; one request in fifty is tried twice; one attempt in twenty-five does not succeed. */
const ROWS = `
  INSERT INTO usage_records (request_id, attempt, at, organization_id, project_id, key_id, operation, model, upstream_id, upstream_model,
    status, http_status, input_tokens, cached_input_tokens, output_tokens, units, estimated, cost_nanos, duration_ms, first_byte_ms)
  SELECT (lpad(to_hex((extract(epoch FROM spread.at) * 1000)::bigint), 12, '0') || '7' || substr(md5(spread.i::text), 1, 19))::uuid,
    CASE WHEN spread.i % 50 = 0 THEN 2 ELSE 1 END, spread.at, key.organization_id, key.project_id, key.key_id,
    CASE WHEN spread.model < 24 THEN 'chat' WHEN spread.model < 28 THEN 'embeddings' WHEN spread.model < 29 THEN 'speech' ELSE 'transcription' END,
    'model-' || spread.model, upstream.id, 'upstream-model-' || spread.model, spread.status, CASE spread.status WHEN 'failed' THEN 502 ELSE 200 END,
    spread.input, spread.input / 3, spread.output, CASE WHEN spread.i % 5 = 0 THEN jsonb_build_object('reasoning_tokens', spread.output / 2) END,
    spread.i % 40 = 0, CASE WHEN spread.i % 200 > 0 THEN spread.input * 150 + spread.output * 600 END, spread.output * 12, 300
  FROM (
    SELECT i, key_n, at, model, floor(4000 * random() ^ 3)::bigint AS input, floor(1500 * random() ^ 2)::bigint AS output,
      CASE WHEN chance < 0.96 THEN 'succeeded' WHEN chance < 0.98 THEN 'failed' WHEN chance < 0.997 THEN 'aborted' ELSE 'unknown' END AS status
    FROM (
      SELECT i, random() AS chance, key.n AS key_n, key.models[1 + floor(cardinality(key.models) * random() ^ 2)::int] AS model,
        to_timestamp($3 + (day + part - 0.12 * sin(2 * pi() * part)) * 86400) AS at
      FROM (
        SELECT i, floor(2000 * random() ^ 2)::int AS n, floor(i * $4::float8) AS day, i * $4::float8 - floor(i * $4::float8) AS part
        FROM generate_series($1::bigint, $2::bigint) AS i OFFSET 0
      ) AS drawn JOIN bench_keys AS key USING (n) OFFSET 0
    ) AS placed OFFSET 0
  ) AS spread
  JOIN bench_keys AS key ON key.n = spread.key_n
  JOIN bench_upstreams AS upstream ON upstream.n = (spread.model + CASE WHEN spread.i % 7 = 0 THEN 3 ELSE 0 END) % 10`;

/** Fills a database that has the ledger and no sums yet with rows of the last 180 days, up to now. */
export async function insertRows(client: Client, dataSource: DataSource, { rows, endMs }: { rows: number; endMs: number }): Promise<void> {
  const startMs = endMs - DAYS * DAY_MS;
  const partitions = new UsagePartitions(dataSource, { nowMs: () => endMs, monotonicMs: () => 0 }, { info: () => undefined, warn: () => undefined });
  for (let atMs = startMs; atMs <= endMs; atMs += 28 * DAY_MS) await partitions.ensure(atMs);
  await client.query(PEOPLE);
  for (let from = 0; from < rows; from += CHUNK_ROWS) {
    await client.query(ROWS, [from, Math.min(from + CHUNK_ROWS, rows) - 1, startMs / 1000, DAYS / rows]);
  }
}
