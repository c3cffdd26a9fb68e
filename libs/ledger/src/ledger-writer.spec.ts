import { systemClock, zeroUsage } from '@weir/kernel';
import { Metrics } from '@weir/platform';
import { LedgerWriter, type LedgerWriterOptions, UsageInserter, type UsageRecord } from '@weir/ledger';
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres';
import { waitFor } from '../../../test/support/wait-for';
import { toExampleRecord } from './example-record';
import { createExampleLog, type ExampleLog, makeDataDirectory } from './example-writer';

type StoredRow = Record<string, unknown>;

const malformed = (): UsageRecord => toExampleRecord({ organizationId: 'canary-not-an-id' as UsageRecord['organizationId'] });

describe('LedgerWriter', () => {
  let database: TestDatabase;
  let log: ExampleLog;
  let directory: ReturnType<typeof makeDataDirectory>;
  let metrics: Metrics;
  const writers: LedgerWriter[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());
  beforeEach(async () => {
    log = createExampleLog();
    directory = makeDataDirectory();
    metrics = new Metrics();
    await database.query('TRUNCATE usage_records');
  });
  afterEach(async () => {
    for (const writer of writers.splice(0)) await writer.close();
    directory.remove();
  });

  function createWriter(options: Partial<LedgerWriterOptions> = {}): LedgerWriter {
    const inserter = new UsageInserter(database.url);
    const writer = LedgerWriter.open({ inserter, logger: log.logger, metrics, clock: systemClock, dataDirectory: directory.path, ...options });
    writers.push(writer);
    return writer;
  }

  const countRows = async (): Promise<number> => {
    const [row] = await database.query<{ count: string }>('SELECT count(*) FROM usage_records');
    return Number(row.count);
  };
  const readMetric = async (result: string): Promise<number> => {
    const { body } = await metrics.scrape();
    return Number(new RegExp(`weir_ledger_rows_total\\{result="${result}"\\} (\\d+)`).exec(body)?.[1] ?? 0);
  };

  it('writes every field of a record', async () => {
    const writer = createWriter();
    const record = toExampleRecord({
      status: 'failed',
      errorCode: 'upstream_error',
      estimated: true,
      usage: { ...zeroUsage(), requests: 1, inputTokens: 1, cachedInputTokens: 1, outputTokens: 2, reasoningTokens: 1 },
      rate: '{"input":2}',
      costNanos: Number.MAX_SAFE_INTEGER,
    });
    writer.append(record);
    await writer.flush();
    const [row] = await database.query<StoredRow>('SELECT * FROM usage_records');
    expect(row).toEqual({
      request_id: record.requestId,
      attempt: 1,
      at: new Date(record.atMs),
      organization_id: record.organizationId,
      project_id: null,
      key_id: record.keyId,
      operation: 'chat',
      model: 'gpt-simulated',
      upstream_id: null,
      upstream_key_id: null,
      upstream_model: 'gpt',
      status: 'failed',
      http_status: 200,
      error_code: 'upstream_error',
      input_tokens: '1',
      cached_input_tokens: '1',
      output_tokens: '2',
      units: { reasoning_tokens: 1 },
      estimated: true,
      cost_nanos: String(Number.MAX_SAFE_INTEGER),
      rate: { input: 2 },
      duration_ms: 13,
      first_byte_ms: 3,
    });
    expect(writer.backlog).toBe(0);
  });

  it('writes by itself, without anybody asking', async () => {
    const writer = createWriter();
    writer.append(toExampleRecord());
    await waitFor(async () => (await countRows()) === 1, { what: 'the row' });
    for (let row = 0; row < 1234; row++) writer.append(toExampleRecord());
    await waitFor(async () => (await countRows()) === 1235, { what: 'all rows' });
    expect(await readMetric('written')).toBe(1235);
  });

  it('takes names that PostgreSQL cannot hold', async () => {
    const writer = createWriter();
    writer.append(toExampleRecord({ model: 'nul \0 name', upstreamModel: 'half \ud83d name', errorCode: '"},{"' }));
    await writer.flush();
    const [row] = await database.query<StoredRow>('SELECT model, upstream_model, error_code FROM usage_records');
    expect(row).toEqual({ model: 'nul \uFFFD name', upstream_model: 'half \uFFFD name', error_code: '"},{"' });
  });

  it('counts a batch once when its answer is lost and it is sent again', async () => {
    const inserter = new UsageInserter(database.url);
    let lost = 0;
    const writer = createWriter({
      inserter: {
        insert: async (records) => {
          const newRows = await inserter.insert(records);
          if (lost++ === 0) throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
          return newRows;
        },
        close: () => inserter.close(),
      },
    });
    for (let row = 0; row < 700; row++) writer.append(toExampleRecord());
    await writer.flush();
    expect(await countRows()).toBe(700);
    expect([await readMetric('written'), await readMetric('repeated')]).toEqual([200, 500]);
    expect(log.lines.map(([, message]) => message)).toEqual(['usage rows cannot be stored now, and wait', 'usage rows are stored again']);
  });

  it('tells two attempts of a request apart, and the same attempt only once', async () => {
    const writer = createWriter();
    const first = toExampleRecord();
    for (const record of [first, { ...first, attempt: 2 }, first]) writer.append(record);
    await writer.flush();
    expect(await countRows()).toBe(2);
  });

  it.each([
    ['alone', 1, [0]],
    ['first, in the middle and last of a batch', 500, [0, 250, 499]],
    ['in several batches', 1300, [3, 700, 1299]],
    ['as all of a batch', 8, [0, 1, 2, 3, 4, 5, 6, 7]],
  ])('lets every other row through when refused rows stand %s', async (_where, count, refusedAt) => {
    const writer = createWriter();
    const records = Array.from({ length: count }, (_, index) => (refusedAt.includes(index) ? malformed() : toExampleRecord()));
    for (const record of records) writer.append(record);
    await writer.flush();
    expect(await countRows()).toBe(count - refusedAt.length);
    expect(writer.refused).toEqual(refusedAt.map((index) => ({ requestId: records[index].requestId, attempt: 1, code: '22P02' })));
    expect(await readMetric('lost')).toBe(refusedAt.length);
    expect(writer.backlog).toBe(0);
    expect(JSON.stringify(log.lines)).not.toContain('canary');
  });

  it('counts every row once when four writers write at once, also rows that two of them have', async () => {
    const shared = Array.from({ length: 200 }, () => toExampleRecord());
    const four = Array.from({ length: 4 }, () => createWriter());
    for (const writer of four) {
      for (let row = 0; row < 1000; row++) writer.append(toExampleRecord());
      for (const record of shared) writer.append(record);
    }
    await Promise.all(four.map((writer) => writer.flush()));
    expect(await countRows()).toBe(4200);
    expect([await readMetric('written'), await readMetric('repeated')]).toEqual([4200, 600]);
  });

  it('writes what is left when it is closed, and takes no new work', async () => {
    const writer = createWriter({ flushIntervalMs: 3_600_000 });
    for (let row = 0; row < 30; row++) writer.append(toExampleRecord());
    await writer.close();
    expect(await countRows()).toBe(30);
    expect(writer.hasRoom()).toBe(false);
    expect(log.lines).toEqual([]);
  });

  it('says so of a row that comes too late, after it was closed', async () => {
    const writer = createWriter();
    await writer.close();
    const record = toExampleRecord();
    writer.append(record);
    expect(log.lines).toEqual([[{ requestId: record.requestId, attempt: record.attempt }, 'a usage row came after the ledger was closed, and is lost']]);
    expect(await readMetric('lost')).toBe(1);
    expect(await countRows()).toBe(0);
  });

  it('is not held by a statement that hangs in the database when it is closed', async () => {
    const writer = createWriter({ closeTimeoutMs: 50 });
    writer.append(toExampleRecord());
    await writer.flush();
    const blocker = database.query("BEGIN; LOCK TABLE usage_records IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(60); COMMIT").catch(() => undefined);
    const isBlocked = "SELECT 1 FROM pg_locks WHERE relation = 'usage_records'::regclass AND";
    await waitFor(async () => (await database.query(`${isBlocked} mode = 'AccessExclusiveLock' AND granted`)).length > 0);
    writer.append(toExampleRecord());
    void writer.flush();
    await waitFor(async () => (await database.query(`${isBlocked} NOT granted`)).length > 0, { what: 'the insert to hang' });
    await writer.close();
    expect(writer.backlog).toBe(1);
    await database.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()");
    await blocker;
  });
});
