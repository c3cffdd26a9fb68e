import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { importLitellm } from './import_litellm';
import { FAILED, SUCCEEDED, toExitCode, WRONG_USAGE } from './run-script';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'weir-litellm-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

async function run(text: string | null): Promise<{ code: number; printed: string; told: string }> {
  const path = join(folder, 'config.yaml');
  if (text !== null) writeFileSync(path, text);
  let printed = '';
  let told = '';
  const input = { environment: {}, print: (line: string) => void (printed += line), tell: (line: string) => void (told += line) };
  const code = await toExitCode('import_litellm', importLitellm, { ...input, args: [path] });
  return { code, printed, told };
}

describe('import_litellm', () => {
  it('prints weir.yaml, and names what has to be set', async () => {
    const { code, printed, told } = await run('model_list: [{model_name: m, litellm_params: {model: openai/m, api_key: sk-canary-1}}]');
    expect(code).toBe(SUCCEEDED);
    expect(printed).toContain('- secret: ${OPENAI_API_KEY}');
    expect(told).toBe('Set these variables to the keys that are written out in config.yaml: OPENAI_API_KEY\n');
    expect(printed + told).not.toContain('canary');
  });

  it.each([
    ['what is no YAML', 'a: [', /^import_litellm: config\.yaml:1:\d+: [^\n]+\n$/],
    ['another configuration', 'model_list: sk-canary', /^import_litellm: config\.yaml: is no configuration of LiteLLM \(model_list\)\n$/],
    ['a file that is not there', null, /^import_litellm: there is no file [^\n]+\n$/],
  ])('refuses %s with one line', async (_what, text, message) => {
    const { code, printed, told } = await run(text);
    expect({ code, printed }).toEqual({ code: FAILED, printed: '' });
    expect(told).toMatch(message);
    expect(told).not.toContain('canary');
  });

  it.each([[[]], [['a', 'b']], [['--help']]])('says how it is used, for %j', async (args) => {
    let told = '';
    const code = await toExitCode('import_litellm', importLitellm, { args, environment: {}, print: () => undefined, tell: (text) => (told += text) });
    expect(code).toBe(WRONG_USAGE);
    expect(told).toContain('usage: import_litellm <config.yaml>');
  });
});
