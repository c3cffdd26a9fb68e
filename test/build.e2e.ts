import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

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
});
