import { newId, type OrganizationId, type ProjectId, type ProxyKeyId, type UserId } from '@weir/kernel';
import { createDataSource } from '@weir/platform';
import { type DataSource } from 'typeorm';
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres';
import { hashKey, parseKey } from './key-format';
import { OrganizationEntity } from './organization.entity';
import { ProjectEntity } from './project.entity';
import { ProxyKeyEntity } from './proxy-key.entity';
import { type IssuedProxyKey, ProxyKeys } from './proxy-keys';

const NOW_MS = Date.UTC(2026, 10, 20);
const DAY_MS = 86_400_000;
const EVERYWHERE = 'every organization';

let database: TestDatabase;
let dataSource: DataSource;
let keys: ProxyKeys;
let nowMs: number;
let organizationId: OrganizationId;

beforeAll(async () => {
  database = await createTestDatabase();
  dataSource = await createDataSource(database.url, 4, [OrganizationEntity, ProjectEntity, ProxyKeyEntity]).initialize();
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});
beforeEach(async () => {
  nowMs = NOW_MS;
  keys = new ProxyKeys(dataSource.manager, { nowMs: () => nowMs, monotonicMs: () => nowMs });
  organizationId = newId<OrganizationId>();
  await dataSource.manager.insert(OrganizationEntity, { id: organizationId, name: organizationId });
});

function create(settings: { expiresAt?: Date | null; limits?: unknown; budgets?: unknown; models?: string[] } = {}): Promise<IssuedProxyKey> {
  return keys.create({ organizationId, name: 'key', ...settings });
}

function read(id: ProxyKeyId): Promise<ProxyKeyEntity> {
  return dataSource.manager.findOneByOrFail(ProxyKeyEntity, { id });
}

describe('create', () => {
  it('issues a key whose hash, and nothing more of it, is stored', async () => {
    const { row, key } = await create({ models: ['gpt-4o'], limits: { rpm: 5 } });
    expect(parseKey(key.expose())).toEqual({ kind: 'proxy', publicId: row.publicId });
    const [stored] = await database.query<{ secret_hash: Buffer; text: string }>(
      'SELECT secret_hash, proxy_keys::text AS text FROM proxy_keys WHERE id = $1',
      [row.id],
    );
    expect(stored.secret_hash.equals(hashKey(key.expose()))).toBe(true);
    expect(stored.text).not.toContain(key.expose().slice(-30));
    expect(row).toMatchObject({ organizationId, projectId: null, name: 'key', models: ['gpt-4o'], limits: { rpm: 5 }, revokedAt: null });
  });

  it('keeps the key and its hash out of what is listed', async () => {
    const { row, key } = await create();
    const shown = JSON.stringify([await dataSource.manager.find(ProxyKeyEntity), row, key]);
    expect(shown).not.toContain('secretHash');
    expect(shown).not.toContain(key.expose());
  });

  it('refuses a project of another organization', async () => {
    const other = newId<OrganizationId>();
    const projectId = newId<ProjectId>();
    await dataSource.manager.insert(OrganizationEntity, { id: other, name: other });
    await dataSource.manager.insert(ProjectEntity, { id: projectId, organizationId: other, name: 'theirs' });
    await expect(keys.create({ organizationId, projectId, name: 'key' })).rejects.toMatchObject({ code: 'not_found' });
  });

  it.each([
    ['an empty name', { name: ' ' }, 'name'],
    ['a line break in the name', { name: 'a\nb' }, 'name'],
    ['limits it does not know', { limits: { tps: 1 } }, 'limits'],
    ['a budget of no amount', { budgets: [{ period: 'day' }] }, 'budgets[0].amount_usd'],
    ['a model pattern it does not know', { models: ['*gpt'] }, 'models[0]'],
    ['an expiry that has passed', { expiresAt: new Date(NOW_MS) }, 'expires_at'],
    ['an expiry that is no time', { expiresAt: new Date(Number.NaN) }, 'expires_at'],
  ])('refuses %s', async (_what, settings, param) => {
    await expect(keys.create({ organizationId, name: 'key', ...settings })).rejects.toMatchObject({ code: 'invalid_request', param });
  });
});

describe('rotate', () => {
  it('issues another key with the same settings, and lets the old one end after the overlap', async () => {
    const budgets = [{ amount_usd: 5, period: 'month' }];
    const old = await create({ models: ['gpt-4o'], limits: { rpm: 5 }, budgets, expiresAt: new Date(NOW_MS + 9 * DAY_MS) });
    const rotatedBy = newId<UserId>();
    const { row, key } = await keys.rotate(old.row.id, { overlapSeconds: 60, rotatedBy }, organizationId);
    expect(row).toMatchObject({
      organizationId,
      name: 'key',
      models: ['gpt-4o'],
      limits: { rpm: 5 },
      budgets: [{ amount_nanos: 5_000_000_000, period: 'month', alerts: [80, 100] }],
      expiresAt: new Date(NOW_MS + 9 * DAY_MS),
      rotatedFrom: old.row.id,
      createdBy: rotatedBy,
    });
    expect(key.expose()).not.toBe(old.key.expose());
    expect(await read(old.row.id)).toMatchObject({ expiresAt: new Date(NOW_MS + 60_000), revokedAt: null });
  });

  it('never lets the old key live longer than it would have', async () => {
    const old = await create({ expiresAt: new Date(NOW_MS + 1000) });
    await keys.rotate(old.row.id, { overlapSeconds: 60 }, organizationId);
    expect((await read(old.row.id)).expiresAt).toEqual(new Date(NOW_MS + 1000));
  });

  it('without overlap ends the old key at once, whatever the other processes’ clocks say', async () => {
    const old = await create();
    await keys.rotate(old.row.id, { overlapSeconds: 0 }, organizationId);
    expect(await read(old.row.id)).toMatchObject({ expiresAt: new Date(NOW_MS), revokedAt: new Date(NOW_MS) });
  });

  it('makes one successor when asked twice at the same time', async () => {
    const old = await create();
    const answers = await Promise.allSettled([60, 60].map((overlapSeconds) => keys.rotate(old.row.id, { overlapSeconds }, organizationId)));
    expect(answers.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await dataSource.manager.countBy(ProxyKeyEntity, { rotatedFrom: old.row.id })).toBe(1);
  });

  it('refuses a key that is revoked or has expired', async () => {
    const [revoked, expired] = [await create(), await create({ expiresAt: new Date(NOW_MS + 1) })];
    await keys.revoke(revoked.row.id, organizationId);
    nowMs = NOW_MS + 1;
    for (const { row } of [revoked, expired]) {
      await expect(keys.rotate(row.id, { overlapSeconds: 60 }, organizationId)).rejects.toMatchObject({ code: 'conflict' });
    }
  });

  it.each([-1, 1.5, Number.NaN, 1e12])('refuses an overlap of %d seconds', async (overlapSeconds) => {
    const { row } = await create();
    await expect(keys.rotate(row.id, { overlapSeconds }, organizationId)).rejects.toMatchObject({ param: 'overlap_seconds' });
  });
});

describe('revoke and update', () => {
  it('revokes for good, at the time of the first call', async () => {
    const { row } = await create();
    await keys.revoke(row.id, organizationId);
    nowMs += DAY_MS;
    await keys.revoke(row.id, organizationId);
    expect((await read(row.id)).revokedAt).toEqual(new Date(NOW_MS));
    await expect(keys.update(row.id, { name: 'again' }, organizationId)).rejects.toMatchObject({ code: 'conflict' });
  });

  it('changes what is named and leaves the rest', async () => {
    const { row } = await create({ models: ['gpt-4o'], limits: { rpm: 5 }, expiresAt: new Date(NOW_MS + DAY_MS) });
    expect(await keys.update(row.id, { limits: { rpd: 9 }, expiresAt: null }, EVERYWHERE)).toMatchObject({
      name: 'key',
      models: ['gpt-4o'],
      limits: { rpd: 9 },
      expiresAt: null,
    });
  });

  it('replaces the budgets, and leaves those that stay their reset', async () => {
    const { row } = await create({ budgets: [{ amount_usd: 1, period: 'day' }, { amount_usd: 2, period: 'day', model: 'm' }] });
    const reset = await keys.resetBudget(row.id, { period: 'day', model: 'm' }, EVERYWHERE);
    expect(reset.budgets).toEqual([
      { amount_nanos: 1_000_000_000, period: 'day', alerts: [80, 100] },
      { amount_nanos: 2_000_000_000, period: 'day', model: 'm', alerts: [80, 100], reset_at_ms: NOW_MS },
    ]);
    nowMs += DAY_MS;
    const raised = await keys.update(row.id, { budgets: [{ amount_usd: 3, period: 'day', model: 'm' }, { amount_usd: 9, period: 'total' }] }, EVERYWHERE);
    expect(raised.budgets).toEqual([
      { amount_nanos: 3_000_000_000, period: 'day', model: 'm', alerts: [80, 100], reset_at_ms: NOW_MS },
      { amount_nanos: 9_000_000_000, period: 'total', alerts: [80, 100] },
    ]);
    await expect(keys.resetBudget(row.id, { period: 'week', model: null }, EVERYWHERE)).rejects.toMatchObject({ code: 'not_found' });
    expect((await keys.update(row.id, { budgets: null }, EVERYWHERE)).budgets).toEqual([]);
  });

  it('takes new budgets in the place of what cannot be read', async () => {
    const { row } = await create();
    await database.query(`UPDATE proxy_keys SET budgets = '[{"period": "quarter"}]' WHERE id = $1`, [row.id]);
    expect((await keys.update(row.id, { budgets: [{ amount_usd: '0.5', period: 'day' }] }, EVERYWHERE)).budgets).toEqual([
      { amount_nanos: 500_000_000, period: 'day', alerts: [80, 100] },
    ]);
  });

  it('finds no key of another organization', async () => {
    const { row } = await create({ budgets: [{ amount_usd: 1, period: 'day' }] });
    const stranger = newId<OrganizationId>();
    const attempts = [
      keys.revoke(row.id, stranger),
      keys.update(row.id, { name: 'mine' }, stranger),
      keys.rotate(row.id, { overlapSeconds: 0 }, stranger),
      keys.resetBudget(row.id, { period: 'day', model: null }, stranger),
    ];
    for (const attempt of attempts) await expect(attempt).rejects.toMatchObject({ code: 'not_found' });
    expect(await read(row.id)).toMatchObject({ name: 'key', revokedAt: null });
  });
});
