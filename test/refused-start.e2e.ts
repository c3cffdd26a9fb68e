import { chown, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestDatabase, type TestDatabase } from './support/postgres';
import { type Program } from './support/program';
import { expectRefusedStart, findPorts, occupyPort, Starter } from './support/start-weir';
import { waitFor } from './support/wait-for';
import { findFreePort } from './support/find-free-port';

const NOBODY = { uid: 65534, gid: 65534 };
/** Only the superuser may give a folder away, or make a disk that is full. */
const isSuperuser = process.getuid?.() === 0 && process.platform === 'linux';
const asSuperuser = isSuperuser ? it : it.skip;

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
    ['a data folder that cannot be made', { WEIR_DATA_DIR: '/dev/null/weir' }, /WEIR_DATA_DIR: .* is no folder/],
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
      await expectRefusedStart(program, new RegExp(`weir: ${variable}: port ${port} is in use .*; stop that, or set ${variable}`));
    };
    await Promise.all(['PORT', 'ADMIN_PORT', 'METRICS_PORT'].map(refuse));
    server.close();
    await database.drop();
  }, 120_000);

  it('a wrong password of the database is not shown', async () => {
    const database = await createTestDatabase();
    const url = new URL(database.url);
    url.password = SECRET;
    const program = starter.start({ DATABASE_URL: url.href, ENCRYPTION_KEY: KEY, ...(await findPorts()) });
    await expectRefusedStart(program, /DATABASE_URL .*the user or the password .*; correct them there/);
    expect(program.output).not.toContain(SECRET);
    await database.drop();
  });

  it('a database that is not there is named by its variable, without its password', async () => {
    const program = starter.start({ DATABASE_URL: `postgres://weir:${SECRET}@127.0.0.1:${await findFreePort()}/weir`, ENCRYPTION_KEY: KEY, ...(await findPorts()) });
    await expectRefusedStart(program, /DATABASE_URL .*cannot be reached .*; is it started/);
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

  asSuperuser('a data folder of another user is named, with what to do', async () => {
    const folder = await starter.makeFolder();
    await chown(folder, NOBODY.uid, NOBODY.gid);
    // Without its right to pass over the modes of files the superuser is a user like any other.
    const command = ['setpriv', '--bounding-set=-dac_override,-dac_read_search', '--inh-caps=-dac_override,-dac_read_search'];
    const program = starter.start({ WEIR_DATA_DIR: folder, ...(await findPorts()) }, {}, command);
    await expectRefusedStart(program, /WEIR_DATA_DIR: the folder .* cannot be written \(EACCES\); it must belong to the user that runs Weir: chown -R/);
  });

  asSuperuser.each([
    ['from the beginning', 64 * 1024, /WEIR_DATA_DIR: the folder .* \(ENOSPC\); the disk is full: make room/],
    ['by the embedded database', 12 * 1024 * 1024, /WEIR_DATA_DIR: the embedded PostgreSQL .*; the disk is full: make room/],
  ])('a disk that is full %s is named, with what to do', async (_when, sizeBytes, message) => {
    const folder = await starter.makeSmallDisk(sizeBytes);
    await writeFile(join(folder, 'filler'), Buffer.alloc(64 * 1024)).catch(() => undefined);
    await expectRefusedStart(starter.start({ WEIR_DATA_DIR: folder, ...(await findPorts()) }), message);
  });
});

describe('a start that can be, though something is amiss', () => {
  let database: TestDatabase;
  let program: Program;
  beforeAll(async () => {
    database = await createTestDatabase();
    const folder = isSuperuser ? await starter.makeSmallDisk(64 * 1024) : await starter.makeFolder();
    if (isSuperuser) await writeFile(join(folder, 'filler'), Buffer.alloc(64 * 1024)).catch(() => undefined);
    const redis = `redis://:ChangeMe@127.0.0.1:${await findFreePort()}`;
    program = await starter.startReady({ DATABASE_URL: database.url, ENCRYPTION_KEY: '8f'.repeat(32), REDIS_URL: redis, WEIR_DATA_DIR: folder, ...(await findPorts()) });
  }, 120_000);
  afterAll(async () => {
    await program.stop();
    await database.drop();
  });

  const expectOneLine = async (level: number, text: RegExp): Promise<void> => {
    const pattern = new RegExp(`^\\{"level":${level},.*${text.source}`, 'm');
    await program.waitForOutput(pattern);
    expect(program.output.split('\n').filter((line) => pattern.test(line))).toHaveLength(1);
  };

  it('warns in one line that Redis cannot be reached, and where that is set', () =>
    expectOneLine(40, /REDIS_URL \(or REDIS_HOST\): Redis cannot be reached; is it started, and is that where it is\?/));

  it('warns in one line of a password that everybody tries first, without saying it', async () => {
    await expectOneLine(40, /REDIS_URL or REDIS_PASSWORD: the password is one that everybody tries first; make another one/);
    expect(program.output).not.toContain('ChangeMe');
  });

  asSuperuser('says in one line that the disk is full, before the first call is refused for it', () =>
    expectOneLine(50, /WEIR_DATA_DIR: the spool cannot be written \(ENOSPC\); the disk is full: make room/));
});
