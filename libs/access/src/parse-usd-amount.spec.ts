import { LARGEST_BUDGET_NANOS, toUsdString } from '@weir/kernel';
import { parseUsdAmount } from './parse-usd-amount';

const parse = (value: unknown) => parseUsdAmount(value, LARGEST_BUDGET_NANOS);

describe('parseUsdAmount', () => {
  it.each([
    [0, 0],
    [-0, 0],
    ['0', 0],
    ['0.000000000', 0],
    [1, 1_000_000_000],
    ['007.5', 7_500_000_000],
    [0.1, 100_000_000],
    [0.3, 300_000_000],
    // Each of these is off by one as a product of numbers.
    [1.000000001, 1_000_000_001],
    ['4.35', 4_350_000_000],
    [1.005, 1_005_000_000],
    ['0.000000001', 1],
    [0.000000001, 1],
    [1.23e-7, 123],
    [9e-9, 9],
    [0.000001, 1_000],
    ['3999999.999999999', 3_999_999_999_999_999],
    [3_999_999.999999999, 3_999_999_999_999_999],
    [4_000_000, 4_000_000_000_000_000],
    ['4000000.000000000', 4_000_000_000_000_000],
  ])('reads %j as %d nano-dollars', (value, nanos) => {
    expect(parse(value)).toBe(nanos);
  });

  it('reads what it writes, whatever the amount, as a number and as text', () => {
    for (let index = 0; index < 20_000; index++) {
      const nanos = Math.floor(Math.random() ** 4 * LARGEST_BUDGET_NANOS);
      expect(parse(toUsdString(nanos))).toBe(nanos);
      expect(parse(Number(toUsdString(nanos)))).toBe(nanos);
    }
  });

  it.each([
    -1, -1e-9, '-1', '-0', '+1', 4_000_000.000000001, '4000000.000000001', '99999999999999999999', 1e300, Number.POSITIVE_INFINITY, Number.NaN,
    '0.0000000001', '1.0000000000', 1e-10, 1.5e-9, '1e3', '1E3', '0x10', '1_000', '1,5', '1.', '.5', ' 1', '1 ', '1\n', '', '１', 'NaN', 'Infinity',
    '9'.repeat(10_000), true, null, undefined, [], [1], {}, 5n,
  ])('refuses %p', (value) => {
    expect(parse(value)).toBeNull();
  });
});
