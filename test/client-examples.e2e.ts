import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createTestDatabase, type TestDatabase } from './support/postgres';
import { Program } from './support/program';
import { type Example, readExamples } from './support/read-examples';
import { waitFor } from './support/wait-for';
import { Weir } from './support/weir';

/** One that has the packages of the examples: they come from PyPI, and a suite of npm's has none. */
const PYTHON = process.env.WEIR_TEST_PYTHON;
const PYTHON_PACKAGES = 'openai, anthropic, google-genai, langchain-openai';
const README = readExamples('README.md');
const GUIDE = readExamples('docs/deployment.md');
const CLIENTS = readExamples('docs/client-examples.md');
/** Every example is called with the key that the first of them makes by curl. */
const withCurl = spawnSync('curl', ['--version']).status === 0 ? describe : describe.skip;

let database: TestDatabase;
let weir: Weir;
let folder: string;
let key: string;

beforeAll(async () => {
  database = await createTestDatabase();
  weir = await Weir.start({ databaseUrl: database.url });
  folder = await mkdtemp(join(tmpdir(), 'weir-test-examples-'));
  await symlink(resolve('node_modules'), join(folder, 'node_modules'));
});
afterAll(async () => {
  await weir.stop();
  await database.drop();
  await rm(folder, { recursive: true, force: true });
});

/** What a reader puts in: addresses and keys. */
const fillIn = (code: string): string =>
  code
    .replaceAll('http://127.0.0.1:8081', weir.adminUrl)
    .replaceAll(/http:\/\/localhost:8080|https:\/\/weir\.example\.com/g, weir.url)
    .replaceAll('sk-weir-admin-…', weir.adminKey)
    .replaceAll('sk-weir-…', key);

function findExample(examples: readonly Example[], heading: string, text: string): Example {
  const found = examples.find((example) => example.heading === heading && example.code.includes(text));
  if (found === undefined) throw new Error(`there is no example with ${text} under ${heading}`);
  return found;
}

async function run(command: string, ...args: readonly string[]): Promise<string> {
  const { end, output, stdout } = await Program.run(command, args, { environment: { WEIR_URL: `${weir.url}/v1`, WEIR_KEY: key }, cwd: folder });
  if (end?.code !== 0) throw new Error(`${command} ${args.join(' ')}\n${output}`);
  return stdout;
}

/** As a reader does it: command after command, with the id that each answer shows put into the next one. */
async function followAdmin({ code }: Example): Promise<Record<string, string>> {
  const [settings, ...commands] = fillIn(code).split('\n').filter((line) => /^(export|curl) /.test(line));
  let answer: Record<string, string> = {};
  for (const command of commands) {
    answer = JSON.parse(await run('sh', '-c', `${settings}\n${command.replace('<id of the answer>', answer.id)}`));
    expect(answer).not.toHaveProperty('error');
  }
  return answer;
}

withCurl('the first call of the deployment guide', () => {
  it('makes a model and a key, and streams word by word', async () => {
    ({ key } = await followAdmin(findExample(GUIDE, 'The first call', 'admin/keys')));
    const { code } = findExample(GUIDE, 'The first call', 'curl -N');
    const text = await waitFor(async () => {
      const answer = await run('sh', '-c', fillIn(code));
      return answer.includes('data: [DONE]') ? answer : null;
    });
    const events = text.split('\n\n').filter((event) => event.startsWith('data: {'));
    const words: string[] = events.flatMap((event) => JSON.parse(event.slice('data: '.length)).choices[0]?.delta?.content ?? []);
    expect(words.length).toBeGreaterThan(1);
    expect(words.join('')).toBe('Hello through HTTPS!');
  });
});

/** Those that call something, each with what it imports for its name. */
function toCases(language: string): [string, Example][] {
  const examples = [...README, ...CLIENTS].filter((example) => example.language === language && example.code.includes('WEIR_KEY'));
  return examples.map((example) => [`${example.heading}, ${toPackages(example).join(' and ')}`, example]);
}

const toPackages = ({ code }: Example): string[] => [...code.matchAll(/^import .* from '([^']+)'|^from (\w+) import/gm)].map(([, ofNode, ofPython]) => ofNode ?? ofPython);

async function expectEcho(command: string, file: string, { code }: Example): Promise<void> {
  const path = join(folder, file);
  await writeFile(path, fillIn(code));
  const text = await run(command, path);
  // A stream in the raw has the word in pieces.
  expect(text).toMatch(/Hello|"content":"Hell"/);
  expect(text).not.toContain('"error"');
}

withCurl('the examples for callers, as they stand in the documents', () => {
  it.each([
    ['README', findExample(README, 'A first call', 'curl')],
    ['docs/client-examples.md', findExample(CLIENTS, 'curl', 'curl')],
  ])('curl of %s', (_document, example) => expectEcho('sh', 'example.sh', example));

  const isInNode = (example: Example): boolean => toPackages(example).every((name) => existsSync(join('node_modules', name)));
  it.each(toCases('js').filter(([, example]) => isInNode(example)))('Node: %s', (_name, example) => expectEcho(process.execPath, 'example.mjs', example));

  const python = toCases('python');
  if (PYTHON === undefined) it(`Python was left out: set WEIR_TEST_PYTHON to one with ${PYTHON_PACKAGES}`, () => expect(PYTHON).toBeUndefined());
  else it.each(python)('Python: %s', (_name, example) => expectEcho(PYTHON, 'example.py', example));

  const withPython = spawnSync('python3', ['--version']).status === 0 ? it : it.skip;
  withPython('Python: every example is Python', async () => {
    await Promise.all(python.map(([, { code }], index) => writeFile(join(folder, `parsed-${index}.py`), code)));
    expect(await run('python3', '-c', "import ast, glob; print(len([ast.parse(open(path).read()) for path in glob.glob('parsed-*.py')]))")).toBe(`${python.length}\n`);
  });
});
