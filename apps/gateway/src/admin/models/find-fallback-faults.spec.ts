import { findFallbackFaults } from './find-fallback-faults';
import { matchModelName } from './match-model-name';

describe('findFallbackFaults', () => {
  it.each<[string, Record<string, string[]>, string[]]>([
    ['names of models that are there', { a: ['b', 'c'], b: ['c'], c: [] }, []],
    ['a name that no model has', { a: ['b', 'x'], b: [] }, ['a[1] unknown']],
    ['the model itself', { a: ['a'] }, ['a[0] cycle']],
    ['a way back over others, on each of them', { a: ['b'], b: ['c'], c: ['a'] }, ['a[0] cycle', 'b[0] cycle', 'c[0] cycle']],
    ['somebody else’s cycle only there', { a: ['b'], b: ['c'], c: ['b'] }, ['b[0] cycle', 'c[0] cycle']],
    ['a name that a wildcard serves', { a: ['v/x'], 'v/*': [] }, []],
    ['a wildcard’s way back to itself', { 'v/*': ['v/x'] }, ['v/*[0] cycle']],
    ['an exact model beside its wildcard', { 'v/*': ['v/x'], 'v/x': [] }, []],
    ['a wildcard itself', { a: ['v/*'], 'v/*': [] }, ['a[0] unknown']],
    ['another operation', { a: ['other'], other: [] }, ['a[0] operation']],
    ['two ways to the same model', { a: ['b', 'c'], b: ['d'], c: ['d'], d: [] }, []],
  ])('judges %s', (_name, named, expected) => {
    const models = Object.entries(named).map(([name, fallbacks]) => ({ name, fallbacks, operation: name === 'other' ? 'embeddings' : 'chat' }));
    expect(findFallbackFaults(models).map(({ model, index, kind }) => `${model}[${index}] ${kind}`)).toEqual(expected);
  });
});

describe('matchModelName', () => {
  const models = new Map(['*', 'v/*', 'v/x*', 'v/x1'].map((name) => [name, null]));

  it.each([
    ['v/x1', 'v/x1'],
    ['v/x12', 'v/x*'],
    ['v/x', 'v/*'],
    ['v/', '*'],
    ['other', '*'],
    ['', null],
  ])('finds for %p the model %p, as the pool does', (name, expected) => {
    expect(matchModelName(name, models)).toBe(expected);
  });
});
