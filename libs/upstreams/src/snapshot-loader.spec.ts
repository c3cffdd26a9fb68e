import { newId, NO_LIMITS, type Clock, type ModelId, type UpstreamId } from '@weir/kernel';
import { createDataSource } from '@weir/platform';
import { type DataSource } from 'typeorm';
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres';
import { openedKey, PoolFixture, snapshot, upstream } from '../test/pool-fixture';
import { ModelEntity } from './model.entity';
import { ModelTargetEntity } from './model-target.entity';
import { PoolRefresher } from './pool-refresher';
import { type OpenedKey } from './pool-snapshot';
import { SnapshotLoader } from './snapshot-loader';
import { UpstreamEntity } from './upstream.entity';

const TICKING: Clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };

describe('SnapshotLoader', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let warnings: { fields: object; message: string }[];
  let asked: ReadonlyMap<UpstreamId, string>;
  let keys: OpenedKey[];
  let loader: SnapshotLoader;

  beforeEach(async () => {
    database = await createTestDatabase();
    dataSource = await createDataSource(database.url, 2, [UpstreamEntity, ModelEntity, ModelTargetEntity]).initialize();
    warnings = [];
    keys = [];
    const openKeys = async (origins: ReadonlyMap<UpstreamId, string>) => {
      asked = origins;
      return keys;
    };
    loader = new SnapshotLoader(dataSource, openKeys, { warn: (fields, message) => void warnings.push({ fields, message }) });
  });

  afterEach(async () => {
    await dataSource.destroy();
    await database.drop();
  });

  async function addUpstream(changes: Partial<UpstreamEntity> = {}): Promise<UpstreamEntity> {
    const id = newId<UpstreamId>();
    const row = { id, name: `up ${id}`, provider: 'openai', baseUrl: 'https://api.example/v1/', ...changes };
    return dataSource.getRepository(UpstreamEntity).save(row);
  }

  async function addModel(name: string, upstreamId: UpstreamId, changes: Partial<ModelEntity> = {}): Promise<ModelId> {
    const id = newId<ModelId>();
    await dataSource.getRepository(ModelEntity).save({ id, name, operation: 'chat', ...changes });
    const row = { id: newId<ModelId>(), modelId: id, upstreamId, upstreamModel: `their ${name}`, weight: 7, priority: 3 };
    await dataSource.getRepository(ModelTargetEntity).save(row);
    return id;
  }

  it('reads what the control plane wrote', async () => {
    const { id } = await addUpstream({
      timeoutMs: 1_000,
      streamTimeoutMs: 2_000,
      concurrency: 3,
      weight: 4,
      enabled: false,
      options: { api_version: '2024-10-21' },
    });
    const modelId = await addModel('gpt', id, { strategy: 'least-busy', affinity: 'session', fallbacks: ['gpt-2', 'gpt-3'], limits: { rpm: 7, concurrency: 2 }, price: { input_per_million_usd: 2 } });
    expect(await loader.load()).toEqual({
      upstreams: [
        {
          id,
          name: `up ${id}`,
          provider: 'openai',
          address: { origin: 'https://api.example', basePath: '/v1', options: { api_version: '2024-10-21' } },
          timeoutMs: 1_000,
          streamTimeoutMs: 2_000,
          concurrency: 3,
          weight: 4,
          enabled: false,
        },
      ],
      keys: [],
      models: [
        {
          id: modelId,
          name: 'gpt',
          operation: 'chat',
          strategy: 'least-busy',
          affinity: 'session',
          fallbacks: ['gpt-2', 'gpt-3'],
          limits: { ...NO_LIMITS, requestsPerMinute: 7, concurrency: 2 },
          price: { input_per_million_usd: 2 },
          targets: [{ modelId, upstreamId: id, upstreamModel: 'their gpt', weight: 7, priority: 3 }],
        },
      ],
    });
    expect(asked).toEqual(new Map([[id, 'https://api.example']]));
    expect(warnings).toEqual([]);
  });

  it('leaves out rows that cannot be used, says which, and reads the others', async () => {
    const bad = [
      await addUpstream({ provider: 'nobody' }),
      await addUpstream({ baseUrl: 'https://user:hunter2@api.example' }),
      await addUpstream({ baseUrl: 'http://169.254.169.254/' }),
      await addUpstream({ baseUrl: 'not a url' }),
    ];
    await dataSource.query(`UPDATE upstreams SET options = '[1]' WHERE id = $1`, [(bad[4] = await addUpstream()).id]);
    const good = await addUpstream();
    const badModel = await addModel('dance', good.id, { operation: 'dancing' });
    const badLimits = await addModel('unlimited', good.id);
    await dataSource.query(`UPDATE models SET limits = '{"rpm": "many"}' WHERE id = $1`, [badLimits]);
    await addModel('gpt', bad[0].id);
    await addModel('gpt-2', good.id);
    const loaded = await loader.load();
    expect(loaded.upstreams.map(({ id }) => id)).toEqual([good.id]);
    expect(loaded.models.map(({ name }) => name)).toEqual(['gpt', 'gpt-2']);
    const left = warnings.map(({ fields }) => ('objectId' in fields ? fields.objectId : null));
    expect(new Set(left)).toEqual(new Set([...bad.map(({ id }) => id), badModel, badLimits]));
    expect(JSON.stringify(warnings.map(({ fields, message }) => [message, 'err' in fields ? String(fields.err) : '']))).not.toContain('hunter2');
  });

  it('gives the pool the limits of a model, and reads what a newer version wrote as far as it is known', async () => {
    const { id } = await addUpstream({ options: { no_key: true } });
    const modelId = await addModel('gpt', id);
    await dataSource.query(`UPDATE models SET limits = '{"tpm": 9, "images_per_hour": 3}' WHERE id = $1`, [modelId]);
    const { pool } = new PoolFixture(await loader.load());
    expect(pool.findRoute('gpt')).toMatchObject({ id: modelId, limits: { ...NO_LIMITS, tokensPerMinute: 9 } });
    expect(warnings).toEqual([]);
  });

  it('serves by weight, and each call alone, what only a newer version knows to route', async () => {
    const { id } = await addUpstream({ options: { no_key: true } });
    await addModel('gpt', id, { strategy: 'by-the-moon', affinity: 'family' });
    expect((await loader.load()).models[0]).toMatchObject({ strategy: 'weighted', affinity: 'none', fallbacks: [] });
  });

  it('serves a model by the targets that are left when one of its upstreams cannot be used', async () => {
    const bad = await addUpstream({ provider: 'nobody' });
    const good = await addUpstream({ options: { no_key: true } });
    const modelId = await addModel('gpt', bad.id);
    const row = { id: newId<ModelId>(), modelId, upstreamId: good.id, upstreamModel: 'theirs', weight: 1, priority: 9 };
    await dataSource.getRepository(ModelTargetEntity).save(row);
    const fixture = new PoolFixture(await loader.load());
    expect(fixture.route('gpt').targets.map(({ upstream: { id } }) => id)).toEqual([good.id]);
    expect(fixture.pool.pick(fixture.route('gpt'), [], fixture.nowMs)).toHaveProperty('key.id', null);
  });

  it('follows changes of its own kinds, and reads what was written before it was asked', async () => {
    const fixture = new PoolFixture(snapshot([], []));
    const refresher = new PoolRefresher(loader, fixture.pool, TICKING);
    await refresher.takeChanges('everything');
    const { id } = await addUpstream({ options: { no_key: true } });
    await addModel('gpt', id);
    await refresher.takeChanges([{ kind: 'proxy_key', objectId: id }]);
    expect(fixture.pool.findRoute('gpt')).toBeNull();
    await refresher.takeChanges([{ kind: 'model', objectId: id }]);
    expect(fixture.pool.findRoute('gpt')?.targets).toHaveLength(1);
    await addModel('gpt-2', id);
    await Promise.all([refresher.refresh(), refresher.refresh(), refresher.refresh()]);
    expect(fixture.pool.modelNames()).toEqual(['gpt', 'gpt-2']);
  });

  it('leaves the pool as it is when the database cannot be read, and says so', async () => {
    const only = upstream();
    const fixture = new PoolFixture(snapshot([only], [openedKey(only)]));
    const refresher = new PoolRefresher(loader, fixture.pool, TICKING);
    await dataSource.query('ALTER TABLE models RENAME TO models_away');
    await expect(refresher.refresh()).rejects.toThrow();
    expect(fixture.pick()).toHaveProperty('key');
    await dataSource.query('ALTER TABLE models_away RENAME TO models');
    await refresher.refresh();
    expect(fixture.pool.modelNames()).toEqual([]);
  });

  it('never lets an older reading overtake a newer one', async () => {
    const fixture = new PoolFixture(snapshot([], []));
    const { id } = await addUpstream({ options: { no_key: true } });
    let letGo: () => void = () => undefined;
    let began: () => void = () => undefined;
    const isReading = new Promise<void>((resolve) => (began = resolve));
    let readings = 0;
    const slowFirst = new SnapshotLoader(
      dataSource,
      async () => {
        readings += 1;
        if (readings > 1) return [];
        began();
        await new Promise<void>((resolve) => (letGo = resolve));
        return [];
      },
      { warn: () => undefined },
    );
    const refresher = new PoolRefresher(slowFirst, fixture.pool, TICKING);
    const first = refresher.refresh();
    await isReading;
    await addModel('gpt', id);
    const second = refresher.refresh();
    const third = refresher.refresh();
    letGo();
    await Promise.all([first, second, third]);
    expect([fixture.pool.modelNames(), readings]).toEqual([['gpt'], 2]);
  });
});
