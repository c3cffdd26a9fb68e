import { createDataSource } from '@weir/platform';
import { toUsageMonths, UsageInserter, UsagePartitions } from '@weir/ledger';
import { type DataSource } from 'typeorm';
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres';
import { waitFor } from '../../../test/support/wait-for';
import { toExampleRecord } from './example-record';
import { RowUploader } from './row-uploader';
import { type UsageRecord } from './usage-record';
import { RowBatch } from './row-batch';
import { toUsageRowText } from './usage-row';

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined } as never;
const NOVEMBER = Date.UTC(2026, 10, 20);
const clock = { nowMs: () => NOVEMBER, monotonicMs: () => 0 };

describe('toUsageMonths', () => {
  it.each([
    [Date.UTC(2026, 10, 30, 23, 59, 59, 999), 'usage_records_2026_11', 'usage_records_2026_12'],
    [Date.UTC(2026, 11, 1), 'usage_records_2026_12', 'usage_records_2027_01'],
    [Date.UTC(2028, 0, 31, 12), 'usage_records_2028_01', 'usage_records_2028_02'],
  ])('of %i are %s and %s, without a gap', (nowMs, current, next) => {
    const months = toUsageMonths(nowMs);
    expect(months.map((month) => month.partition)).toEqual([current, next]);
    expect(months[0].fromMs <= nowMs && nowMs < months[0].toMs).toBe(true);
    expect(months[1].fromMs).toBe(months[0].toMs);
  });
});

describe('UsagePartitions', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let partitions: UsagePartitions;
  let inserter: UsageInserter;
  let uploader: RowUploader;

  beforeEach(async () => {
    database = await createTestDatabase();
    dataSource = await createDataSource(database.url, 10, []).initialize();
    partitions = new UsagePartitions(dataSource, clock, silent);
    inserter = new UsageInserter(database.url);
    uploader = new RowUploader({ inserter, logger: silent, metrics: { ledgerWrote: () => undefined } });
  });
  afterEach(async () => {
    await inserter.close();
    await dataSource.destroy();
    await database.drop();
  });

  const store = (...records: UsageRecord[]): Promise<boolean> => uploader.upload(RowBatch.of(records.map(toUsageRowText)));
  const write = (...times: number[]): Promise<boolean> => store(...times.map((atMs) => toExampleRecord({ atMs })));

  /** Where the rows are, from the oldest. */
  const readPlaces = async (): Promise<string[]> =>
    (await database.query<{ place: string }>('SELECT tableoid::regclass::text AS place FROM usage_records ORDER BY at')).map(({ place }) => place);

  it('puts the last millisecond of a month and the first of the next in their own partitions', async () => {
    await expect(partitions.ensure(NOVEMBER)).resolves.toEqual(['usage_records_2026_11', 'usage_records_2026_12']);
    const end = Date.UTC(2026, 11, 1);
    await write(Date.UTC(2026, 10, 1) - 1, Date.UTC(2026, 10, 1), end - 1, end, Date.UTC(2027, 0, 1) - 1, Date.UTC(2027, 0, 1));
    expect(await readPlaces()).toEqual([
      'usage_records_default',
      'usage_records_2026_11',
      'usage_records_2026_11',
      'usage_records_2026_12',
      'usage_records_2026_12',
      'usage_records_default',
    ]);
  });

  it('moves rows that fell into the default partition, and leaves the others', async () => {
    await write(Date.UTC(2026, 8, 30), NOVEMBER, NOVEMBER + 1, Date.UTC(2026, 11, 24));
    expect(new Set(await readPlaces())).toEqual(new Set(['usage_records_default']));
    await partitions.ensure(NOVEMBER);
    expect(await readPlaces()).toEqual(['usage_records_default', 'usage_records_2026_11', 'usage_records_2026_11', 'usage_records_2026_12']);
  });

  it('keeps a row from being counted twice after it has moved', async () => {
    const record = toExampleRecord({ atMs: NOVEMBER });
    await store(record);
    await partitions.ensure(NOVEMBER);
    await store(record);
    expect(await readPlaces()).toEqual(['usage_records_2026_11']);
  });

  it('makes each partition once when several processes come at once, while rows are being written', async () => {
    const records = Array.from({ length: 3000 }, (_, index) => toExampleRecord({ atMs: NOVEMBER + index }));
    const writing = store(...records);
    const made = await Promise.all(Array.from({ length: 5 }, () => partitions.ensure(NOVEMBER)));
    await writing;
    expect(made.flat().sort()).toEqual(['usage_records_2026_11', 'usage_records_2026_12']);
    const places = await readPlaces();
    expect(places).toHaveLength(3000);
    expect(new Set(places)).toEqual(new Set(['usage_records_2026_11']));
    expect(uploader.refused).toEqual([]);
  });

  const waitForLock = () =>
    waitFor(async () => (await database.query('SELECT 1 FROM pg_locks WHERE NOT granted')).length > 0, { what: 'somebody to wait for a lock' });

  it('moves a row whose insert had not committed when the move began', async () => {
    const runner = dataSource.createQueryRunner();
    await runner.startTransaction();
    await runner.query(
      `INSERT INTO usage_records (request_id, attempt, at, organization_id, key_id, operation, model, status, duration_ms)
       VALUES (gen_random_uuid(), 1, $1, gen_random_uuid(), gen_random_uuid(), 'chat', 'm', 'succeeded', 1)`,
      [new Date(NOVEMBER)],
    );
    const ensuring = partitions.ensure(NOVEMBER);
    await waitForLock();
    await runner.commitTransaction();
    await runner.release();
    await ensuring;
    expect(await readPlaces()).toEqual(['usage_records_2026_11']);
  });

  it('refuses no row that was on its way to the default partition when its month was attached', async () => {
    const [month] = toUsageMonths(NOVEMBER);
    const runner = dataSource.createQueryRunner();
    await runner.startTransaction();
    await runner.query(`CREATE TABLE ${month.partition} (LIKE usage_records INCLUDING ALL)`);
    await runner.query('LOCK TABLE usage_records_default IN ACCESS EXCLUSIVE MODE');
    const writing = write(NOVEMBER);
    await waitForLock();
    await runner.query(`ALTER TABLE usage_records ATTACH PARTITION ${month.partition} FOR VALUES FROM ('2026-11-01Z') TO ('2026-12-01Z')`);
    await runner.commitTransaction();
    await runner.release();
    await writing;
    expect(uploader.refused).toEqual([]);
    expect(await readPlaces()).toEqual(['usage_records_2026_11']);
  });

  it('does nothing the second time, and goes on from month to month', async () => {
    await partitions.ensure(NOVEMBER);
    await expect(partitions.ensure(NOVEMBER)).resolves.toEqual([]);
    await expect(partitions.ensure(Date.UTC(2026, 11, 1))).resolves.toEqual(['usage_records_2027_01']);
  });

  it('gives partitions the keys and indexes of the ledger', async () => {
    await partitions.ensure(NOVEMBER);
    const rows = await database.query<{ parent: string }>(
      `SELECT parent.relname AS parent FROM pg_inherits JOIN pg_class parent ON parent.oid = inhparent JOIN pg_class child ON child.oid = inhrelid
       WHERE child.relkind = 'i' AND child.relname LIKE 'usage_records_2026_11%' ORDER BY 1`,
    );
    expect(rows.map(({ parent }) => parent)).toEqual([
      'usage_records_at',
      'usage_records_key',
      'usage_records_model',
      'usage_records_organization',
      'usage_records_pkey',
      'usage_records_project',
      'usage_records_status',
    ]);
  });

  describe('with 60 days to keep rows', () => {
    const JULY = Date.UTC(2026, 6, 15);
    const SEPTEMBER = Date.UTC(2026, 8, 21);
    let keeping: UsagePartitions;
    beforeEach(() => {
      keeping = new UsagePartitions(dataSource, clock, silent, { retentionDays: 60 });
    });

    const readHours = async (): Promise<string[]> =>
      (await database.query<{ at: Date }>('SELECT at FROM usage_hourly ORDER BY at')).map(({ at }) => at.toISOString().slice(0, 13));

    it('drops the months that are older to their last day, and no other', async () => {
      await partitions.ensure(JULY);
      await partitions.ensure(SEPTEMBER);
      await write(JULY, Date.UTC(2026, 8, 1) - 1, Date.UTC(2026, 8, 1), NOVEMBER);
      await expect(keeping.dropOld(NOVEMBER)).resolves.toEqual({ partitions: ['usage_records_2026_07', 'usage_records_2026_08'], rows: 0 });
      expect(await readPlaces()).toEqual(['usage_records_2026_09', 'usage_records_default']);
      expect(await readHours()).toEqual(['2026-09-01T00', '2026-11-20T00']);
      await expect(keeping.dropOld(NOVEMBER)).resolves.toEqual({ partitions: [], rows: 0 });
    });

    it('drops old rows of the default partition, and keeps the sums by the day', async () => {
      await write(JULY, JULY + 1, Date.UTC(2026, 8, 1) - 1, Date.UTC(2026, 8, 1));
      await expect(keeping.dropOld(NOVEMBER)).resolves.toEqual({ partitions: [], rows: 3 });
      expect(await readPlaces()).toEqual(['usage_records_default']);
      expect(await readHours()).toEqual(['2026-09-01T00']);
      const days = await database.query<{ attempts: string }>('SELECT attempts FROM usage_daily ORDER BY at');
      expect(days.map(({ attempts }) => Number(attempts))).toEqual([2, 1, 1]);
    });

    it('drops nothing twice when several processes come at once', async () => {
      await partitions.ensure(JULY);
      await write(JULY, JULY + 86_400_000 * 40);
      const dropped = await Promise.all(Array.from({ length: 4 }, () => keeping.dropOld(NOVEMBER)));
      expect(dropped.flatMap((drop) => drop.partitions)).toHaveLength(2);
    });

    it('waits for nobody who reads the rows, but says so and tries again', async () => {
      await partitions.ensure(JULY);
      const runner = dataSource.createQueryRunner();
      await runner.startTransaction();
      await runner.query('SELECT 1 FROM usage_records_2026_07');
      await expect(keeping.dropOld(NOVEMBER)).rejects.toThrow('lock timeout');
      await runner.rollbackTransaction();
      await runner.release();
      expect((await keeping.dropOld(NOVEMBER)).partitions).toContain('usage_records_2026_07');
    });
  });

  it('drops nothing where rows are kept for ever', async () => {
    await partitions.ensure(Date.UTC(2020, 1, 1));
    await write(Date.UTC(2020, 1, 1), Date.UTC(2019, 1, 1));
    await expect(partitions.dropOld(NOVEMBER)).resolves.toEqual({ partitions: [], rows: 0 });
    expect(await readPlaces()).toHaveLength(2);
  });

  it('starts by making them, and does not fail when the database is away', async () => {
    await partitions.start();
    expect(await partitions.ensure(NOVEMBER)).toEqual([]);
    partitions.stop();
    const warnings: string[] = [];
    const away = createDataSource('postgres://nobody@127.0.0.1:1/none', 1, []);
    const logger = { info: () => undefined, warn: (_fields: object, message: string) => void warnings.push(message) } as never;
    const unable = new UsagePartitions(away, clock, logger);
    await unable.start();
    unable.stop();
    expect(warnings).toEqual(['could not make the partitions of the ledger; rows go to the default one meanwhile']);
  });
});
