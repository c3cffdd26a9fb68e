import { UpstreamSimulator } from '@weir/testing';
import { join } from 'node:path';
import { chat, chatUntil } from './support/chat';
import { type JsonValue } from './support/control-plane';
import { createTestDatabase, type TestDatabase } from './support/postgres';
import { type Program, runNode } from './support/program';
import { waitFor } from './support/wait-for';
import { addKey, addModel, addUpstream, TEST_ENCRYPTION_KEY, waitForModel, Weir } from './support/weir';

type ScriptName = 'init_db' | 'create_admin' | 'init_upstream_keys' | 'rotate_encryption_key';

let database: TestDatabase;
afterEach(() => database.drop());

/** As in the image: the compiled script, with what a person would have in the environment. */
function runScript(name: ScriptName, args: readonly string[] = [], environment: Readonly<Record<string, string>> = {}): Promise<Program> {
  return runNode(join('dist', 'scripts', `${name}.js`), args, {
    environment: { DATABASE_URL: database.url, ENCRYPTION_KEY: TEST_ENCRYPTION_KEY, WEIR_DATA_DIR: '/nonexistent/weir', ...environment },
  });
}

function expectDone(script: Program): void {
  expect({ code: script.end?.code, stderr: script.stderr }).toEqual({ code: 0, stderr: '' });
}

/** One line on standard error that names what is wrong; nothing on standard output; no stack. */
function expectRefused(script: Program, code: number, message: RegExp): void {
  expect(script.end?.code).toBe(code);
  expect(script.stdout).toBe('');
  expect(script.stderr.trimEnd().split('\n')).toHaveLength(1);
  expect(script.stderr).toMatch(message);
}

describe('init_db', () => {
  it('makes an empty database ready, and does nothing the second time', async () => {
    database = await createTestDatabase({ empty: true });
    const first = await runScript('init_db');
    expectDone(first);
    expect(first.stdout).toMatch(/^Ran migration Foundation\d+\.\n(Ran migration \w+\.\n)*The configured PostgreSQL is ready\.\n$/);
    const second = await runScript('init_db');
    expectDone(second);
    expect(second.stdout).toBe('The configured PostgreSQL is up to date; nothing to do.\n');
    const weir = await Weir.start({ databaseUrl: database.url });
    expect((await weir.adminResponse('GET', '/organizations')).status).toBe(200);
    await weir.stop();
  });

  it('fails with one line that names the variable when the database refuses it', async () => {
    database = await createTestDatabase({ empty: true });
    const url = new URL(database.url);
    url.password = 'hunter2';
    const refused = await runScript('init_db', [], { DATABASE_URL: url.href });
    expectRefused(refused, 1, /^init_db: DATABASE_URL/);
    expect(refused.output).not.toContain('hunter2');
  });
});

describe('create_admin', () => {
  const ADMIN = ['--username', 'admin', '--email', 'admin@example.com'];

  it('prints a key that works, once; and another one only when asked', async () => {
    database = await createTestDatabase({ empty: true });
    const first = await runScript('create_admin', ADMIN);
    expectDone(first);
    const key = /^Made admin \(owner\)\.\nAdmin key, shown only now: (sk-weir-admin-\w+)\n$/.exec(first.stdout)?.[1];
    const second = await runScript('create_admin', ADMIN);
    expectDone(second);
    expect(second.stdout).toContain('was there already');
    expect(second.output).not.toContain('sk-weir-');
    const json = await runScript('create_admin', [...ADMIN, '--new-key', '--json']);
    expectDone(json);
    const answer = JSON.parse(json.stdout);
    expect(answer).toMatchObject({ username: 'admin', email: 'admin@example.com', role: 'owner', created: false, user_id: expect.any(String) });
    const again = JSON.parse((await runScript('create_admin', [...ADMIN, '--json'])).stdout);
    expect(again).toEqual({ ...answer, key: null, public_id: null });

    const weir = await Weir.start({ databaseUrl: database.url });
    for (const each of [key, answer.key]) {
      expect(each).not.toBeUndefined();
      const response = await fetch(`${weir.adminUrl}/admin/users`, { headers: { authorization: `Bearer ${each}` } });
      expect(response.status).toBe(200);
    }
    await weir.stop();
  });

  it.each([
    ['no name', []],
    ['an unknown option', [...ADMIN, '--role', 'viewer']],
  ])('says how it is used: %s', async (_what, args) => {
    database = await createTestDatabase();
    expectRefused(await runScript('create_admin', args), 2, /^create_admin: usage: create_admin --username/);
  });
});

describe('init_upstream_keys', () => {
  const SECRETS = ['sk-first-0123456789', 'sk-second-0123456789', 'sk-third-0123456789'];
  const AZURE = {
    AZURE_ENDPOINT: 'https://weir-test.openai.azure.com',
    AZURE_API_KEYS: 'azure-first-0123456789,azure-second-0123456789',
    AZURE_DEPLOYMENT_NAMES: 'gpt-at-azure,text-embedding-at-azure',
    AZURE_API_VERSION: '2024-10-21',
  };

  async function readKeys(): Promise<Record<string, number>> {
    const rows = await database.query<{ name: string; keys: number }>(
      'SELECT u.name, count(k.id)::int AS keys FROM upstreams u LEFT JOIN upstream_keys k ON k.upstream_id = u.id GROUP BY u.name',
    );
    return Object.fromEntries(rows.map(({ name, keys }) => [name, keys]));
  }

  const readModels = async (): Promise<string[]> => (await database.query<{ name: string }>('SELECT name FROM models ORDER BY name')).map(({ name }) => name);

  beforeEach(async () => {
    database = await createTestDatabase();
  });

  it('imports each key of OpenAI once, whatever is named twice and however often it runs', async () => {
    const environment = { OPENAI_API_KEYS: `${SECRETS[0]}, ${SECRETS[1]},${SECRETS[0]}`, OPENAI_API_KEY: SECRETS[1] };
    const first = await runScript('init_upstream_keys', [], environment);
    expectDone(first);
    expect(first.stdout).toMatch(/^openai: made; 2 imported, 0 held already\n {2}offers .*openai\/\*/);
    const second = await runScript('init_upstream_keys', [], { OPENAI_API_KEYS: SECRETS.join(',') });
    expect(second.stdout).toBe('openai: 1 imported, 2 held already\n');
    expect(await readKeys()).toEqual({ openai: 3 });
    for (const secret of SECRETS) expect(first.output + second.output).not.toContain(secret);
    const stored = JSON.stringify(await database.query('SELECT * FROM upstream_keys'));
    for (const secret of SECRETS) expect(stored).not.toContain(secret);
  });

  it('imports those of Azure, with its deployments as models', async () => {
    const script = await runScript('init_upstream_keys', [], { UPSTREAM_TYPE: 'azure', ...AZURE, OPENAI_API_KEYS: SECRETS[0] });
    expectDone(script);
    expect(script.stdout).toMatch(/^azure: made; 2 imported, 0 held already\n/);
    expect(await readKeys()).toEqual({ azure: 2 });
    expect(await readModels()).toEqual(expect.arrayContaining(['gpt-at-azure', 'text-embedding-at-azure']));
    const [row] = await database.query<JsonValue>("SELECT provider, base_url, options FROM upstreams WHERE name = 'azure'");
    expect(row).toEqual({ provider: 'azure', base_url: AZURE.AZURE_ENDPOINT, options: { api_version: '2024-10-21' } });
  });

  it('imports several types at once', async () => {
    const script = await runScript('init_upstream_keys', [], { UPSTREAM_TYPE: 'openai, azure', ...AZURE, OPENAI_API_KEY: SECRETS[0] });
    expectDone(script);
    expect(await readKeys()).toEqual({ openai: 1, azure: 2 });
  });

  it('does nothing, and says so, when the environment holds no key', async () => {
    const script = await runScript('init_upstream_keys');
    expectDone(script);
    expect(script.stdout).toBe('The environment holds no provider keys; nothing was done.\n');
    expect(await readKeys()).toEqual({});
  });

  it.each<[string, Record<string, string>, RegExp]>([
    ['an unknown type', { UPSTREAM_TYPE: 'openai,watson' }, /^init_upstream_keys: UPSTREAM_TYPE: 'watson' is not one of/],
    ['Azure without its address', { UPSTREAM_TYPE: 'azure', AZURE_API_KEYS: AZURE.AZURE_API_KEYS }, /^init_upstream_keys: AZURE_ENDPOINT is missing/],
    ['an address that is none', { OPENAI_BASE_URL: 'not a url', OPENAI_API_KEYS: SECRETS[0] }, /^init_upstream_keys: OPENAI_BASE_URL/],
  ])('refuses %s, imports nothing, and names the variable', async (_what, environment, message) => {
    const script = await runScript('init_upstream_keys', [], { OPENAI_API_KEYS: SECRETS[0], ...environment });
    expectRefused(script, 1, message);
    expect(script.output).not.toContain(SECRETS[0]);
    expect(await readKeys()).toEqual({});
  });

  it('brings keys to a Weir that runs, without a restart', async () => {
    const simulator = await new UpstreamSimulator().start();
    const weir = await Weir.start({ databaseUrl: database.url });
    const { key } = await addKey(weir);
    const script = await runScript('init_upstream_keys', [], { OPENAI_BASE_URL: simulator.baseUrl, OPENAI_API_KEYS: SECRETS[0] });
    expectDone(script);
    await chatUntil(weir, key, 'openai/gpt-whatever', 200);
    expect(simulator.calls[0]).toMatchObject({ key: SECRETS[0], json: { model: 'gpt-whatever' } });
    await weir.stop();
    await simulator.stop();
  });
});

describe('rotate_encryption_key', () => {
  const OLD = `k1:${TEST_ENCRYPTION_KEY}`;
  const NEW = `k2:${'6b'.repeat(32)}`;

  it('gives every key to the new encryption key under load; then the old one may go', async () => {
    database = await createTestDatabase();
    const simulator = await new UpstreamSimulator().start();
    const start = (ring: string): Promise<Weir> => Weir.start({ databaseUrl: database.url, environment: { ENCRYPTION_KEY: '', ENCRYPTION_KEYS: ring } });
    const secrets = Array.from({ length: 30 }, (_, index) => `sk-rotated-${index + 1}`);

    const before = await start(OLD);
    const { id } = await addUpstream(before, { name: 'simulator', baseUrl: simulator.baseUrl, secrets });
    await addModel(before, 'echo', [id]);
    const { key } = await addKey(before);
    await waitForModel(before, key, 'echo');
    await before.stop();

    const weir = await start(`${NEW},${OLD}`);
    await waitForModel(weir, key, 'echo');
    let done = false;
    const statuses: number[] = [];
    const load = Promise.all(
      Array.from({ length: 4 }, async () => {
        while (!done) statuses.push((await chat(weir, key, 'echo')).status);
      }),
    );
    await waitFor(() => statuses.length > 20);
    const script = await runScript('rotate_encryption_key', [], { ENCRYPTION_KEY: '', ENCRYPTION_KEYS: `${NEW},${OLD}` });
    expect(script.end?.code).toBe(0);
    expect(script.stdout).toContain('Upstream keys re-encrypted with "k2": 30;');
    expect(script.stdout).toContain('No row needs the older keys any more.');
    const rotatedAt = statuses.length;
    await waitFor(() => statuses.length > rotatedAt + 50);
    done = true;
    await load;
    expect(new Set(statuses)).toEqual(new Set([200]));
    const listed = await weir.admin<{ data: JsonValue[] }>('GET', `/upstreams/${id}/keys?limit=100`);
    expect(new Set(listed.data.map((each) => each.encryption_key_id))).toEqual(new Set(['k2']));
    expect(new Set(listed.data.map((each) => each.status))).toEqual(new Set(['active']));
    await weir.stop();

    const after = await start(NEW);
    await waitForModel(after, key, 'echo');
    simulator.calls.length = 0;
    for (let index = 0; index < 30; index += 1) expect((await chat(after, key, 'echo')).status).toBe(200);
    expect(simulator.calls.map((call) => call.key).sort()).toEqual([...secrets].sort());
    const again = await runScript('rotate_encryption_key', [], { ENCRYPTION_KEY: '', ENCRYPTION_KEYS: NEW });
    expectDone(again);
    expect(again.stdout).toContain('re-encrypted with "k2": 0;');
    for (const text of [script.output, again.output, weir.output, after.output]) {
      expect(text).not.toContain('sk-rotated');
      expect(text).not.toContain('6b'.repeat(32));
    }
    await after.stop();
    await simulator.stop();
  });

  it('leaves alone what it cannot open, says so, and fails', async () => {
    database = await createTestDatabase();
    expectDone(await runScript('init_upstream_keys', [], { OPENAI_API_KEYS: 'sk-first-0123456789' }));
    const script = await runScript('rotate_encryption_key', [], { ENCRYPTION_KEY: '', ENCRYPTION_KEYS: NEW });
    expect(script.end?.code).toBe(1);
    expect(script.stdout).toContain('Upstream keys that still need an older key: 1. Keep the older keys in the ring.');
    expect(script.output).not.toContain('sk-first');
  });
});
