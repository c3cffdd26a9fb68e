/**
 * What the dashboards' questions cost at 10 million rows of 200 organizations, 2,000 keys, 30 models
 * and 180 days, and what a batch of rows costs with and without the sums that are kept of it. Builds
 * a PostgreSQL of its own, with the settings of the embedded one, and throws it away.
 * Environment: ROWS (10000000), RUNS (5), and BENCH_DATABASE_URL of a database that is filled already.
 */
import { createDataSource, runMigrations } from '@weir/platform';
import { systemClock } from '@weir/kernel';
import { LedgerReader, RowBatch, UsageInserter, UsageRollups } from '@weir/ledger';
import { Client } from 'pg';
import { type DataSource } from 'typeorm';
import { MIGRATIONS } from '../migrations';
import { Foundation1763600000000 } from '../migrations/1763600000000-foundation';
import { startPrivatePostgres } from '../test/support/postgres';
import { toBatch } from './usage-batch';
import { insertRows } from './usage-rows';

const ROWS = Number(process.env.ROWS ?? 10_000_000);
const RUNS = Number(process.env.RUNS ?? 5);
const TARGET_MS = 200;
const DAY_MS = 86_400_000;
/** What an answer about completions is made of. */
const TOKENS = ['requests', 'input_tokens', 'cached_input_tokens', 'cache_write_tokens', 'output_tokens'] as const;

async function main(): Promise<void> {
  const given = process.env.BENCH_DATABASE_URL;
  const server = given === undefined ? await startPrivatePostgres() : null;
  const url = server?.url ?? given ?? '';
  const dataSource = await createDataSource(url, 4, []).initialize();
  try {
    if (server !== null) await fill(url, dataSource);
    await measureAll(dataSource);
    await measureBatches(url, dataSource);
  } finally {
    await dataSource.destroy();
    await server?.destroy();
  }
}

/** Rows first and the sums after, as at an installation that is brought up to date. */
async function fill(url: string, dataSource: DataSource): Promise<void> {
  await runMigrations(createDataSource(url, 1, [], [Foundation1763600000000]));
  const client = new Client({ connectionString: url });
  await client.connect();
  await time(`${ROWS} rows inserted`, () => insertRows(client, dataSource, { rows: ROWS, endMs: Date.now() }));
  await time('sums made by the migration', () => runMigrations(createDataSource(url, 1, [], MIGRATIONS)));
  await client.query('VACUUM ANALYZE');
  await client.end();
}

async function time(what: string, work: () => Promise<unknown>): Promise<void> {
  const startMs = performance.now();
  await work();
  console.log(`${what}: ${((performance.now() - startMs) / 1000).toFixed(1)} s`);
}

interface Subjects {
  readonly organizationId: string;
  readonly keyId: string;
  readonly projectId: string;
  readonly nowMs: number;
}

async function measureAll(dataSource: DataSource): Promise<void> {
  const [subjects] = await dataSource.query<[Subjects & { rows: string }]>(`
    SELECT organization_id AS "organizationId", (array_agg(key_id ORDER BY attempts DESC))[1] AS "keyId",
      (array_agg(project_id ORDER BY attempts DESC) FILTER (WHERE project_id::text NOT LIKE '00000000-%'))[1] AS "projectId",
      (SELECT extract(epoch FROM max(at)) * 1000 FROM usage_records)::float8 AS "nowMs", (SELECT sum(attempts) FROM usage_daily_models) AS rows
    FROM (SELECT organization_id, project_id, key_id, sum(attempts) AS attempts FROM usage_daily_keys GROUP BY 1, 2, 3) AS key
    GROUP BY organization_id ORDER BY sum(attempts) DESC LIMIT 1`);
  console.log(`\n${subjects.rows} rows; median of ${RUNS}, the longest in brackets. The organization and the key are the largest.`);
  await measureSums(new LedgerReader(dataSource), subjects);
  await measurePages(new LedgerReader(dataSource), subjects);
  await measureSpent(new UsageRollups(dataSource, systemClock), subjects);
}

async function measureSums(reader: LedgerReader, { organizationId, keyId, nowMs }: Subjects): Promise<void> {
  const whose = { 'everybody': {}, 'one organization': { organizationId }, 'one key': { organizationId, keyId } };
  for (const [who, filter] of Object.entries(whose)) {
    for (const days of [30, 90]) {
      for (const groups of [[], ['organization'], ['project'], ['key'], ['model'], ['upstream'], ['operation'], ['status'], ['day']] as const) {
        await measure(`${days} days of ${who} by ${groups.join('') || 'nothing'}`, () => reader.sumUsage({ ...filter, fromMs: nowMs - days * DAY_MS }, groups, { limit: 200 }));
      }
    }
    const week = { ...filter, fromMs: nowMs - 7 * DAY_MS };
    await measure(`7 days of ${who} by hour`, () => reader.sumUsage(week, ['hour'], { limit: 200 }));
    await measure(`30 days of ${who} by day and model`, () => reader.sumUsage({ ...filter, fromMs: nowMs - 30 * DAY_MS }, ['day', 'model'], { limit: 200 }));
    await measure(`30 days of ${who} and one model by key`, () => reader.sumUsage({ ...filter, model: 'model-0', fromMs: nowMs - 30 * DAY_MS }, ['key'], { limit: 200 }));
    await measure(`OpenAI's usage, ${who}, 31 days by model`, () => reader.sumBuckets({ ...filter, operation: ['chat', 'completions'], fromMs: nowMs - 31 * DAY_MS, toMs: nowMs }, { bucket: 'day', groups: ['model'], sums: TOKENS }));
    await measure(`OpenAI's usage, ${who}, a day by the minute`, () => reader.sumBuckets({ ...filter, fromMs: nowMs - DAY_MS, toMs: nowMs }, { bucket: 'minute', groups: [], sums: TOKENS }));
    await measure(`OpenAI's costs, ${who}, 180 days`, () => reader.sumBuckets({ ...filter, fromMs: nowMs - 180 * DAY_MS, toMs: nowMs }, { bucket: 'day', groups: [], sums: ['cost_nanos'] }));
    await measure(`OpenAI's costs, ${who}, 180 days by line item`, () => reader.sumBuckets({ ...filter, fromMs: nowMs - 180 * DAY_MS, toMs: nowMs }, { bucket: 'day', groups: ['model'], sums: ['cost_nanos'] }));
    await measure(`OpenAI's costs, ${who}, 31 days by project`, () => reader.sumBuckets({ ...filter, fromMs: nowMs - 31 * DAY_MS, toMs: nowMs }, { bucket: 'day', groups: ['project'], sums: ['cost_nanos'] }));
  }
}

async function measurePages(reader: LedgerReader, { organizationId, projectId, keyId, nowMs }: Subjects): Promise<void> {
  const fromMs = nowMs - 30 * DAY_MS;
  const old = await reader.listRows({ fromMs, toMs: nowMs - 15 * DAY_MS }, { limit: 1 });
  const filters = {
    'nothing': {},
    'organization': { organizationId },
    'key': { keyId },
    'project': { projectId },
    'organization and model': { organizationId, model: 'model-0' },
    'model': { model: 'model-0' },
    'a model that nobody uses': { model: 'none' },
    'organization and a model that nobody uses': { organizationId, model: 'none' },
    'failed': { status: 'failed' },
    'organization and unknown': { organizationId, status: 'unknown' },
    'operation': { operation: 'transcription' },
    'an operation that nobody uses': { operation: 'none' },
    'organization and an operation that nobody uses': { organizationId, operation: 'none' },
    'an upstream that nobody uses': { upstreamId: organizationId },
    'a project that does nothing': { projectId: organizationId },
    'a request id': { requestId: old.items[0]?.requestId },
  } as const;
  for (const [what, filter] of Object.entries(filters)) {
    await measure(`a page of requests by ${what}`, () => reader.listRows({ ...filter, fromMs }, { limit: 50 }));
  }
  await measure('a page of requests, half a month back', () => reader.listRows({ fromMs }, { limit: 50, cursor: old.nextCursor }));
}

async function measureSpent(rollups: UsageRollups, { organizationId, projectId, keyId, nowMs }: Subjects): Promise<void> {
  const subjects = { key: keyId, project: projectId, organization: organizationId } as const;
  for (const [scope, subject] of Object.entries(subjects) as [keyof typeof subjects, string][]) {
    const question = { organizationId, scope, subject, model: null, toMs: null, exceptRequestIds: [] };
    await measure(`spent by the ${scope} in all time`, () => rollups.sumSpentNanos({ ...question, fromMs: 0 }));
    await measure(`spent by the ${scope} in 100 days, from and to the middle of an hour`, () => rollups.sumSpentNanos({ ...question, fromMs: nowMs - 100 * DAY_MS, toMs: nowMs - 600_000 }));
    await measure(`spent by the ${scope} today but for 1,000 requests`, () =>
      rollups.sumSpentNanos({ ...question, fromMs: Math.floor(nowMs / DAY_MS) * DAY_MS, exceptRequestIds: Array.from({ length: 1000 }, () => crypto.randomUUID()) }));
  }
  await measure('requests of the last day, for the windows', async () => {
    let count = 0;
    for await (const { requests } of rollups.readDayRequests(nowMs)) count += requests;
    return count;
  }, 10 * TARGET_MS);
}

async function measure(what: string, question: () => Promise<unknown>, targetMs = TARGET_MS): Promise<void> {
  const times: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const startMs = performance.now();
    await question();
    times.push(performance.now() - startMs);
  }
  times.sort((one, other) => one - other);
  const medianMs = times[Math.floor(RUNS / 2)];
  console.log(`${what.padEnd(72)} ${medianMs.toFixed(1).padStart(7)} ms (${times[RUNS - 1].toFixed(0)})${medianMs > targetMs ? '  TOO SLOW' : ''}`);
}

/** What the sums cost whoever inserts: the same batches with the trigger and without it. */
async function measureBatches(url: string, dataSource: DataSource): Promise<void> {
  const keys = await dataSource.query<{ organization_id: string; project_id: string; key_id: string; model: string }[]>(
    'SELECT organization_id, project_id, key_id, model FROM usage_daily WHERE at = (SELECT max(at) FROM usage_daily) ORDER BY attempts DESC LIMIT 1000',
  );
  const inserter = new UsageInserter(url);
  for (const [what, state] of [['with', 'ENABLE'], ['without', 'DISABLE'], ['with', 'ENABLE']]) {
    await dataSource.query(`ALTER TABLE usage_records ${state} TRIGGER roll_up_usage`);
    const startMs = performance.now();
    for (let batch = 0; batch < 40; batch++) await inserter.insert(RowBatch.of(toBatch(keys, 500, Date.now())));
    console.log(`a batch of 500 rows ${what} sums`.padEnd(72), `${((performance.now() - startMs) / 40).toFixed(1).padStart(7)} ms`);
  }
  await inserter.close();
}

void main();
