import { newId, type OrganizationId, type UserId } from '@weir/kernel';
import { createDataSource } from '@weir/platform';
import { type DataSource } from 'typeorm';
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres';
import { AdminIdentities } from './admin-identities';
import { AdminKeyEntity } from './admin-key.entity';
import { generateAdminKey, generateProxyKey } from './key-format';
import { OrganizationEntity } from './organization.entity';
import { UserEntity } from './user.entity';

const ADMIN = { username: 'admin', email: 'admin@example.com' };

let database: TestDatabase;
let dataSource: DataSource;
let identities: AdminIdentities;
let nowMs: number;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());
beforeEach(async () => {
  nowMs = Date.UTC(2026, 10, 20);
  dataSource = await createDataSource(database.url, 4, [OrganizationEntity, UserEntity, AdminKeyEntity]).initialize();
  await dataSource.query('DELETE FROM users');
  identities = new AdminIdentities(dataSource.manager, { nowMs: () => nowMs, monotonicMs: () => nowMs });
});
afterEach(async () => {
  if (dataSource.isInitialized) await dataSource.destroy();
});

async function makeAdmin(): Promise<{ userId: UserId; keyId: string; key: string }> {
  const { userId, issued } = await identities.createAdmin(ADMIN);
  if (issued === null) throw new Error('no key was made');
  return { userId, keyId: issued.id, key: issued.key.expose() };
}

describe('createAdmin', () => {
  it('makes an owner with a key that works', async () => {
    expect(await identities.hasOwner()).toBe(false);
    const { userId, key } = await makeAdmin();
    expect(await identities.hasOwner()).toBe(true);
    expect(await identities.authenticateAdmin(key)).toMatchObject({ userId, username: 'admin', role: 'owner', organizationId: null });
  });

  it('finds an existing user whatever the case of the name, and makes a second key only when asked', async () => {
    const { userId, key } = await makeAdmin();
    expect(await identities.createAdmin({ username: 'Admin', email: 'admin@example.com' })).toMatchObject({ userId, created: false, issued: null });
    expect(await dataSource.manager.count(AdminKeyEntity)).toBe(1);
    const again = await identities.createAdmin({ ...ADMIN, newKey: true });
    expect(again).toMatchObject({ userId, created: false });
    expect(again.issued?.key.expose()).not.toBe(key);
    expect(await dataSource.manager.count(AdminKeyEntity)).toBe(2);
  });

  it('makes one user and one key when two processes start at once', async () => {
    const answers = await Promise.all([1, 2, 3, 4].map(() => identities.createAdmin(ADMIN)));
    expect(answers.filter(({ created }) => created)).toHaveLength(1);
    expect(answers.filter(({ issued }) => issued !== null)).toHaveLength(1);
    expect(await dataSource.manager.count(AdminKeyEntity)).toBe(1);
  });

  it('raises nobody’s role', async () => {
    const organizationId = newId<OrganizationId>();
    await dataSource.manager.insert(OrganizationEntity, { id: organizationId, name: organizationId });
    await dataSource.manager.insert(UserEntity, { id: newId<UserId>(), organizationId, username: 'admin', role: 'viewer' });
    const { role, issued } = await identities.createAdmin({ ...ADMIN, newKey: true });
    expect(role).toBe('viewer');
    expect(await identities.authenticateAdmin(issued?.key.expose() ?? '')).toMatchObject({ role: 'viewer', organizationId });
  });

  it('refuses another user’s e-mail address', async () => {
    await makeAdmin();
    await expect(identities.createAdmin({ username: 'other', email: 'ADMIN@example.com' })).rejects.toMatchObject({ code: 'conflict', param: 'email' });
  });

  it.each([
    [{ username: '', email: null }, 'username'],
    [{ username: 'a\0b', email: null }, 'username'],
    [{ username: 'admin', email: 'nowhere' }, 'email'],
    [{ username: 'admin', email: 'a@b\r\nbcc: c' }, 'email'],
  ])('refuses %j', async (input, param) => {
    await expect(identities.createAdmin(input)).rejects.toMatchObject({ code: 'invalid_request', param });
  });
});

describe('authenticateAdmin', () => {
  it('refuses unknown keys, wrong secrets, proxy keys and typos', async () => {
    const { key } = await makeAdmin();
    const other = generateAdminKey();
    await dataSource.query('UPDATE admin_keys SET public_id = $1', [other.publicId]);
    for (const presented of [key, other.key, generateProxyKey().key, key.slice(0, -1), '', '\0', 'x'.repeat(100_000)]) {
      await expect(identities.authenticateAdmin(presented)).rejects.toMatchObject({ code: 'invalid_api_key' });
    }
  });

  it('notices a revocation, a disabled user and a disabled organization within a second', async () => {
    const { userId, keyId, key } = await makeAdmin();
    const attempt = () => identities.authenticateAdmin(key);
    await attempt();
    await dataSource.manager.update(UserEntity, { id: userId }, { enabled: false });
    nowMs += 1000;
    await expect(attempt()).rejects.toMatchObject({ code: 'permission_denied' });

    const organizationId = newId<OrganizationId>();
    await dataSource.manager.insert(OrganizationEntity, { id: organizationId, name: organizationId, enabled: false });
    await dataSource.manager.update(UserEntity, { id: userId }, { enabled: true, role: 'admin', organizationId });
    await expect(attempt()).rejects.toMatchObject({ code: 'permission_denied' });

    await dataSource.manager.update(OrganizationEntity, { id: organizationId }, { enabled: true });
    expect(await attempt()).toMatchObject({ role: 'admin', organizationId });
    await identities.revokeKey(userId, keyId);
    nowMs += 1000;
    await expect(attempt()).rejects.toMatchObject({ code: 'invalid_api_key', message: 'The API key has been revoked.' });
  });

  it('ends a key at its expiry, also while it is remembered', async () => {
    const { userId } = await makeAdmin();
    const { key } = await identities.issueKey(userId, { expiresAt: new Date(nowMs + 10) });
    await identities.authenticateAdmin(key.expose());
    nowMs += 10;
    await expect(identities.authenticateAdmin(key.expose())).rejects.toMatchObject({ code: 'key_expired' });
  });

  it('says that the database is away, not that the key is wrong', async () => {
    const { key } = await makeAdmin();
    await dataSource.destroy();
    await expect(identities.authenticateAdmin(key)).rejects.toMatchObject({ code: 'database_unavailable' });
  });
});

describe('keys of a user', () => {
  it('are made for an enabled user only', async () => {
    const { userId } = await makeAdmin();
    await dataSource.manager.update(UserEntity, { id: userId }, { enabled: false });
    await expect(identities.issueKey(userId)).rejects.toMatchObject({ code: 'conflict' });
    await expect(identities.issueKey(newId<UserId>())).rejects.toMatchObject({ code: 'not_found' });
  });

  it('are revoked only as keys of that user', async () => {
    const { keyId, key } = await makeAdmin();
    await expect(identities.revokeKey(newId<UserId>(), keyId)).rejects.toMatchObject({ code: 'not_found' });
    expect((await identities.authenticateAdmin(key)).username).toBe('admin');
  });
});
