import { UpstreamSimulator } from '@weir/testing';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chat, repeat, waitForUsageRows } from '../support/chat';
import { createTestDatabase, type TestDatabase } from '../support/postgres';
import { type Program, runNode } from '../support/program';
import { findPorts, Starter } from '../support/start-weir';
import { waitFor } from '../support/wait-for';
import { addKey, addModel, addUpstream, TEST_ENCRYPTION_KEY, waitForModel, Weir } from '../support/weir';

const MODEL = 'kept';
const VOICE = 'voices/018f0000-0000-7000-8000-000000000001/018f0000-0000-7000-8000-000000000002';

let folder: string;
let simulator: UpstreamSimulator;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-test-backup-'));
  await writeFile(join(folder, 'passphrase'), 'correct horse battery staple\n');
  await writeFile(join(folder, 'weir.env'), 'LOG_LEVEL=info\n');
  simulator = await new UpstreamSimulator().start();
});
afterAll(async () => {
  await simulator.stop();
  await rm(folder, { recursive: true, force: true });
});

const script = (name: string, args: readonly string[], environment: Readonly<Record<string, string>>): Promise<Program> => runNode(join('dist', 'scripts', `${name}.js`), args, { environment });
const findBackup = async (): Promise<string> => join(folder, 'backups', (await readdir(join(folder, 'backups'))).sort().at(-1) ?? '');

/** Every row, table by table. */
async function readRows(database: TestDatabase): Promise<Record<string, string[]>> {
  const tables = await database.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname NOT IN ('migrations', 'snapshot_changes') ORDER BY relname`,
  );
  const rows: Record<string, string[]> = {};
  for (const { name } of tables) rows[name] = (await database.query<{ row: string }>(`SELECT t::text AS row FROM ${name} t ORDER BY 1`)).map(({ row }) => row);
  return rows;
}

describe('a backup of an installation with a database of its own', () => {
  it('is made while Weir serves, and restored it has every row and every key works', async () => {
    const [source, target] = [await createTestDatabase(), await createTestDatabase({ empty: true })];
    const dataDirectory = join(folder, 'source');
    const weir = await Weir.start({ databaseUrl: source.url, dataDirectory });
    const { id } = await addUpstream(weir, { name: 'simulator', baseUrl: simulator.baseUrl, secrets: ['sk-kept-one', 'sk-kept-two'] });
    await addModel(weir, MODEL, [id], { price: { input_per_million_usd: 3, output_per_million_usd: 15 } });
    const keys = await Promise.all([addKey(weir), addKey(weir), addKey(weir)]);
    for (const { key } of keys) {
      await waitForModel(weir, key, MODEL);
      await repeat(20, () => chat(weir, key, MODEL));
    }
    for (const made of keys) await waitForUsageRows(weir, `key_id=${made.id}`, 20);
    await mkdir(join(dataDirectory, VOICE, '..'), { recursive: true });
    const voice = Buffer.alloc(3_000_000, 'RIFF voice ');
    await writeFile(join(dataDirectory, VOICE), voice);
    // A month that is long over, in a partition of its own.
    await source.query(`CREATE TABLE usage_records_2024_02 PARTITION OF usage_records FOR VALUES FROM ('2024-02-01 00:00:00+00') TO ('2024-03-01 00:00:00+00')`);

    const made = await script('backup', ['--to', join(folder, 'backups'), '--passphrase-file', join(folder, 'passphrase'), '--include', join(folder, 'weir.env')], {
      DATABASE_URL: source.url,
      ENCRYPTION_KEY: TEST_ENCRYPTION_KEY,
      WEIR_DATA_DIR: dataDirectory,
    });
    expect([made.end?.code, made.output]).toEqual([0, expect.stringMatching(/rows, 2 files; read again, and whole/)]);
    const { adminKey } = weir;
    await weir.stop();

    const restored = await script('restore', [await findBackup(), '--passphrase-file', join(folder, 'passphrase'), '--files-to', join(folder, 'files')], {
      DATABASE_URL: target.url,
      ENCRYPTION_KEY: TEST_ENCRYPTION_KEY,
      WEIR_DATA_DIR: join(folder, 'target'),
    });
    expect([restored.end?.code, restored.output]).toEqual([0, expect.stringContaining("Providers' keys that open with the key ring of this installation: 2.")]);
    expect(await readRows(target)).toEqual(await readRows(source));
    expect((await readFile(join(folder, 'target', VOICE))).equals(voice)).toBe(true);
    expect(await readFile(join(folder, 'files', 'weir.env'), 'utf8')).toBe('LOG_LEVEL=info\n');

    simulator.reset();
    const again = await Weir.start({ databaseUrl: target.url, dataDirectory: join(folder, 'target') });
    for (const { key } of keys) expect((await chat(again, key, MODEL)).status).toBe(200);
    await waitFor(async () => {
      await chat(again, keys[0].key, MODEL);
      return new Set(simulator.calls.map(({ key }) => key)).size === 2;
    }, { what: "both of the provider's keys to be used" });
    const asOwner = await fetch(`${again.adminUrl}/admin/keys`, { headers: { authorization: `Bearer ${adminKey}` } });
    expect(asOwner.status).toBe(200);
    await again.stop();
    await Promise.all([source.drop(), target.drop()]);
  });

  it('says which keys do not open where the key ring is another one', async () => {
    const target = await createTestDatabase({ empty: true });
    const restored = await script('restore', [await findBackup(), '--passphrase-file', join(folder, 'passphrase')], {
      DATABASE_URL: target.url,
      ENCRYPTION_KEY: 'cd'.repeat(32),
      WEIR_DATA_DIR: join(folder, 'other-ring'),
    });
    expect([restored.end?.code, restored.output]).toEqual([1, expect.stringContaining('2 do not: set ENCRYPTION_KEYS to the ring')]);
    await target.drop();
  });
});

describe('a backup of an embedded installation', () => {
  const starter = new Starter();
  afterAll(() => starter.cleanUp());

  it('holds the key ring, so that in an empty folder everything works as before', async () => {
    const from = await starter.makeFolder();
    const ports = await findPorts();
    const first = await starter.startReady({ ...ports, WEIR_DATA_DIR: from, OPENAI_API_KEYS: 'sk-imported-4711' });
    const [key] = await first.waitForOutput(/sk-weir-(?!admin)[\w-]+/);
    const made = await script('backup', ['--to', join(folder, 'embedded'), '--passphrase-file', join(folder, 'passphrase')], { WEIR_DATA_DIR: from });
    expect([made.end?.code, made.output]).toEqual([0, expect.stringContaining('read again, and whole')]);
    await first.stop();

    const to = await starter.makeFolder();
    const [name] = await readdir(join(folder, 'embedded'));
    const restored = await script('restore', [join(folder, 'embedded', name), '--passphrase-file', join(folder, 'passphrase')], { WEIR_DATA_DIR: to });
    expect([restored.end?.code, restored.output]).toEqual([0, expect.stringContaining("Providers' keys that open with the key ring of this installation: 1.")]);
    expect(await readFile(join(to, 'secrets', 'encryption-keys'), 'utf8')).toBe(await readFile(join(from, 'secrets', 'encryption-keys'), 'utf8'));
    const second = await starter.startReady({ ...(await findPorts()), PORT: ports.PORT, WEIR_DATA_DIR: to });
    expect(second.output).not.toContain('shown this once');
    expect((await chat({ url: `http://127.0.0.1:${ports.PORT}` }, key, 'demo/echo')).status).toBe(200);
    await second.stop();
  });
});
