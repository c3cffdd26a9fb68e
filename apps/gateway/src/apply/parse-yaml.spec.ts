import { ConfigurationError } from '@weir/platform';
import { parseForeignYaml, parseYaml } from './parse-yaml';
import { LARGEST_FILE_BYTES, toText } from './read-file-text';

function messageOf(text: string, environment: NodeJS.ProcessEnv = {}): string {
  return faultOf(() => parseYaml(text, 'weir.yaml', environment));
}

function faultOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message;
    throw error;
  }
  return 'accepted';
}

describe('parseYaml', () => {
  it('reads what JSON has', () => {
    const { value } = parseYaml('a: 1\nb: [x, "y", 1.5, true, null]\nc: {d: yes}\n', 'weir.yaml', {});
    expect(value).toEqual({ a: 1, b: ['x', 'y', 1.5, true, null], c: { d: 'yes' } });
  });

  it('puts references in the place of texts, not of names', () => {
    const source = parseYaml('${A}: x\nb: ${A}\nc: "a ${A} b"\nd: [ "${A}" ]\ne: ${N}', 'weir.yaml', { A: 'va\nl: "', N: '5' });
    expect(source.value).toEqual({ '${A}': 'x', b: 'va\nl: "', c: 'a va\nl: " b', d: ['va\nl: "'], e: '5' });
    expect(source.findVariable(['b'])).toBe('A');
    expect(source.findVariable(['c'])).toBeNull();
  });

  it('knows where everything stands, and the nearest thing around what is not there', () => {
    const source = parseYaml('a:\n  - b: 1\n    c: 2\n', 'weir.yaml', {});
    expect(source.locate(['a', 0, 'c'])).toBe('weir.yaml:3:5');
    expect(source.locate(['a', 0, 'gone'])).toBe('weir.yaml:2:5');
    expect(source.locate(['gone'])).toBe('weir.yaml:1:1');
    expect(source.locate([])).toBe('weir.yaml:1:1');
  });

  it('follows aliases', () => {
    expect(parseYaml('a: &x {b: [1]}\nc: *x\n', 'weir.yaml', {}).value).toEqual({ a: { b: [1] }, c: { b: [1] } });
  });

  it.each([
    ['a name that is there twice', 'a: 1\nb: 2\na: 3', 'weir.yaml:3:1: this field is there twice'],
    ['a tab', 'a:\n\t- b', 'weir.yaml:2:1: tabs cannot indent'],
    ['what is not closed', 'a: [1, 2', 'weir.yaml:1:9: the indentation is not right, or a [ or { is not closed'],
    ['two documents', 'a: 1\n---\nb: 1', 'weir.yaml:2:1: the file holds more than one document'],
    ['a reference that YAML takes for a map', 'a: [{b: ${X}}]', 'needs quotes'],
    ['an alias without an anchor', 'a: *nope', 'weir.yaml:1:4: there is no anchor of this name'],
    ['a tag', 'a: !!str 1', 'weir.yaml:1:10: tags are not understood here'],
    ['an unknown tag', 'a: !secret x', 'tags and directives are not understood here'],
    ['a binary', 'a: !!binary aGk=', 'tags are not understood here'],
    ['a name that is a list', '? [a]\n: b', 'the name of a field must be a text'],
    ['__proto__', 'a: 1\n__proto__: {b: 1}', 'weir.yaml:2:1: the field __proto__ is not known'],
    ['nesting', `a: ${'['.repeat(40)}${']'.repeat(40)}`, 'nested too deeply'],
    ['nesting without an end', `a: ${'['.repeat(100_000)}`, 'nested too deeply'],
    ['an alias of itself', 'a: &x [*x]', 'this is nested too deeply'],
    ['a variable that is not set', 'a:\n  b: ${GONE}', 'weir.yaml:2:6: the environment variable GONE is not set (a.b)'],
  ])('refuses %s', (_what, text, message) => {
    expect(messageOf(text)).toContain(message);
  });

  it('refuses aliases that stand for more than any file holds', () => {
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
    for (let level = 1; level < 9; level += 1) lines.push(`a${level}: &a${level} [${`*a${level - 1}, `.repeat(9)}*a${level - 1}]`);
    expect(messageOf(lines.join('\n'))).toContain('stands for more than 50000 values');
  });

  it('quotes nothing of what is written', () => {
    for (const text of ['a: "sk-canary', 'a: sk-canary: b', 'a: [sk-canary}', 'k: sk-canary\nk: sk-canary', 'a: !x sk-canary', '"sk-canary\\q": 1', '@sk-canary']) {
      const message = messageOf(text);
      expect(message).toMatch(/^weir\.yaml:\d+:\d+: /);
      expect(message).not.toContain('canary');
    }
  });
});

describe('parseForeignYaml', () => {
  it('reads merge keys, and takes a reference for text', () => {
    expect(parseForeignYaml('one: &x {a: 1}\ntwo: {<<: *x, b: "${HOME}"}', 'c.yaml')).toEqual({ one: { a: 1 }, two: { a: 1, b: '${HOME}' } });
  });

  it.each([
    ['a: [', /^c\.yaml:1:\d+: /],
    [`a: ${'['.repeat(100_000)}`, /^c\.yaml/],
    [['a: &a [x,x,x,x,x,x,x,x,x,x]', ...'bcdefghi'.split('').map((name, index) => `${name}: &${name} [${Array(10).fill(`*${'abcdefgh'[index]}`).join(',')}]`)].join('\n'), /too many aliases/],
  ])('refuses %#', (text, message) => {
    expect(faultOf(() => parseForeignYaml(text, 'c.yaml'))).toMatch(message);
  });
});

describe('toText', () => {
  it('refuses what is no UTF-8, and what is too large', () => {
    expect(faultOf(() => toText(Buffer.from([0x61, 0xff]), 'weir.yaml'))).toBe('weir.yaml: is not valid UTF-8');
    expect(faultOf(() => toText(Buffer.alloc(LARGEST_FILE_BYTES + 1, 'a'), 'weir.yaml'))).toBe('weir.yaml: is larger than 1 MB');
    expect(toText(Buffer.from('\ufeffa: ä'), 'weir.yaml')).toBe('a: ä');
  });
});
