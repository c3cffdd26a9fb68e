import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MIGRATIONS } from '../migrations';
import { holdEmbeddedPostgres } from '../test/support/held-postgres';
import { createTestDatabase } from '../test/support/postgres';
import { initDatabase } from './init_db';
import { FAILED, SUCCEEDED, toExitCode } from './run-script';

describe('init_db', () => {
  let folder: string;
  let printed: string[];
  let told: string[];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'weir-init-db-'));
    printed = [];
    told = [];
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const run = (environment: NodeJS.ProcessEnv) =>
    toExitCode('init_db', initDatabase, {
      args: [],
      environment: { WEIR_DATA_DIR: folder, ...environment },
      print: (text) => void printed.push(text),
      tell: (text) => void told.push(text),
    });
  const ran = MIGRATIONS.map(({ name }) => `Ran migration ${name}.\n`);

  it('migrates the configured database, says so, and does nothing the second time', async () => {
    const database = await createTestDatabase({ empty: true });
    try {
      const environment = { DATABASE_URL: database.url, ENCRYPTION_KEY: 'a'.repeat(64) };
      expect(await run(environment)).toBe(SUCCEEDED);
      expect(printed).toEqual([...ran, 'The configured PostgreSQL is ready.\n']);
      printed = [];
      expect(await run(environment)).toBe(SUCCEEDED);
      expect(printed).toEqual(['The configured PostgreSQL is up to date; nothing to do.\n']);
    } finally {
      await database.drop();
    }
  });

  it('starts the embedded database for itself, and leaves it stopped', async () => {
    expect([await run({}), await run({})]).toEqual([SUCCEEDED, SUCCEEDED]);
    const place = `The embedded PostgreSQL in ${folder}`;
    expect(printed).toEqual([...ran, `${place} is ready.\n`, `${place} is up to date; nothing to do.\n`]);
  });

  it('joins the embedded database of a running Weir', async () => {
    const held = await holdEmbeddedPostgres(folder);
    try {
      expect(await run({})).toBe(SUCCEEDED);
      expect(printed).toEqual([...ran, `The embedded PostgreSQL in ${folder} is ready.\n`]);
    } finally {
      await held.kill();
    }
  });

  it('fails, naming the variable, when the configuration is wrong', async () => {
    expect(await run({ DATABASE_URL: 'postgres://db/x' })).toBe(FAILED);
    expect(told.join('')).toMatch(/^init_db: ENCRYPTION_KEY is missing[^\n]+\n$/);
    expect(printed).toEqual([]);
  });

  it('fails without showing the password when the database cannot be reached', async () => {
    const environment = { DATABASE_URL: 'postgres://weir:canary-4711@127.0.0.1:1/weir', ENCRYPTION_KEY: 'a'.repeat(64) };
    expect(await run(environment)).toBe(FAILED);
    expect(told.join('')).toBe('init_db: DATABASE_URL (or POSTGRES_…): the database cannot be reached (ECONNREFUSED); is it started, and is that where it is?\n');
  });
});
