import { newId, type OrganizationId, type ProjectId, type UpstreamId, zeroUsage } from '@weir/kernel';
import { createDataSource } from '@weir/platform';
import { LedgerReader, parseUsageGroups, toRequestView, toUsageView, UsageInserter, UsagePartitions, type UsageRecord } from '@weir/ledger';
import { type DataSource } from 'typeorm';
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres';
import { toExampleRecord } from './example-record';
import { RowBatch } from './row-batch';
import { toUsageRowText } from './usage-row';

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined } as never;
const DAY_MS = 24 * 3_600_000;
const START = Date.UTC(2026, 10, 29, 23, 59, 59, 998);
const [organizationA, organizationB] = [newId<OrganizationId>(), newId<OrganizationId>()];
const projectId = newId<ProjectId>();
const upstreamId = newId<UpstreamId>();
const deletedUpstreamId = newId<UpstreamId>();

/** Twenty rows over three days and a month's end: each request has two attempts at the same time. */
const RECORDS: UsageRecord[] = Array.from({ length: 10 }, (_, index) => {
  const record = toExampleRecord({
    atMs: START + index * (DAY_MS / 4),
    organizationId: index % 2 === 0 ? organizationA : organizationB,
    projectId: index % 4 === 0 ? projectId : null,
    model: index < 5 ? 'small' : 'large',
    upstreamId: index < 8 ? upstreamId : deletedUpstreamId,
    usage: { ...zeroUsage(), inputTokens: 100, cachedInputTokens: 40, outputTokens: 10, reasoningTokens: index, mediaMs: 1_500, requests: 1 },
    costNanos: index === 9 ? null : 1_000_000_000 + index,
    estimated: index === 3,
    rate: index === 1 ? '{"input_per_million_usd":"2.5"}' : null,
  });
  return [{ ...record, status: 'failed' as const, httpStatus: 503, errorCode: 'upstream_error', costNanos: 0 }, { ...record, attempt: 2 }];
}).flat();

describe('LedgerReader', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let reader: LedgerReader;

  beforeAll(async () => {
    database = await createTestDatabase();
    dataSource = await createDataSource(database.url, 2, []).initialize();
    reader = new LedgerReader(dataSource);
    await new UsagePartitions(dataSource, { nowMs: () => START, monotonicMs: () => 0 }, silent).ensure(START);
    await database.query(`INSERT INTO upstreams (id, name, provider, base_url) VALUES ('${upstreamId}', 'main', 'openai', 'https://x')`);
    const inserter = new UsageInserter(database.url);
    await inserter.insert(RowBatch.of(RECORDS.map(toUsageRowText)));
    await inserter.close();
  });
  afterAll(async () => {
    await dataSource.destroy();
    await database.drop();
  });

  const idsOf = (rows: readonly { requestId: string; attempt: number }[]): string[] => rows.map((row) => `${row.requestId}/${row.attempt}`);
  const newestFirst = [...RECORDS].sort((one, other) => other.atMs - one.atMs || other.attempt - one.attempt);

  it.each([1, 3, 7, 20, 100])('pages through every row once, newest first, %i at a time', async (limit) => {
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<LedgerReader['listRows']>> = await reader.listRows({}, { limit, cursor });
      expect(page.items.length).toBeLessThanOrEqual(limit);
      expect(page.hasMore).toBe(page.nextCursor !== null);
      seen.push(...idsOf(page.items));
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(seen).toEqual(idsOf(newestFirst));
  });

  it('gives a row back as it was written, in the words of the API', async () => {
    const { items } = await reader.listRows({ requestId: RECORDS[2].requestId });
    expect(items.map(toRequestView)[1]).toEqual({
      request_id: RECORDS[2].requestId,
      attempt: 1,
      at: new Date(RECORDS[2].atMs).toISOString(),
      organization_id: organizationB,
      project_id: null,
      key_id: RECORDS[2].keyId,
      operation: 'chat',
      model: 'small',
      upstream: 'main',
      upstream_id: upstreamId,
      upstream_key_id: null,
      upstream_model: 'gpt',
      status: 'failed',
      http_status: 503,
      error_code: 'upstream_error',
      input_tokens: 100,
      cached_input_tokens: 40,
      output_tokens: 10,
      units: { reasoning_tokens: 1, seconds: 1.5 },
      estimated: false,
      cost_nanos: 0,
      cost_usd: '0',
      rate: { input_per_million_usd: '2.5' },
      duration_ms: 13,
      first_byte_ms: 3,
    });
  });

  it.each([
    ['organization', { organizationId: organizationA }, (record: UsageRecord) => record.organizationId === organizationA],
    ['project', { projectId }, (record: UsageRecord) => record.projectId === projectId],
    ['key', { keyId: RECORDS[0].keyId }, () => true],
    ['model', { model: 'large' }, (record: UsageRecord) => record.model === 'large'],
    ['a model that looks like SQL', { model: "'; DROP TABLE usage_records; --%" }, () => false],
    ['a name that PostgreSQL cannot hold', { model: 'small\0' }, () => false],
    ['an id that is none', { keyId: 'x' }, () => false],
    ['upstream', { upstreamId: deletedUpstreamId }, (record: UsageRecord) => record.upstreamId === deletedUpstreamId],
    ['operation', { operation: 'embeddings' }, () => false],
    ['status', { status: 'failed' as const }, (record: UsageRecord) => record.status === 'failed'],
    ['time', { fromMs: RECORDS[4].atMs, toMs: RECORDS[8].atMs }, (record: UsageRecord) => record.atMs >= RECORDS[4].atMs && record.atMs < RECORDS[8].atMs],
    ['several at once', { organizationId: organizationA, status: 'succeeded' as const, model: 'small' }, (record: UsageRecord) => record.organizationId === organizationA && record.status === 'succeeded' && record.model === 'small'],
  ])('filters by %s', async (_what, filter, matches) => {
    const { items } = await reader.listRows(filter, { limit: 100 });
    expect(idsOf(items)).toEqual(idsOf(newestFirst.filter(matches)));
  });

  it.each(['nonsense', '', 'bnVsbA', Buffer.from('[1,"x",1]').toString('base64url'), Buffer.from('[1e300,1,1]').toString('base64url')])(
    'refuses the cursor %j by name',
    async (cursor) => {
      await expect(reader.listRows({}, { cursor })).rejects.toMatchObject({ code: 'invalid_request', param: 'cursor' });
      if (cursor !== '') await expect(reader.sumUsage({}, ['day'], { cursor })).rejects.toMatchObject({ param: 'cursor' });
    },
  );

  it('sums everything, exactly', async () => {
    const { items } = await reader.sumUsage({}, []);
    expect(items.map(toUsageView)).toEqual([
      {
        requests: 10,
        attempts: 20,
        succeeded_attempts: 10,
        failed_attempts: 10,
        aborted_attempts: 0,
        unknown_attempts: 0,
        input_tokens: 2000,
        cached_input_tokens: 800,
        cache_write_tokens: 0,
        output_tokens: 200,
        reasoning_tokens: 90,
        characters: 0,
        seconds: 30,
        images: 0,
        documents: 0,
        gpu_seconds: 0,
        duration_ms: 260,
        cost_nanos: 9_000_000_036,
        cost_usd: '9.000000036',
        estimated_attempts: 2,
        unpriced_attempts: 1,
      },
    ]);
  });

  it('sums nothing to zeros', async () => {
    const { items } = await reader.sumUsage({ model: 'none' }, []);
    expect(items).toMatchObject([{ requests: 0, inputTokens: 0, costNanos: 0, costUsd: '0' }]);
  });

  it.each([
    ['organization', [organizationA, organizationB].sort().map((id) => [id, 5])],
    ['project', [[projectId, 3], [null, 7]]],
    ['key', [[RECORDS[0].keyId, 10]]],
    ['model', [['large', 5], ['small', 5]]],
    ['upstream', [[deletedUpstreamId, 2], ['main', 8]]],
    ['operation', [['chat', 10]]],
    ['status', [['failed', 10], ['succeeded', 0]]],
    ['hour', RECORDS.filter(({ attempt }) => attempt === 1).map(({ atMs }) => [`${new Date(atMs).toISOString().slice(0, 13)}:00Z`, 1])],
    ['day', [['2026-11-29', 1], ['2026-11-30', 4], ['2026-12-01', 4], ['2026-12-02', 1]]],
  ] as const)('groups by %s', async (group, expected) => {
    const { items } = await reader.sumUsage({}, [group]);
    expect(items.map((sum) => [sum.groups[group], sum.requests])).toEqual(expected);
  });

  it('groups by several at once, within a filter, page by page', async () => {
    const groups = ['day', 'model'] as const;
    const seen: unknown[] = [];
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<LedgerReader['sumUsage']>> = await reader.sumUsage({ organizationId: organizationA }, groups, { limit: 2, cursor });
      seen.push(...page.items.map((sum) => [sum.groups.day, sum.groups.model, sum.requests]));
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(seen).toEqual([['2026-11-29', 'small', 1], ['2026-11-30', 'small', 2], ['2026-12-01', 'large', 2]]);
  });
});

describe('parseUsageGroups', () => {
  it('takes a list in either form, once each', () => {
    expect(parseUsageGroups('day, model,day')).toEqual(['day', 'model']);
    expect(parseUsageGroups(['key'])).toEqual(['key']);
    expect(parseUsageGroups(undefined)).toEqual([]);
  });

  it.each(['cost', 'day,', 'constructor', ['day', 1], {}])('refuses %j by name', (value) => {
    expect(() => parseUsageGroups(value)).toThrow(expect.objectContaining({ code: 'invalid_request', param: 'group_by' }));
  });
});
