import { WeirError } from '@weir/kernel';
import { mayUseModel, parseAllowedModels } from './model-allow-list';

describe('mayUseModel', () => {
  const caller = { models: new Set(['gpt-4o', 'openai/*', 'claude-*']) };

  it.each([
    ['gpt-4o', true],
    ['gpt-4o-mini', false],
    ['gpt-4', false],
    ['openai/gpt-5', true],
    ['openai/', true],
    ['openai', false],
    ['claude-3', true],
    ['GPT-4o', false],
    ['', false],
    ['*', false],
    ['toString', false],
    ['__proto__', false],
  ])('for the model %j says %s', (model, allowed) => {
    expect(mayUseModel(caller, model)).toBe(allowed);
  });

  it('allows every model without a list, and with the entry "*"', () => {
    expect(mayUseModel({ models: null }, 'anything')).toBe(true);
    expect(mayUseModel({ models: new Set(['*']) }, 'anything')).toBe(true);
  });

  it('allows none with an empty set', () => {
    expect(mayUseModel({ models: new Set() }, 'gpt-4o')).toBe(false);
  });
});

describe('parseAllowedModels', () => {
  it('takes names and prefixes, each once', () => {
    expect(parseAllowedModels(['gpt-4o', 'openai/*', '*', 'gpt-4o'])).toEqual(['gpt-4o', 'openai/*', '*']);
  });

  it.each([
    ['a star inside', ['gpt-*-mini']],
    ['two stars', ['gpt-**']],
    ['an empty name', ['']],
    ['a space', ['gpt 4']],
    ['a line break', ['gpt\n']],
    ['NUL', ['gpt\0']],
    ['a number', [4]],
    ['a name too long', ['a'.repeat(257)]],
    ['no list', 'gpt-4o'],
    ['too many', Array.from({ length: 1001 }, (_, index) => `m${index}`)],
  ])('refuses %s', (_what, value) => {
    expect(() => parseAllowedModels(value)).toThrow(WeirError);
  });

  it('names the entry at fault', () => {
    expect(() => parseAllowedModels(['fine', 'not fine'])).toThrow(expect.objectContaining({ code: 'invalid_request', param: 'models[1]' }));
  });
});
