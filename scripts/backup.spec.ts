import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, systemClock } from '@weir/kernel';
import { createTestDatabase, type TestDatabase } from '../test/support/postgres';
import { backup } from './backup';
import { restore } from './restore';
import { FAILED, type ScriptWork, SUCCEEDED, toExitCode, WRONG_USAGE } from './run-script';

const ENCRYPTION_KEY = 'a'.repeat(64);
const NOW_MS = Date.UTC(2026, 10, 21, 3, 17);
const DAY_MS = 86_400_000;
/** What is easily lost on the way: large and exact numbers, times between milliseconds, words in other scripts, bytes. */
const ROWS = `
  INSERT INTO organizations (id, name) VALUES ('018f0000-0000-7000-8000-000000000001', E'Straße "Ω" \\\\ 日本 \\n 🚀');
  INSERT INTO users (id, username, role) VALUES ('018f0000-0000-7000-8000-000000000002', 'root', 'owner');
`;

let folder: string;
let source: TestDatabase;
let target: TestDatabase;
let output: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-backup-'));
  await writeFile(join(folder, 'passphrase'), 'correct horse battery staple\n');
  [source, target] = [await createTestDatabase(), await createTestDatabase({ empty: true })];
  await source.query(ROWS);
  output = '';
});
afterEach(async () => {
  await Promise.all([source.drop(), target.drop(), rm(folder, { recursive: true, force: true })]);
});

const run = (work: ScriptWork, database: TestDatabase, args: readonly string[]): Promise<number> =>
  toExitCode('script', work, {
    args,
    environment: { DATABASE_URL: database.url, ENCRYPTION_KEY, WEIR_DATA_DIR: join(folder, database === source ? 'source' : 'target') },
    print: (text) => void (output += text),
    tell: (text) => void (output += text),
  });
const at = (nowMs: number): Clock => ({ ...systemClock, nowMs: () => nowMs });
const makeBackup = (args: readonly string[] = [], nowMs = NOW_MS): Promise<number> => run((input) => backup(input, at(nowMs)), source, ['--to', join(folder, 'backups'), ...args]);
const SEALED = (): string[] => ['--passphrase-file', join(folder, 'passphrase')];
const findBackup = async (): Promise<string> => join(folder, 'backups', (await readdir(join(folder, 'backups')))[0]);

describe('backup', () => {
  it('writes a file that only its owner can read, and warns that it is not encrypted where it is not', async () => {
    expect(await makeBackup()).toBe(SUCCEEDED);
    const path = await findBackup();
    expect(path).toMatch(/weir-2026-11-21T031700Z\.backup$/);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(output).toMatch(/Wrote .*: \d+ rows, 0 files; read again, and whole\.\nWarning: this backup is not encrypted/);
  });

  it('says nothing of its content to who has no passphrase, and does not warn', async () => {
    expect(await makeBackup(SEALED())).toBe(SUCCEEDED);
    expect(output).not.toContain('Warning');
    expect((await readFile(await findBackup())).includes('root')).toBe(false);
  });

  it('deletes what has had its time', async () => {
    for (const days of [3, 2, 1, 0]) expect(await makeBackup(['--keep', '2'], NOW_MS - days * DAY_MS)).toBe(SUCCEEDED);
    expect((await readdir(join(folder, 'backups'))).sort()).toEqual(['weir-2026-11-20T031700Z.backup', 'weir-2026-11-21T031700Z.backup']);
  });

  it('leaves out work under way, which would be done once more', async () => {
    await source.query(`INSERT INTO mesh_jobs (id, organization_id, model, request, expires_at) VALUES ('mesh_${'0'.repeat(32)}', '018f0000-0000-7000-8000-000000000001', 'm', 'sealed', now() + interval '1 day')`);
    expect(await makeBackup(SEALED())).toBe(SUCCEEDED);
    expect(await run((input) => restore(input), target, [await findBackup(), ...SEALED()])).toBe(SUCCEEDED);
    const rows = await target.query('SELECT (SELECT count(*) FROM mesh_jobs)::integer AS jobs, (SELECT count(*) FROM users)::integer AS users');
    expect(rows).toEqual([{ jobs: 0, users: 1 }]);
  });

  it('refuses a wrong command line, and files with secrets in a backup that is not encrypted', async () => {
    expect(await run(backup, source, [])).toBe(WRONG_USAGE);
    expect(await makeBackup(['--include', join(folder, 'passphrase')])).toBe(WRONG_USAGE);
    expect(await makeBackup(['--keep', '0'])).toBe(WRONG_USAGE);
  });

  it('refuses a passphrase that can be guessed, and leaves nothing half behind when it fails', async () => {
    await writeFile(join(folder, 'passphrase'), 'short');
    expect(await makeBackup(SEALED())).toBe(FAILED);
    expect(output).toContain('is too short');
    await writeFile(join(folder, 'passphrase'), 'correct horse battery staple');
    expect(await makeBackup([...SEALED(), '--include', join(folder, 'nothing')])).toBe(FAILED);
    expect(output).toContain('nothing cannot be read');
    expect(await readdir(join(folder, 'backups'))).toEqual([]);
  });
});

describe('restore', () => {
  it('gives every table back as it was, byte for byte', async () => {
    await makeBackup(SEALED());
    expect(await run(restore, target, [await findBackup(), ...SEALED()])).toBe(SUCCEEDED);
    expect(await readTables(target)).toEqual(await readTables(source));
    expect(output).toMatch(/Restored the backup of 2026-11-21T03:17:00.000Z: \d+ rows/);
  });

  it('turns what runs by itself on again', async () => {
    await makeBackup();
    await run(restore, target, [await findBackup()]);
    expect(await target.query(`SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'O'`)).toEqual([]);
  });

  it('refuses an installation that somebody works with, and leaves it as it was', async () => {
    await makeBackup();
    const before = await readTables(source);
    expect(await run(restore, source, [await findBackup()])).toBe(FAILED);
    expect(output).toContain('the database is not empty (users has rows): restore into a new one');
    expect(await readTables(source)).toEqual(before);
  });

  it.each<[string, RegExp, (path: string) => Promise<unknown>, boolean]>([
    ['is cut off', /damaged or cut off|is cut off/, async (path) => truncate(path, (await stat(path)).size - 30), true],
    ['is cut off, and not encrypted', /damaged or cut off|is cut off/, async (path) => truncate(path, (await stat(path)).size - 30), false],
    ['is something else', /is no backup of Weir/, (path) => writeFile(path, 'PGDMP something'), true],
    ['was changed', /damaged|passphrase/, async (path) => writeFile(path, (await readFile(path)).fill(0, 500, 510)), true],
    ['has another passphrase', /the passphrase is not the one/, () => writeFile(join(folder, 'passphrase'), 'another passphrase'), true],
  ])('refuses a backup that %s, and leaves the database empty', async (_what, line, change, isSealed) => {
    await makeBackup(isSealed ? SEALED() : []);
    const path = await findBackup();
    await change(path);
    expect(await run(restore, target, [path, ...(isSealed ? SEALED() : [])])).toBe(FAILED);
    expect(output).toMatch(line);
    const tables = await target.query<{ there: boolean }>(`SELECT to_regclass('organizations') IS NOT NULL AS there`);
    if (tables[0].there) expect(await target.query(`SELECT 1 FROM users`)).toEqual([]);
  });

  it('asks for the passphrase of an encrypted backup', async () => {
    await makeBackup(SEALED());
    expect(await run(restore, target, [await findBackup()])).toBe(FAILED);
    expect(output).toContain('the backup is encrypted: name its passphrase with --passphrase-file');
  });

  it('refuses an open backup where a passphrase is named: anybody could have put it there', async () => {
    await makeBackup();
    expect(await run(restore, target, [await findBackup(), ...SEALED()])).toBe(FAILED);
    expect(output).toContain('the backup is not encrypted, though a passphrase was named');
    expect(await target.query(`SELECT to_regclass('organizations') AS there`)).toEqual([{ there: null }]);
  });

  it('refuses a backup of a newer Weir', async () => {
    await source.query(`INSERT INTO migrations (timestamp, name) VALUES (9999999999999, 'FromTheFuture9999999999999')`);
    await makeBackup();
    expect(await run(restore, target, [await findBackup()])).toBe(FAILED);
    expect(output).toContain('the backup is of a newer Weir');
  });
});

/** Every row of every table as text. */
async function readTables(database: TestDatabase): Promise<Record<string, string[]>> {
  const tables = await database.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND relname NOT IN ('migrations', 'snapshot_changes') ORDER BY relname`,
  );
  const content: Record<string, string[]> = {};
  for (const { name } of tables) content[name] = (await database.query<{ row: string }>(`SELECT t::text AS row FROM ${name} t ORDER BY 1`)).map(({ row }) => row);
  return content;
}
