import { AdminIdentities, AdminKeyEntity, OrganizationEntity, UserEntity } from '@weir/access';
import { systemClock } from '@weir/kernel';
import { createDataSource } from '@weir/platform';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestDatabase, type TestDatabase } from '../test/support/postgres';
import { createAdmin } from './create_admin';
import { FAILED, SUCCEEDED, toExitCode, WRONG_USAGE } from './run-script';

const ADMIN = ['--username', 'admin', '--email', 'admin@example.com'];

let database: TestDatabase;
let folder: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'weir-script-'));
  // Not yet migrated: the script may be the first thing that is run.
  database = await createTestDatabase({ empty: true });
});
afterEach(async () => {
  rmSync(folder, { recursive: true, force: true });
  await database.drop();
});

async function run(args: string[], environment: NodeJS.ProcessEnv = {}): Promise<{ code: number; printed: string; told: string }> {
  let printed = '';
  let told = '';
  const code = await toExitCode('create_admin', createAdmin, {
    args,
    environment: { WEIR_DATA_DIR: folder, DATABASE_URL: database.url, ENCRYPTION_KEY: 'ab'.repeat(32), ...environment },
    print: (text) => (printed += text),
    tell: (text) => (told += text),
  });
  return { code, printed, told };
}

describe('create_admin', () => {
  it('makes an owner and prints a key that works', async () => {
    const { code, printed } = await run([...ADMIN, '--json']);
    expect(code).toBe(SUCCEEDED);
    const answer = JSON.parse(printed);
    expect(answer).toMatchObject({ username: 'admin', email: 'admin@example.com', role: 'owner', created: true });
    const dataSource = await createDataSource(database.url, 1, [OrganizationEntity, UserEntity, AdminKeyEntity]).initialize();
    const identity = await new AdminIdentities(dataSource.manager, systemClock).authenticateAdmin(answer.key);
    await dataSource.destroy();
    expect(identity).toMatchObject({ userId: answer.user_id, role: 'owner' });
  });

  it('prints the key once: run again it says who is there, and makes another key only when asked', async () => {
    const first = await run(ADMIN);
    expect(first.printed.match(/sk-weir-admin-\w+/g)).toHaveLength(1);
    const second = await run(ADMIN);
    expect(second.code).toBe(SUCCEEDED);
    expect(second.printed).toContain('was there already');
    expect(second.printed).not.toContain('sk-weir-');
    const third = await run([...ADMIN, '--new-key']);
    expect(third.printed).toContain('was there already');
    expect(third.printed).toContain('sk-weir-admin-');
  });

  it.each([[[]], [['--username']], [['--user', 'admin']], [['admin']]])('says how it is used, and does nothing, for %j', async (args) => {
    const { code, told } = await run(args);
    expect(code).toBe(WRONG_USAGE);
    expect(told).toContain('usage: create_admin');
    expect(await database.query(`SELECT 1 AS found FROM pg_tables WHERE tablename = 'users'`)).toEqual([]);
  });

  it('fails with one line that names what is wrong', async () => {
    const badEmail = await run(['--username', 'admin', '--email', 'nowhere']);
    expect(badEmail).toMatchObject({ code: FAILED, printed: '' });
    expect(badEmail.told).toMatch(/^create_admin: email [^\n]+\n$/);
    const badUrl = await run(ADMIN, { DATABASE_URL: 'nonsense' });
    expect(badUrl).toMatchObject({ code: FAILED, printed: '' });
    expect(badUrl.told).toMatch(/^create_admin: DATABASE_URL [^\n]+\n$/);
  });

  it('never shows the database’s password when it cannot be reached', async () => {
    const { code, told } = await run(ADMIN, { DATABASE_URL: 'postgres://weir:canary-password@127.0.0.1:1/weir' });
    expect(code).toBe(FAILED);
    expect(told).toMatch(/^create_admin: [^\n]+\n$/);
    expect(told).not.toContain('canary');
  });
});
