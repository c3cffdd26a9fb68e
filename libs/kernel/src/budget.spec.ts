import { toBudgetSpan } from './budget';

const at = (text: string): number => Date.parse(text);

describe('toBudgetSpan', () => {
  it.each([
    ['day', '2026-11-21T23:59:59.999Z', 'day:2026-11-21', '2026-11-21T00:00:00Z', '2026-11-22T00:00:00Z'],
    ['day', '2026-11-22T00:00:00.000Z', 'day:2026-11-22', '2026-11-22T00:00:00Z', '2026-11-23T00:00:00Z'],
    ['week', '2026-11-22T23:59:59.999Z', 'week:2026-11-16', '2026-11-16T00:00:00Z', '2026-11-23T00:00:00Z'],
    ['week', '2026-11-23T00:00:00.000Z', 'week:2026-11-23', '2026-11-23T00:00:00Z', '2026-11-30T00:00:00Z'],
    ['week', '1969-12-31T12:00:00.000Z', 'week:1969-12-29', '1969-12-29T00:00:00Z', '1970-01-05T00:00:00Z'],
    ['month', '2028-02-29T23:59:59.999Z', 'month:2028-02', '2028-02-01T00:00:00Z', '2028-03-01T00:00:00Z'],
    ['month', '2026-12-31T23:59:59.999Z', 'month:2026-12', '2026-12-01T00:00:00Z', '2027-01-01T00:00:00Z'],
  ] as const)('puts %s of %s into %s', (period, moment, name, from, to) => {
    expect(toBudgetSpan(period, at(moment))).toEqual({ name, fromMs: at(from), toMs: at(to) });
  });

  it('never ends a total', () => {
    expect(toBudgetSpan('total', at('2026-11-21T00:00:00Z'))).toEqual({ name: 'total', fromMs: 0, toMs: null });
  });
});
