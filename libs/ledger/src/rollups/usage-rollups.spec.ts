import { newId, type OrganizationId, type ProjectId, type ProxyKeyId, systemClock, type UpstreamId, zeroUsage } from '@weir/kernel';
import { createDataSource, runMigrations } from '@weir/platform';
import { LedgerReader, type RequestCount, UsageInserter, UsagePartitions, type UsageRecord, UsageRollups } from '@weir/ledger';
import { type DataSource } from 'typeorm';
import { MIGRATIONS } from '../../../../migrations';
import { Foundation1763600000000 } from '../../../../migrations/1763600000000-foundation';
import { UsageRollups1763700000000 } from '../../../../migrations/1763700000000-usage-rollups';
import { createTestDatabase, type TestDatabase } from '../../../../test/support/postgres';
import { waitFor } from '../../../../test/support/wait-for';
import { toExampleRecord } from '../example-record';
import { RowBatch } from '../row-batch';
import { toUsageRowText } from '../usage-row';
import { type UsageGroup } from '../usage-sum';
import { DAY_MS, HOUR_MS } from './usage-spans';

const silent = { info: () => undefined, warn: () => undefined };
const NOON = Date.UTC(2026, 10, 20, 12);
const organizations = [newId<OrganizationId>(), newId<OrganizationId>()];
const keys = [newId<ProxyKeyId>(), newId<ProxyKeyId>(), newId<ProxyKeyId>()];
const projects = [newId<ProjectId>(), null];
const upstreams = [newId<UpstreamId>(), newId<UpstreamId>(), null];
const statuses = ['succeeded', 'failed', 'aborted', 'unknown'] as const;
const operations = ['chat', 'embeddings'] as const;

/** The same numbers at every run: a failure can be looked at again. */
function toRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Of two organizations, over five days; two of seven requests are tried again, elsewhere. */
function toRecords(count: number, seed: number): UsageRecord[] {
  const random = toRandom(seed);
  const records: UsageRecord[] = [];
  while (records.length < count) {
    const whose = random(2);
    const first = toExampleRecord({
      // Some at the very border of an hour or a day.
      atMs: NOON + (random(4) === 0 ? random(120) * HOUR_MS - random(2) : random(5 * DAY_MS)),
      organizationId: organizations[whose],
      keyId: keys[whose + random(2)],
      projectId: projects[random(2)],
      model: `model-${random(3)}`,
      operation: operations[random(2)],
      upstreamId: upstreams[random(3)],
      status: statuses[random(4)],
      usage: { ...zeroUsage(), inputTokens: random(1000), cachedInputTokens: random(100), outputTokens: random(500), reasoningTokens: random(2) * random(50), mediaMs: random(3) * 1_234, images: random(2), gpuMs: random(2) * 7 },
      costNanos: random(5) === 0 ? null : random(1_000_000_000),
      estimated: random(4) === 0,
      durationMs: random(10_000),
    });
    records.push(first);
    if (random(7) < 2) records.push({ ...first, attempt: 2, upstreamId: upstreams[random(3)], status: 'succeeded' });
  }
  return records;
}

describe('the sums of the ledger', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let inserters: UsageInserter[];

  beforeEach(async () => {
    database = await createTestDatabase();
    dataSource = await createDataSource(database.url, 6, []).initialize();
    inserters = Array.from({ length: 4 }, () => new UsageInserter(database.url));
  });
  afterEach(async () => {
    for (const inserter of inserters) await inserter.close();
    await dataSource.destroy();
    await database.drop();
  });

  const store = (records: readonly UsageRecord[], by = 0): Promise<number> => inserters[by].insert(RowBatch.of(records.map(toUsageRowText)));

  /** Fails when a table of sums is not, to the last column, what a sum over the rows would be. */
  async function expectExactSums(rows: number, of = database): Promise<void> {
    const none = `'00000000-0000-0000-0000-000000000000'::uuid`;
    const dimensions = { usage_hourly: 7, usage_daily: 7, usage_daily_keys: 3, usage_daily_models: 4 };
    for (const [table, count] of Object.entries(dimensions)) {
      const columns = await of.query<{ column_name: string; is_nullable: string }>(
        'SELECT column_name, is_nullable FROM information_schema.columns WHERE table_name = $1 ORDER BY ordinal_position',
        [table],
      );
      const names = columns.map(({ column_name }) => column_name);
      const keyed = names.slice(1, 1 + count);
      const measures: Record<string, string> = {
        requests: 'count(*) FILTER (WHERE attempt = 1)',
        attempts: 'count(*)',
        failed_attempts: `count(*) FILTER (WHERE status = 'failed')`,
        aborted_attempts: `count(*) FILTER (WHERE status = 'aborted')`,
        unknown_attempts: `count(*) FILTER (WHERE status = 'unknown')`,
        estimated_attempts: 'count(*) FILTER (WHERE estimated)',
        unpriced_attempts: 'count(*) FILTER (WHERE cost_nanos IS NULL)',
        media_ms: `sum((units->>'seconds')::numeric * 1000)`,
        gpu_ms: `sum((units->>'gpu_seconds')::numeric * 1000)`,
      };
      const UNITS = ['cache_write_tokens', 'reasoning_tokens', 'characters', 'images', 'documents'];
      const expected = names.slice(1 + count).map((name) => `coalesce(${measures[name] ?? (UNITS.includes(name) ? `sum((units->>'${name}')::numeric)` : `sum(${name})`)}, 0)`);
      const unit = table === 'usage_hourly' ? 'hour' : 'day';
      const group = [`date_trunc('${unit}', at, 'UTC')`, ...keyed.map((name) => (name === 'project_id' || name === 'upstream_id' ? `coalesce(${name}, ${none})` : name))];
      const stored = `SELECT ${[...names.slice(0, 1 + count), ...names.slice(1 + count).map((name) => `coalesce(${name}, 0) AS ${name}`)].join(', ')} FROM ${table}`;
      const summed = `SELECT ${[...group, ...expected].join(', ')} FROM usage_records GROUP BY ${group.map((_, index) => index + 1).join(', ')}`;
      const different = await of.query(`(${stored} EXCEPT ${summed}) UNION ALL (${summed} EXCEPT ${stored}) ORDER BY 1, 2, 3, 4 LIMIT 2`);
      expect({ table, different }).toEqual({ table, different: [] });
      expect(await of.query(`SELECT sum(attempts)::int AS rows FROM ${table}`)).toEqual([{ rows }]);
    }
  }

  it('are those of the rows, also of rows without a project or an upstream', async () => {
    const records = toRecords(500, 1);
    await expect(store(records)).resolves.toBe(records.length);
    await store(toRecords(100, 2));
    await expectExactSums((await database.query('SELECT 1 FROM usage_records')).length);
  });

  it('take a batch once that is sent again, whole or in part, because its answer was lost', async () => {
    const records = toRecords(300, 3);
    await store(records.slice(0, 200));
    await expect(store(records)).resolves.toBe(records.length - 200);
    await expect(store(records, 1)).resolves.toBe(0);
    await expectExactSums(records.length);
  });

  it('take a batch once that two processes send at the same time', async () => {
    const records = toRecords(3000, 4);
    // Connected beforehand, so that they do meet.
    await Promise.all(inserters.map((_, by) => store([], by)));
    const stored = await Promise.all([store(records, 0), store([...records].reverse(), 1), store(records.slice(1500), 2)]);
    expect(stored.reduce((one, other) => one + other)).toBe(records.length);
    await expectExactSums(records.length);
  });

  it('are exact and free of deadlocks when processes add to the same buckets in opposite orders', async () => {
    const batches = Array.from({ length: 24 }, (_, index) => toRecords(250, 100 + index));
    const total = batches.flat().length;
    await Promise.all(
      inserters.map(async (_, by) => {
        for (const [index, batch] of batches.entries()) {
          if (index % inserters.length === by) await store(by % 2 === 0 ? batch : [...batch].reverse(), by);
        }
      }),
    );
    await expectExactSums(total);
    const [{ deadlocks }] = await database.query<{ deadlocks: number }>('SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()');
    expect(deadlocks).toBe(0);
  });

  it('hold nothing of a batch that is refused', async () => {
    const records = toRecords(50, 5);
    const broken = toUsageRowText(records[49]).replace(/"status":"\w+"/, '"status":"fine"');
    await expect(inserters[0].insert(RowBatch.of([...records.slice(0, 49).map(toUsageRowText), broken]))).rejects.toMatchObject({ code: '23514' });
    await store(records.slice(0, 10));
    await expectExactSums(10);
  });

  it('hold rows that something else than this version inserted', async () => {
    await database.query(
      `INSERT INTO usage_records (request_id, attempt, at, organization_id, key_id, operation, model, status, duration_ms)
       SELECT gen_random_uuid(), 1, now(), gen_random_uuid(), gen_random_uuid(), 'chat', 'm', 'succeeded', 1 FROM generate_series(1, 5)`,
    );
    await expectExactSums(5);
  });

  it('count rows once that move to a partition of their own', async () => {
    const records = toRecords(200, 6);
    await store(records);
    await new UsagePartitions(dataSource, systemClock, silent).ensure(NOON);
    await store(records);
    await expectExactSums(records.length);
  });

  it('cost no row when they are more than a column holds', async () => {
    const record = toExampleRecord({ costNanos: Number.MAX_SAFE_INTEGER });
    for (let batch = 0; batch < 2; batch++) await store(Array.from({ length: 600 }, () => ({ ...toExampleRecord(record), requestId: newId() })));
    expect(await database.query('SELECT count(*)::int AS count FROM usage_records')).toEqual([{ count: 1200 }]);
    expect(await database.query('SELECT cost_nanos FROM usage_daily')).toEqual([{ cost_nanos: '9223372036854775807' }]);
  });

  it('keep the rate that a row was priced at', async () => {
    await store([toExampleRecord({ rate: '{"input_per_million_usd":"2.5"}' })]);
    expect(await database.query('SELECT rate FROM usage_records')).toEqual([{ rate: { input_per_million_usd: '2.5' } }]);
  });

  it('are made of the rows that are there when an installation is brought up to date, and go again', async () => {
    const old = await createTestDatabase({ empty: true });
    const oldSource = createDataSource(old.url, 1, []);
    await runMigrations(createDataSource(old.url, 1, [], [Foundation1763600000000]));
    const records = toRecords(300, 7);
    const inserted = records.map((record) => JSON.parse(toUsageRowText(record)));
    await old.query(
      `INSERT INTO usage_records SELECT request_id, attempt, timestamptz 'epoch' + at_ms * interval '1 millisecond', organization_id, project_id, key_id, operation, model,
         upstream_id, upstream_key_id, upstream_model, status, http_status, error_code, input_tokens, cached_input_tokens, output_tokens, units, estimated, cost_nanos, duration_ms, first_byte_ms
       FROM json_to_recordset($1) AS row (request_id uuid, attempt smallint, at_ms double precision, organization_id uuid, project_id uuid, key_id uuid, operation text, model text,
         upstream_id uuid, upstream_key_id uuid, upstream_model text, status text, http_status smallint, error_code text, input_tokens bigint, cached_input_tokens bigint,
         output_tokens bigint, units jsonb, estimated boolean, cost_nanos bigint, duration_ms integer, first_byte_ms integer)`,
      [JSON.stringify(inserted)],
    );
    await runMigrations(createDataSource(old.url, 1, [], MIGRATIONS));
    await expectExactSums(records.length, old);
    await oldSource.initialize();
    await oldSource.transaction((manager) => new UsageRollups1763700000000().down(manager.queryRunner!));
    expect(await old.query(`SELECT relname FROM pg_class WHERE relname LIKE 'usage\\_daily%' OR relname LIKE 'usage\\_hourly%'`)).toEqual([]);
    await old.query(`DELETE FROM usage_records WHERE request_id = $1`, [records[0].requestId]);
    await oldSource.transaction((manager) => new UsageRollups1763700000000().up(manager.queryRunner!));
    await expectExactSums(records.filter(({ requestId }) => requestId !== records[0].requestId).length, old);
    await oldSource.destroy();
    await old.drop();
  });

  describe('read', () => {
    const random = toRandom(11);
    const records = toRecords(1500, 8);
    const GROUPS: Record<Exclude<UsageGroup, 'upstream'>, (record: UsageRecord) => string | null> = {
      organization: ({ organizationId }) => organizationId,
      project: ({ projectId }) => projectId,
      key: ({ keyId }) => keyId,
      model: ({ model }) => model,
      operation: ({ operation }) => operation,
      status: ({ status }) => status,
      day: ({ atMs }) => new Date(atMs).toISOString().slice(0, 10),
      hour: ({ atMs }) => `${new Date(atMs).toISOString().slice(0, 13)}:00Z`,
    };

    beforeEach(async () => {
      await store(records);
    });

    const toRange = () => {
      const fromMs = NOON - HOUR_MS + random(3 * DAY_MS);
      return [{}, { fromMs }, { toMs: fromMs }, { fromMs, toMs: fromMs + 1 + random(2 * DAY_MS) }, { fromMs: Math.floor(fromMs / DAY_MS) * DAY_MS }][random(5)] as { fromMs?: number; toMs?: number };
    };
    const isWithin = ({ atMs }: UsageRecord, { fromMs = -Infinity, toMs = Infinity }: { fromMs?: number | null; toMs?: number | null }): boolean =>
      atMs >= (fromMs ?? -Infinity) && atMs < (toMs ?? Infinity);
    const sum = (some: readonly UsageRecord[], of: (record: UsageRecord) => number): number => some.reduce((total, record) => total + of(record), 0);

    it('are what the rows add up to, in any range, by anything, of anybody', async () => {
      const reader = new LedgerReader(dataSource);
      for (let round = 0; round < 60; round++) {
        const range = toRange();
        const groups = (Object.keys(GROUPS) as (keyof typeof GROUPS)[]).filter(() => random(4) === 0);
        const organizationId = random(2) === 0 ? organizations[random(2)] : undefined;
        const status = random(4) === 0 ? statuses[random(4)] : undefined;
        const model = random(4) === 0 ? ['model-0', 'model-2'] : undefined;
        const fitting = records.filter(
          (record) =>
            isWithin(record, range) &&
            (organizationId ?? record.organizationId) === record.organizationId &&
            (status ?? record.status) === record.status &&
            (model ?? [record.model]).includes(record.model),
        );
        const { items } = await reader.sumUsage({ ...range, organizationId, status, model }, groups, { limit: 1000 });
        const expected = Map.groupBy(fitting, (record) => JSON.stringify(groups.map((group) => GROUPS[group](record))));
        if (groups.length === 0 && fitting.length === 0) expected.set('[]', []);
        const seen = new Map(items.map((item) => [JSON.stringify(groups.map((group) => item.groups[group])), item]));
        expect([...seen.keys()].sort()).toEqual([...expected.keys()].sort().slice(0, 1000));
        for (const [name, some] of expected) {
          expect(seen.get(name)).toMatchObject({
            requests: some.filter(({ attempt }) => attempt === 1).length,
            attempts: some.length,
            succeededAttempts: some.filter((record) => record.status === 'succeeded').length,
            unknownAttempts: some.filter((record) => record.status === 'unknown').length,
            inputTokens: sum(some, ({ usage }) => usage.inputTokens),
            reasoningTokens: sum(some, ({ usage }) => usage.reasoningTokens),
            mediaMs: sum(some, ({ usage }) => usage.mediaMs),
            gpuMs: sum(some, ({ usage }) => usage.gpuMs),
            images: sum(some, ({ usage }) => usage.images),
            costNanos: sum(some, ({ costNanos }) => costNanos ?? 0),
            unpricedAttempts: some.filter(({ costNanos }) => costNanos === null).length,
            durationMs: sum(some, ({ durationMs }) => durationMs),
          });
        }
      }
    });

    it('tell what a key, a project or an organization has spent, but for what it is asked to leave out', async () => {
      const rollups = new UsageRollups(dataSource, systemClock);
      for (let round = 0; round < 60; round++) {
        const range = toRange();
        const organizationId = organizations[random(2)];
        const [scope, subject] = ([['key', keys[1]], ['project', projects[0] ?? ''], ['organization', organizationId]] as const)[random(3)];
        const model = random(2) === 0 ? null : 'model-1';
        const fitting = records.filter(
          (record) =>
            isWithin(record, range) && record.organizationId === organizationId && [record.keyId, record.projectId, organizationId].includes(subject as never) && (model ?? record.model) === record.model,
        );
        const exceptRequestIds = records.filter(() => random(10) === 0).map(({ requestId }) => requestId);
        const spent = await rollups.sumSpentNanos({ organizationId, scope, subject, model, fromMs: range.fromMs ?? 0, toMs: range.toMs ?? null, exceptRequestIds });
        expect(spent).toBe(sum(fitting.filter(({ requestId }) => !exceptRequestIds.includes(requestId)), ({ costNanos }) => costNanos ?? 0));
      }
    });

    it('count all of a day for spent whose rows are dropped by their age', async () => {
      const nowMs = Date.UTC(2027, 2, 1);
      const clock = { nowMs: () => nowMs, monotonicMs: () => 0 };
      await new UsagePartitions(dataSource, clock, silent, { retentionDays: 30 }).dropOld(nowMs);
      const rollups = new UsageRollups(dataSource, clock, 30);
      const question = { organizationId: organizations[0], scope: 'organization', subject: organizations[0], model: null, exceptRequestIds: [] } as const;
      const own = records.filter(({ organizationId }) => organizationId === organizations[0]);
      const fromMs = Math.floor(NOON / DAY_MS) * DAY_MS + DAY_MS;
      const expected = sum(own.filter(({ atMs }) => atMs >= fromMs), ({ costNanos }) => costNanos ?? 0);
      await expect(rollups.sumSpentNanos({ ...question, fromMs: fromMs + 5 * HOUR_MS + 1, toMs: null })).resolves.toBe(expected);
    });

    it('give back the requests of the last day, none too early and each once', async () => {
      const nowMs = NOON + 3 * DAY_MS + 25 * 60_000 + 1_234;
      const counts: RequestCount[] = [];
      for await (const count of new UsageRollups(dataSource, systemClock).readDayRequests(nowMs)) counts.push(count);
      const fitting = records.filter(({ atMs, attempt }) => attempt === 1 && atMs >= NOON + 2 * DAY_MS && atMs <= nowMs);
      const late = records.filter(({ atMs, attempt }) => attempt === 1 && atMs > nowMs && atMs < NOON + 3 * DAY_MS + HOUR_MS);
      expect(counts.reduce((total, { requests }) => total + requests, 0)).toBe(fitting.length + late.length);
      expect(Math.max(...counts.map(({ atMs }) => atMs))).toBeLessThanOrEqual(nowMs);
      const mine = fitting.filter(({ keyId, projectId, model, organizationId }) => keyId === keys[1] && projectId === null && model === 'model-1' && organizationId === organizations[1]);
      const counted = counts.filter(({ keyId, projectId, model, organizationId }) => keyId === keys[1] && projectId === null && model === 'model-1' && organizationId === organizations[1]);
      for (const atMs of mine.map((record) => record.atMs)) expect(counted.some((count) => count.atMs >= atMs && count.atMs < atMs + HOUR_MS)).toBe(true);
    });
  });

  it('stops asking PostgreSQL when whoever asked has left', async () => {
    const reader = new LedgerReader(dataSource);
    const locker = dataSource.createQueryRunner();
    await locker.startTransaction();
    await locker.query('LOCK TABLE usage_records IN ACCESS EXCLUSIVE MODE');
    const controller = new AbortController();
    const asking = reader.listRows({}, {}, controller.signal);
    const isWaiting = async (): Promise<boolean> => (await database.query(`SELECT 1 FROM pg_locks WHERE NOT granted`)).length > 0;
    await waitFor(isWaiting, { what: 'the question to wait for the table' });
    controller.abort();
    await expect(asking).rejects.toThrow('aborted');
    await waitFor(async () => !(await isWaiting()), { what: 'the question to be taken back' });
    await locker.rollbackTransaction();
    await locker.release();
    await expect(reader.listRows({})).resolves.toMatchObject({ items: [] });
  });
});
