import { parseTimeout } from './parse-timeout';

describe('parseTimeout', () => {
  it.each<[number | string, number | null]>([
    [30, 30_000],
    [0.5, 500],
    ['30', 30_000],
    ['30s', 30_000],
    ['1.5s', 1_500],
    ['500ms', 500],
    ['2m', 120_000],
    [3600, 3_600_000],
    [3601, null],
    [0, null],
    [-1, null],
    [Number.NaN, null],
    [1e21, null],
    ['', null],
    ['1h', null],
    ['30 s', null],
    ['1s2m', null],
  ])('takes %p for %p ms', (value, expected) => {
    expect(parseTimeout(value)).toBe(expected);
  });
});
