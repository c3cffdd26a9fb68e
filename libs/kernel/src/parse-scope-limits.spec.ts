import { parseScopeLimits, readStoredScopeLimits, toStoredScopeLimits } from './parse-scope-limits';
import { NO_LIMITS } from './scope-limits';

describe('limits of a scope', () => {
  it.each([
    ['absent', undefined, NO_LIMITS],
    ['null', null, NO_LIMITS],
    ['empty', {}, NO_LIMITS],
    ['null fields', { rpm: null, tpm: null, rpd: null, concurrency: null }, NO_LIMITS],
    ['zero, which is no limit', { rpm: 0 }, { ...NO_LIMITS, requestsPerMinute: 0 }],
    ['all', { rpm: 60, tpm: 90_000, rpd: 1000, concurrency: 8 }, { requestsPerMinute: 60, requestsPerDay: 1000, tokensPerMinute: 90_000, concurrency: 8 }],
    ['the largest', { tpm: 1_000_000_000 }, { ...NO_LIMITS, tokensPerMinute: 1_000_000_000 }],
  ])('take %s', (_what, value, limits) => {
    expect(parseScopeLimits(value)).toEqual(limits);
  });

  it.each([
    ['a negative number', { rpm: -1 }, 'limits.rpm'],
    ['a fraction', { rpd: 1.5 }, 'limits.rpd'],
    ['text', { tpm: '60' }, 'limits.tpm'],
    ['a list', { concurrency: [1] }, 'limits.concurrency'],
    ['NaN', { rpm: Number.NaN }, 'limits.rpm'],
    ['infinity', { rpm: Number.POSITIVE_INFINITY }, 'limits.rpm'],
    ['more than can be counted exactly', { tpm: 1e15 }, 'limits.tpm'],
    ['one more than the largest', { concurrency: 1_000_000_001 }, 'limits.concurrency'],
    ['an unknown field', { rpm: 1, tps: 5 }, 'limits'],
    ['a list of limits', [60], 'limits'],
    ['a number for all', 60, 'limits'],
  ])('refuse %s and name the field', (_what, value, param) => {
    expect(() => parseScopeLimits(value)).toThrow(expect.objectContaining({ code: 'invalid_request', param }));
  });

  it('are written so that they read back the same', () => {
    const limits = { requestsPerMinute: 0, requestsPerDay: null, tokensPerMinute: 5, concurrency: 2 };
    expect(toStoredScopeLimits(limits)).toEqual({ rpm: 0, tpm: 5, concurrency: 2 });
    expect(readStoredScopeLimits(toStoredScopeLimits(limits))).toEqual(limits);
    expect(toStoredScopeLimits(NO_LIMITS)).toEqual({});
  });

  it('of a row that a newer version wrote are read as far as they are known', () => {
    expect(readStoredScopeLimits({ rpm: 5, images_per_hour: 100 })).toEqual({ ...NO_LIMITS, requestsPerMinute: 5 });
  });

  it.each([{ rpm: 'many' }, { tpm: -1 }, { concurrency: {} }, [], 'none', 5])('of a row that holds nonsense are not taken for "no limit": %j', (value) => {
    expect(() => readStoredScopeLimits(value)).toThrow();
  });
});
