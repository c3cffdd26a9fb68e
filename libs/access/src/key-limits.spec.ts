import { parseKeyLimits, readStoredKeyLimits, toStoredKeyLimits } from './key-limits';

const DEFAULTS = { requestsPerMinute: null, requestsPerDay: null };

describe('limits of a key', () => {
  it.each([
    ['absent', undefined, DEFAULTS],
    ['null', null, DEFAULTS],
    ['empty', {}, DEFAULTS],
    ['null fields', { rpm: null, rpd: null }, DEFAULTS],
    ['zero, which is no limit', { rpm: 0 }, { requestsPerMinute: 0, requestsPerDay: null }],
    ['both', { rpm: 60, rpd: 1000 }, { requestsPerMinute: 60, requestsPerDay: 1000 }],
  ])('take %s', (_what, value, limits) => {
    expect(parseKeyLimits(value)).toEqual(limits);
  });

  it.each([
    ['a negative number', { rpm: -1 }, 'limits.rpm'],
    ['a fraction', { rpd: 1.5 }, 'limits.rpd'],
    ['text', { rpm: '60' }, 'limits.rpm'],
    ['NaN', { rpm: Number.NaN }, 'limits.rpm'],
    ['infinity', { rpm: Number.POSITIVE_INFINITY }, 'limits.rpm'],
    ['more than can be counted exactly', { rpm: 1e15 }, 'limits.rpm'],
    ['an unknown field', { rpm: 1, tpm: 5 }, 'limits'],
    ['a list', [60], 'limits'],
    ['a number', 60, 'limits'],
  ])('refuse %s and name the field', (_what, value, param) => {
    expect(() => parseKeyLimits(value)).toThrow(expect.objectContaining({ code: 'invalid_request', param }));
  });

  it('are written so that they read back the same', () => {
    const limits = { requestsPerMinute: 0, requestsPerDay: null };
    expect(toStoredKeyLimits(limits)).toEqual({ rpm: 0 });
    expect(readStoredKeyLimits(toStoredKeyLimits(limits))).toEqual(limits);
  });

  it('of a row that a newer version wrote are read as far as they are known', () => {
    expect(readStoredKeyLimits({ rpm: 5, tpm: 100 })).toEqual({ requestsPerMinute: 5, requestsPerDay: null });
  });

  it('of a row that holds nonsense are not taken for "no limit"', () => {
    expect(() => readStoredKeyLimits({ rpm: 'many' })).toThrow();
  });
});
