import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestDatabase, type TestDatabase } from '../test/support/postgres';
import { apply, DIFFERS } from './apply';
import { FAILED, SUCCEEDED, toExitCode, WRONG_USAGE } from './run-script';

const FILE = 'upstreams:\n- name: openai\n  provider: openai\n  base_url: https://api.openai.com/v1\n  keys: [{secret: "${KEY}"}]\n';

let database: TestDatabase;
let folder: string;
let file: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'weir-script-'));
  file = join(folder, 'weir.yaml');
  writeFileSync(file, FILE);
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
  const code = await toExitCode('apply', apply, {
    args,
    environment: { WEIR_DATA_DIR: folder, DATABASE_URL: database.url, ENCRYPTION_KEY: 'ab'.repeat(32), KEY: 'sk-canary-1', ...environment },
    print: (text) => (printed += text),
    tell: (text) => (told += text),
  });
  expect(printed + told).not.toContain('canary');
  return { code, printed, told };
}

describe('apply', () => {
  it('shows the difference, applies it, and then finds nothing to change', async () => {
    const difference = '+ upstream openai\n    provider: openai\n    base_url: https://api.openai.com/v1\n+ upstream key openai / KEY\n    secret: given\n2 to make, 0 to change, 0 to delete.\n';
    expect(await run([file, '--dry-run'])).toEqual({ code: SUCCEEDED, printed: `${difference}Nothing was changed: this is what apply would do.\n`, told: '' });
    expect(await database.query('SELECT 1 FROM upstreams')).toEqual([]);
    expect(await run([file])).toEqual({ code: SUCCEEDED, printed: `${difference}Applied.\n`, told: '' });
    expect(await run([file])).toEqual({ code: SUCCEEDED, printed: 'Nothing to change.\n', told: '' });
  });

  it('tells a difference by its exit code when asked', async () => {
    expect((await run([file, '--dry-run', '--fail-on-difference'])).code).toBe(DIFFERS);
    await run([file]);
    expect((await run([file, '--dry-run', '--fail-on-difference'])).code).toBe(SUCCEEDED);
  });

  it('deletes what the file does not name any more only when asked', async () => {
    await run([file]);
    writeFileSync(file, '');
    expect((await run([file])).printed).toBe('Nothing to change.\n');
    expect((await run([file, '--prune'])).printed).toBe('- upstream openai\n0 to make, 0 to change, 1 to delete.\nApplied.\n');
  });

  it.each([[[]], [['a', 'b']], [['weir.yaml', '--force']], [['weir.yaml', '--fail-on-difference']], [['']]])('says how it is used, for %j', async (args) => {
    const { code, told } = await run(args);
    expect(code).toBe(WRONG_USAGE);
    expect(told).toContain('usage: apply <weir.yaml>');
  });

  it.each<[string, string, NodeJS.ProcessEnv, RegExp]>([
    ['a variable that is not set', FILE, { KEY: '' }, /^apply: weir\.yaml:5:19: the environment variable KEY is not set \(upstreams\[0\]\.keys\[0\]\.secret\)\n$/],
    ['a field that is not known', `${FILE}  keyz: []\n`, {}, /^apply: weir\.yaml:6:3: the field upstreams\[0\]\.keyz is not known\n$/],
    ['a provider’s key that is none', FILE, { KEY: 'sk-canary\n' }, /^apply: weir\.yaml:5:11 \(upstreams\[0\]\.keys\[0\]\.secret\): [^\n]+\n$/],
    ['a file that is no text', '\u0000', {}, /^apply: weir\.yaml:1:1: [^\n]+\n$/],
  ])('refuses %s with one line that names the place', async (_what, text, environment, message) => {
    writeFileSync(file, text);
    const { code, printed, told } = await run([file], environment);
    expect({ code, printed }).toEqual({ code: FAILED, printed: '' });
    expect(told).toMatch(message);
  });

  it('refuses a file that is not there, and a folder', async () => {
    expect((await run([join(folder, 'gone.yaml')])).told).toBe(`apply: there is no file ${join(folder, 'gone.yaml')}\n`);
    expect((await run([folder])).told).toMatch(/^apply: [^\n]+cannot be read \(EISDIR\)\n$/);
  });
});
