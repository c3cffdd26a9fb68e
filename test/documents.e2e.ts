import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { loadConfiguration } from '@weir/platform';
import { parse as parseYaml } from 'yaml';

const ROOT = resolve(__dirname, '..');
const NOT_OURS: ReadonlySet<string> = new Set(['node_modules', 'dist', 'coverage']);
/** Read of the machine, not set by an operator. */
const OF_THE_MACHINE: ReadonlySet<string> = new Set(['PATH', 'SYSTEMROOT']);

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

function findFiles(folder: string, isWanted: (name: string) => boolean): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name.startsWith('.') || NOT_OURS.has(entry.name) ? [] : findFiles(path, isWanted);
    return isWanted(entry.name) ? [path] : [];
  });
}

/** Every variable that the code reads: the configuration's schema, and what is taken from the environment by name. */
function findVariables(): Set<string> {
  const schema = /const VARIABLES = z\.object\(\{([\s\S]*?)\n\}\);/.exec(read('libs/platform/src/configuration.ts'))?.[1] ?? '';
  const names = new Set([...schema.matchAll(/^ {2}([A-Z][A-Z0-9_]*):/gm)].map(([, name]) => name));
  const traces = /TRACE_VARIABLES = \[([\s\S]*?)\n\]/.exec(read('libs/platform/src/traces/trace-configuration.ts'))?.[1] ?? '';
  for (const [, name] of traces.matchAll(/'([A-Z0-9_]+)'/g)) names.add(name);
  const sources = ['apps', 'libs', 'scripts'].flatMap((folder) => findFiles(folder, (name) => name.endsWith('.ts') && !name.endsWith('.spec.ts')));
  for (const path of sources) {
    const source = read(path);
    for (const [, name] of source.matchAll(/\b(?:environment|process\.env)\.([A-Z][A-Z0-9_]*)/g)) names.add(name);
    // Vendors of which nothing differs but the name: `${vendor.variable}_API_KEYS`.
    for (const [, vendor] of source.matchAll(/\bvariable: '([A-Z]+)'/g)) {
      for (const [, suffix] of source.matchAll(/`\$\{vendor\.variable\}(_[A-Z0-9_]+)`/g)) names.add(vendor + suffix);
    }
    for (const [, list] of source.matchAll(/\btoKeys\(environment,((?:\s*'[A-Z0-9_]+',?)+)\)/g)) {
      for (const [, name] of list.matchAll(/'([A-Z0-9_]+)'/g)) names.add(name);
    }
  }
  return new Set([...names].filter((name) => !OF_THE_MACHINE.has(name)));
}

/** The names in the cells of README's two tables of variables. */
function findTableVariables(): Set<string> {
  const section = /\n## Settings\n([\s\S]*?)\n## /.exec(read('README.md'))?.[1] ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('| `'));
  return new Set(rows.flatMap((row) => [...row.matchAll(/`([A-Z][A-Z0-9_]{2,})`/g)].map(([, name]) => name)));
}

/** `.env.example` with every variable uncommented. */
const uncommented = (): NodeJS.Dict<string> => parseEnv(read('.env.example').replace(/^# (?=[A-Z][A-Z0-9_]*=)/gm, ''));

/** What a heading is called in a link, as GitHub does it. */
function toAnchor(heading: string): string {
  return heading.replace(/[`*]/g, '').trim().toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '').replace(/\s/g, '-');
}

function findDeadLinks(path: string): string[] {
  const text = read(path).replace(/^```[\s\S]*?^```/gm, '');
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target).filter((target) => {
    if (/^[a-z]+:/.test(target)) return false;
    const [file, anchor] = target.split('#', 2);
    const full = file === '' ? join(ROOT, path) : resolve(ROOT, dirname(path), decodeURIComponent(file));
    if (!existsSync(full) || relative(ROOT, full).startsWith('..')) return true;
    if (anchor === undefined) return false;
    const headings = [...readFileSync(full, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, heading]) => toAnchor(heading));
    return !headings.includes(anchor);
  });
}

const DOCUMENTS = findFiles('.', (name) => name.endsWith('.md'));

describe('the documents', () => {
  it('name in README every variable that the code reads, and no other', () => {
    const variables = findVariables();
    // All ways of reading were understood, or the comparison would hold of two empty sets.
    expect([...variables]).toEqual(expect.arrayContaining(['DATABASE_URL', 'UPSTREAM_TYPE', 'OPENAI_API_KEYS', 'AZURE_API_KEY', 'GEMINI_BASE_URL', 'OTEL_TRACES_SAMPLER']));
    expect([...findTableVariables()].sort()).toEqual([...variables].sort());
  });

  it('name in .env.example every variable that the code reads, and no other, all commented out', () => {
    expect(parseEnv(read('.env.example'))).toEqual({});
    expect(Object.keys(uncommented()).sort()).toEqual([...findVariables()].sort());
  });

  it('show in .env.example the defaults that the code has', () => {
    expect(loadConfiguration(uncommented())).toEqual(loadConfiguration({}));
  });

  it.each(DOCUMENTS)('name in %s only npm scripts that exist', (path) => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = [...read(path).matchAll(/\bnpm (?:run (?:-s |--silent )?([\w:-]+)|(start|test)\b)/g)].map(([, run, short]) => run ?? short);
    expect(named.filter((name) => !Object.hasOwn(scripts, name))).toEqual([]);
  });

  it.each(DOCUMENTS)('have no dead link in %s', (path) => {
    expect(findDeadLinks(path)).toEqual([]);
  });

  it('are looked at: README, CONTRIBUTING, and those of docs', () => {
    expect(DOCUMENTS).toEqual(expect.arrayContaining(['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'docs/architecture.md', 'docs/pool.md']));
  });

  it('set in docker-compose.yml only variables that the code reads', () => {
    const compose = parseYaml(read('docker-compose.yml')) as { services: { weir: { environment: Record<string, string> } } };
    const set = Object.keys(compose.services.weir.environment);
    expect(set).toContain('ENCRYPTION_KEY');
    expect(set.filter((name) => !findVariables().has(name))).toEqual([]);
  });
});
