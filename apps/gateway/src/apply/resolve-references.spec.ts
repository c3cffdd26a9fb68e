import { escapeReferences, findReferencedVariable, resolveReferences } from './resolve-references';

const ENVIRONMENT = { KEY: 'sk-1', EMPTY: '', NESTED: '${KEY}', YAML: '"]: {' };

describe('resolveReferences', () => {
  it.each([
    ['no reference', 'no reference'],
    ['${KEY}', 'sk-1'],
    ['a${KEY}b${KEY}', 'ask-1bsk-1'],
    ['${KEY:-other}', 'sk-1'],
    ['${GONE:-other}', 'other'],
    ['${GONE:-}', ''],
    ['${EMPTY:-other}', 'other'],
    ['${GONE:-a:-b}', 'a:-b'],
    ['$${KEY}', '${KEY}'],
    ['$$${KEY}', '$${KEY}'],
    ['$KEY and $ and $$', '$KEY and $ and $$'],
    ['${NESTED}', '${KEY}'],
    ['${YAML}', '"]: {'],
  ])('makes of %s: %s', (text, expected) => {
    expect(resolveReferences(text, ENVIRONMENT)).toEqual({ text: expected });
  });

  it.each([
    ['${GONE}', 'the environment variable GONE is not set'],
    ['${EMPTY}', 'the environment variable EMPTY is not set'],
    ['${KEY', 'a reference reads'],
    ['${}', 'a reference reads'],
    ['${a b}', 'a reference reads'],
    ['${1X}', 'a reference reads'],
    ['${KEY:=x}', 'a reference reads'],
  ])('refuses %s', (text, fault) => {
    expect(resolveReferences(text, ENVIRONMENT)).toEqual({ fault: expect.stringContaining(fault) });
  });

  it('writes a text so that it stands for itself', () => {
    for (const text of ['${KEY}', '$${KEY}', 'plain', '${']) expect(resolveReferences(escapeReferences(text), ENVIRONMENT)).toEqual({ text });
  });

  it('tells which variable a text is, if it is only that', () => {
    expect(findReferencedVariable('${KEY}')).toBe('KEY');
    expect(findReferencedVariable('${KEY:-x}')).toBe('KEY');
    expect(findReferencedVariable('x${KEY}')).toBeNull();
    expect(findReferencedVariable('$${KEY}')).toBeNull();
  });
});
