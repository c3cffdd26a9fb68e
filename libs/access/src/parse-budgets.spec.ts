import { type Budget } from '@weir/kernel';
import { parseBudgets, readStoredBudgets, resetBudget, toStoredBudgets } from './parse-budgets';

const DAY: Budget = { amountNanos: 1_000_000_000, period: 'day', model: null, alerts: [80, 100], resetAtMs: null };

const parse = (value: unknown, before: unknown = []) => parseBudgets(value, before);

describe('parseBudgets', () => {
  it.each<[what: string, value: unknown, budgets: readonly Budget[]]>([
    ['null, which is none', null, []],
    ['an empty list', [], []],
    ['an amount and a period', [{ amount_usd: 1, period: 'day' }], [DAY]],
    ['decimal text', [{ amount_usd: '0.000000001', period: 'total' }], [{ ...DAY, period: 'total', amountNanos: 1 }]],
    ['zero: nothing may be spent', [{ amount_usd: 0, period: 'day' }], [{ ...DAY, amountNanos: 0 }]],
    ['a model', [{ amount_usd: 1, period: 'day', model: 'vendor/gpt-5' }], [{ ...DAY, model: 'vendor/gpt-5' }]],
    ['null for what may be left out', [{ amount_usd: 1, period: 'day', model: null, alerts: null }], [DAY]],
    ['alerts in any order, said twice', [{ amount_usd: 1, period: 'day', alerts: [100, 1, 50, 1] }], [{ ...DAY, alerts: [1, 50, 100] }]],
    ['no alerts', [{ amount_usd: 1, period: 'day', alerts: [] }], [{ ...DAY, alerts: [] }]],
    [
      'one period for several models',
      [{ amount_usd: 1, period: 'day' }, { amount_usd: 1, period: 'day', model: 'a' }, { amount_usd: 1, period: 'day', model: 'A' }],
      [DAY, { ...DAY, model: 'a' }, { ...DAY, model: 'A' }],
    ],
  ])('takes %s', (_what, value, budgets) => {
    expect(parse(value)).toEqual(budgets);
  });

  it.each<[what: string, value: unknown, param: string]>([
    ['no list', {}, 'budgets'],
    ['text', 'none', 'budgets'],
    ['too many', Array.from({ length: 21 }, (_, index) => ({ amount_usd: 1, period: 'day', model: `m${index}` })), 'budgets'],
    ['an entry that is no object', [5], 'budgets[0]'],
    ['null for an entry', [null], 'budgets[0]'],
    ['a list for an entry', [[]], 'budgets[0]'],
    ['an unknown field', [{ amount_usd: 1, period: 'day', reset_at: null }], 'budgets[0]'],
    ['no amount', [{ period: 'day' }], 'budgets[0].amount_usd'],
    ['a negative amount', [{ amount_usd: 1, period: 'day' }, { amount_usd: -1, period: 'week' }], 'budgets[1].amount_usd'],
    ['more than four million', [{ amount_usd: '4000000.000000001', period: 'day' }], 'budgets[0].amount_usd'],
    ['a tenth decimal', [{ amount_usd: '0.0000000001', period: 'day' }], 'budgets[0].amount_usd'],
    ['an unknown period', [{ amount_usd: 1, period: 'year' }], 'budgets[0].period'],
    ['no period', [{ amount_usd: 1 }], 'budgets[0].period'],
    ['a period of the prototype', [{ amount_usd: 1, period: 'constructor' }], 'budgets[0].period'],
    ['a pattern for a model', [{ amount_usd: 1, period: 'day', model: 'gpt-*' }], 'budgets[0].model'],
    ['an empty model', [{ amount_usd: 1, period: 'day', model: '' }], 'budgets[0].model'],
    ['a line break in a model', [{ amount_usd: 1, period: 'day', model: 'a\nb' }], 'budgets[0].model'],
    ['half a character in a model', [{ amount_usd: 1, period: 'day', model: 'a\ud800' }], 'budgets[0].model'],
    ['a model that is too long', [{ amount_usd: 1, period: 'day', model: 'm'.repeat(257) }], 'budgets[0].model'],
    ['an alert of 0', [{ amount_usd: 1, period: 'day', alerts: [0] }], 'budgets[0].alerts'],
    ['an alert of 101', [{ amount_usd: 1, period: 'day', alerts: [101] }], 'budgets[0].alerts'],
    ['an alert with a fraction', [{ amount_usd: 1, period: 'day', alerts: [99.5] }], 'budgets[0].alerts'],
    ['an alert as text', [{ amount_usd: 1, period: 'day', alerts: ['80'] }], 'budgets[0].alerts'],
    ['one alert without a list', [{ amount_usd: 1, period: 'day', alerts: 80 }], 'budgets[0].alerts'],
    ['the same period twice', [{ amount_usd: 1, period: 'day' }, { amount_usd: 2, period: 'day', model: null }], 'budgets[1]'],
    ['the same period and model twice', [{ amount_usd: 1, period: 'day', model: 'm' }, { amount_usd: 2, period: 'day', model: 'm' }], 'budgets[1]'],
  ])('refuses %s and names the field', (_what, value, param) => {
    expect(() => parse(value)).toThrow(expect.objectContaining({ code: 'invalid_request', param }));
  });

  it('keeps the reset of a budget with the same period and model, whatever its amount', () => {
    const before = toStoredBudgets([{ ...DAY, resetAtMs: 5 }, { ...DAY, model: 'm', resetAtMs: 6 }, { ...DAY, period: 'week', resetAtMs: 7 }]);
    expect(parse([{ amount_usd: 9, period: 'day' }, { amount_usd: 9, period: 'week', model: 'm' }, { amount_usd: 9, period: 'day', model: 'm' }], before)).toMatchObject([
      { period: 'day', model: null, resetAtMs: 5 },
      { period: 'week', model: 'm', resetAtMs: null },
      { period: 'day', model: 'm', resetAtMs: 6 },
    ]);
  });
});

describe('stored budgets', () => {
  it('read back as they were written', () => {
    const budgets = [{ ...DAY, amountNanos: 4_000_000_000_000_000 }, { ...DAY, model: 'm', resetAtMs: 0 }, { ...DAY, period: 'total' as const, amountNanos: 0, alerts: [] }];
    expect(readStoredBudgets(JSON.parse(JSON.stringify(toStoredBudgets(budgets))))).toEqual(budgets);
  });

  it.each([
    [undefined],
    [null],
    ['[]'],
    [{}],
    [[{ amount_nanos: 1, alerts: [] }]],
    [[{ amount_nanos: 1, period: 'year', alerts: [] }]],
    [[{ amount_nanos: 4_000_000_000_000_001, period: 'day', alerts: [] }]],
    [[{ amount_usd: 1, period: 'day', alerts: [] }]],
    [[{ amount_nanos: 1, period: 'day' }]],
    [[{ amount_nanos: 1, period: 'day', alerts: [], model: '' }]],
  ])('are never taken for none when they cannot be read: %j', (value) => {
    expect(() => readStoredBudgets(value)).toThrow(/^budgets/);
  });
});

describe('resetBudget', () => {
  it('moves one budget and no other', () => {
    const budgets = [DAY, { ...DAY, model: 'm' }];
    expect(resetBudget(budgets, { period: 'day', model: 'm' }, 9)).toEqual([DAY, { ...DAY, model: 'm', resetAtMs: 9 }]);
    expect(budgets[1].resetAtMs).toBeNull();
    expect(() => resetBudget(budgets, { period: 'week', model: null }, 9)).toThrow(expect.objectContaining({ code: 'not_found' }));
  });
});
