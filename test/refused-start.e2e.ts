import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestDatabase } from './support/postgres';
import { expectRefusedStart, findPorts, occupyPort, Starter } from './support/start-weir';
import { waitFor } from './support/wait-for';
import { findFreePort } from './support/find-free-port';

const starter = new Starter();
afterAll(() => starter.cleanUp());

describe('a start that cannot be', () => {
  const KEY = 'ab'.repeat(32);
  const SECRET = 'hunter2-is-the-password';

  it.each<[string, Record<string, string>, RegExp]>([
    ['a port that is no number', { PORT: 'eighty' }, /PORT must be/],
    ['a port that is none', { ADMIN_PORT: '70000' }, /ADMIN_PORT must be/],
    ['another kind of database', { DATABASE_URL: `mysql://root:${SECRET}@127.0.0.1/weir`, ENCRYPTION_KEY: KEY }, /DATABASE_URL must be/],
    ['a password for no database', { POSTGRES_PASSWORD: SECRET }, /POSTGRES_HOST/],
    ['a database without an encryption key', { DATABASE_URL: `postgres://weir:${SECRET}@127.0.0.1/weir` }, /ENCRYPTION_KEY is missing/],
    ['a short encryption key', { ENCRYPTION_KEY: SECRET }, /ENCRYPTION_KEY must be/],
    ['a ring that is none', { ENCRYPTION_KEYS: `k1:${KEY},${SECRET}` }, /ENCRYPTION_KEYS must be/],
    ['several workers without Redis', { WEIR_WORKERS: '2' }, /WEIR_WORKERS .*REDIS_URL/],
    ['a wildcard origin', { CORS_ORIGINS: '*' }, /CORS_ORIGINS must be/],
    ['a size that is none', { MAX_BODY_BYTES: 'many' }, /MAX_BODY_BYTES must be/],
    ['a data folder that cannot be made', { WEIR_DATA_DIR: '/dev/null/weir' }, /WEIR_DATA_DIR/],
    ['a log file that cannot be made', { LOG_FILE: '/dev/null/weir.log' }, /LOG_FILE/],
  ])('says what is wrong in one line that names the variable: %s', async (_what, environment, message) => {
    const program = starter.start({ WEIR_DATA_DIR: join(tmpdir(), 'weir-never-made'), ...(await findPorts()), ...environment });
    await expectRefusedStart(program, message);
    expect(program.output).not.toContain(SECRET);
    expect(program.output).not.toContain(KEY);
  });

  it('a port in use by another is named by its variable', async () => {
    const [database, { port, server }] = await Promise.all([createTestDatabase(), occupyPort()]);
    const refuse = async (variable: string): Promise<void> => {
      const program = starter.start({ DATABASE_URL: database.url, ENCRYPTION_KEY: KEY, ...(await findPorts()), [variable]: port });
      await expectRefusedStart(program, new RegExp(`weir: ${variable}: port ${port} is in use`));
    };
    await Promise.all(['PORT', 'ADMIN_PORT', 'METRICS_PORT'].map(refuse));
    server.close();
    await database.drop();
  });

  it('a wrong password of the database is not shown', async () => {
    const database = await createTestDatabase();
    const url = new URL(database.url);
    url.password = SECRET;
    const program = starter.start({ DATABASE_URL: url.href, ENCRYPTION_KEY: KEY, ...(await findPorts()) });
    await expectRefusedStart(program, /DATABASE_URL .*the user or the password/);
    expect(program.output).not.toContain(SECRET);
    await database.drop();
  });

  it('a database that is not there is named by its variable, without its password', async () => {
    const program = starter.start({ DATABASE_URL: `postgres://weir:${SECRET}@127.0.0.1:${await findFreePort()}/weir`, ENCRYPTION_KEY: KEY, ...(await findPorts()) });
    await expectRefusedStart(program, /DATABASE_URL .*cannot be reached/);
    expect(program.output).not.toContain(SECRET);
  });

  it('leaves no PostgreSQL running behind it', async () => {
    const folder = await starter.makeFolder();
    const { port, server } = await occupyPort();
    const program = starter.start({ WEIR_DATA_DIR: folder, ...(await findPorts()), PORT: port });
    await expectRefusedStart(program, /PORT: port \d+ is in use/);
    server.close();
    await expect(waitFor(() => stat(join(folder, 'postgres', 'postmaster.pid')).then(() => false, () => true))).resolves.toBe(true);
  });
});
