import { toDifferenceText } from './difference';
import { toChange, toCreation } from './to-change';

describe('toChange', () => {
  class Limits {
    rpm = 1;
  }

  it('finds what differs of what is wanted, and leaves what is not', () => {
    expect(toChange({ name: 'a', weight: 100, timeout_ms: null, untold: 1 }, { name: 'a', weight: 50, timeout_ms: undefined })).toEqual({
      fields: { weight: 50 },
      changes: { weight: { old: 100, new: 50 } },
    });
  });

  it('takes objects of a class for what is in them', () => {
    expect(toChange({ limits: { rpm: 1 } }, { limits: new Limits() }).changes).toEqual({});
    expect(toChange({ limits: [{ rpm: 1 }] }, { limits: [Object.assign(new Limits(), { tpm: undefined })] }).changes).toEqual({});
    expect(toChange({ limits: { rpm: 2 } }, { limits: new Limits() }).changes).toEqual({ limits: { old: { rpm: 2 }, new: { rpm: 1 } } });
  });

  it('takes a field that is not there for null', () => {
    expect(toChange({}, { price: null }).changes).toEqual({});
    expect(toChange({ price: { a: 1 } }, { price: null }).fields).toEqual({ price: null });
  });

  it('shows of a new thing what was given', () => {
    expect(toCreation({ name: 'a', weight: 1, price: null, limits: undefined })).toEqual({ weight: { old: null, new: 1 } });
  });
});

describe('toDifferenceText', () => {
  it('shows what is made, changed, deleted and kept', () => {
    const text = toDifferenceText({
      differences: [
        { action: 'create', kind: 'upstream', name: 'openai', changes: { weight: { old: null, new: 5 } } },
        { action: 'create', kind: 'upstream key', name: 'openai / main', changes: { secret: { old: null, new: null } } },
        { action: 'update', kind: 'upstream key', name: 'azure / main', changes: { secret: { old: null, new: null } } },
        { action: 'update', kind: 'model', name: 'm', changes: { price: { old: null, new: { per_request_usd: 1 } } } },
        { action: 'delete', kind: 'model', name: 'old', changes: {} },
      ],
      kept: [{ kind: 'organization', name: 'Acme', reason: 'it holds keys' }],
    });
    expect(text).toBe(
      [
        '+ upstream openai',
        '    weight: 5',
        '+ upstream key openai / main',
        '    secret: given',
        '~ upstream key azure / main',
        '    secret: changed',
        '~ model m',
        '    price: null → {"per_request_usd":1}',
        '- model old',
        '! organization Acme stays: it holds keys',
        '2 to make, 2 to change, 1 to delete.',
        '',
      ].join('\n'),
    );
  });

  it('says when there is nothing', () => {
    expect(toDifferenceText({ differences: [], kept: [] })).toBe('Nothing to change.\n');
  });

  it('forges no line and shows no key that somebody put into another field', () => {
    const changes = { base_url: { old: 'a\n+ model forged', new: 'https://x/?key=sk-canary-0123456789' } };
    const text = toDifferenceText({ differences: [{ action: 'update', kind: 'upstream', name: 'a\nb', changes }], kept: [] });
    expect(text.split('\n')).toHaveLength(4);
    expect(text).not.toContain('canary');
  });
});
