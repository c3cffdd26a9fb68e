import { UpstreamSimulator } from '@weir/testing';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chatUntil } from './support/chat';
import { type JsonValue } from './support/control-plane';
import { createTestDatabase, type TestDatabase } from './support/postgres';
import { type Program, runNode } from './support/program';
import { addKey, TEST_ENCRYPTION_KEY, Weir } from './support/weir';

/** Each of them takes seconds to begin on a machine that is busy. */
const SEVERAL_PROGRAMS_MS = 120_000;
const SECRET = 'sk-canary-0123456789';

let database: TestDatabase;
let simulator: UpstreamSimulator;
let folder: string;
let file: string;

beforeEach(async () => {
  database = await createTestDatabase();
  simulator = await new UpstreamSimulator().start();
  folder = mkdtempSync(join(tmpdir(), 'weir-apply-'));
  file = join(folder, 'weir.yaml');
  writeFileSync(file, toFile('declared'));
});
afterEach(async () => {
  await simulator.stop();
  await database.drop();
  rmSync(folder, { recursive: true });
});

function toFile(model: string): string {
  return [
    'upstreams:',
    '  - name: simulator',
    '    provider: openai-compatible',
    '    base_url: ${SIMULATOR_URL}',
    '    keys:',
    '      - secret: ${SIMULATOR_KEY}',
    'models:',
    `  - name: ${model}`,
    '    operation: chat',
    '    price: {per_request_usd: 0}',
    '    targets:',
    '      - upstream: simulator',
    'routes:',
    '  - model: vendor/*',
    '    targets: [{upstream: simulator}]',
    '',
  ].join('\n');
}

/** As in the image: the compiled script, with what a person would have in the environment. */
function runScript(name: string, args: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Program> {
  const set = { DATABASE_URL: database.url, ENCRYPTION_KEY: TEST_ENCRYPTION_KEY, WEIR_DATA_DIR: '/nonexistent/weir', SIMULATOR_URL: simulator.baseUrl, SIMULATOR_KEY: SECRET };
  return runNode(join('dist', 'scripts', `${name}.js`), args, { environment: { ...set, ...environment } });
}

const readModels = async (): Promise<string[]> => (await database.query<{ name: string }>('SELECT name FROM models ORDER BY name')).map(({ name }) => name);

describe('apply', () => {
  it('brings a file to a Weir that runs, without a restart; shows it first; and finds nothing the second time', async () => {
    const weir = await Weir.start({ databaseUrl: database.url });
    const { key } = await addKey(weir);
    const plan = await runScript('apply', [file, '--dry-run', '--fail-on-difference']);
    expect({ code: plan.end?.code, stderr: plan.stderr }).toEqual({ code: 3, stderr: '' });
    expect(plan.stdout).toContain('+ model declared\n');
    expect(await readModels()).toEqual([]);

    const applied = await runScript('apply', [file]);
    expect({ code: applied.end?.code, stderr: applied.stderr }).toEqual({ code: 0, stderr: '' });
    await chatUntil(weir, key, 'declared', 200);
    await chatUntil(weir, key, 'vendor/any-name', 200);
    expect(simulator.calls.map((call) => [call.key, Reflect.get(Object(call.json), 'model')])).toEqual([
      [SECRET, 'declared'],
      [SECRET, 'any-name'],
    ]);
    const audit = await weir.admin<{ data: JsonValue[] }>('GET', '/audit?collection=models');
    expect(audit.data.map((each) => [each.actor, each.actor_id, each.action])).toEqual([
      ['apply', null, 'create'],
      ['apply', null, 'create'],
    ]);

    const again = await runScript('apply', [file, '--prune', '--dry-run', '--fail-on-difference']);
    expect({ code: again.end?.code, stdout: again.stdout }).toEqual({ code: 0, stdout: 'Nothing to change.\n' });
    writeFileSync(file, toFile('renamed'));
    expect((await runScript('apply', [file, '--prune'])).stdout).toContain('- model declared\n');
    await chatUntil(weir, key, 'renamed', 200);
    await chatUntil(weir, key, 'declared', 404);
    for (const text of [plan.output, applied.output, again.output, weir.output]) expect(text).not.toContain('canary');
    await weir.stop();
  }, SEVERAL_PROGRAMS_MS);

  it('is done at the start with the file that is named, before anything listens', async () => {
    const environment = { WEIR_YAML: file, SIMULATOR_URL: simulator.baseUrl, SIMULATOR_KEY: SECRET };
    const first = await Weir.start({ databaseUrl: database.url, environment });
    const { key } = await addKey(first);
    await chatUntil(first, key, 'declared', 200);
    await first.stop();
    const second = await Weir.start({ databaseUrl: database.url, environment });
    await chatUntil(second, key, 'declared', 200);
    await second.stop();
    expect(await database.query('SELECT count(*)::int FROM audit_records WHERE actor = $1', ['apply'])).toEqual([{ count: 4 }]);
    expect(first.output + second.output).not.toContain('canary');
  });

  it('stops the start with one line when the file is wrong, and makes nothing of it', async () => {
    writeFileSync(file, `${toFile('declared')}modells: []\n`);
    const environment = { DATABASE_URL: database.url, ENCRYPTION_KEY: TEST_ENCRYPTION_KEY, WEIR_DATA_DIR: folder, WEIR_YAML: file, SIMULATOR_URL: simulator.baseUrl, SIMULATOR_KEY: SECRET };
    const weir = await runNode(join('dist', 'apps', 'gateway', 'src', 'main.js'), [], { environment });
    expect(weir.end?.code).toBe(1);
    expect(weir.stderr).toBe('weir: weir.yaml:16:1: the field modells is not known\n');
    expect(await readModels()).toEqual([]);
  });
});

describe('import_litellm', () => {
  it('makes a file that apply takes', async () => {
    const config = join(folder, 'config.yaml');
    writeFileSync(config, `model_list:\n- model_name: gpt\n  litellm_params: {model: openai/gpt-x, api_base: "${simulator.baseUrl}", api_key: ${SECRET}}\n`);
    const imported = await runScript('import_litellm', [config]);
    expect(imported.end?.code).toBe(0);
    expect(imported.output).not.toContain('canary');
    writeFileSync(file, imported.stdout);
    const refused = await runScript('apply', [file]);
    expect(refused.stderr).toMatch(/^apply: weir\.yaml:\d+:\d+: the environment variable OPENAI_API_KEY is not set \(upstreams\[0\]\.keys\[0\]\.secret\)\n$/);
    const applied = await runScript('apply', [file], { OPENAI_API_KEY: SECRET });
    expect({ code: applied.end?.code, stderr: applied.stderr }).toEqual({ code: 0, stderr: '' });
    expect(await readModels()).toEqual(['gpt']);
  });
});
