import { parseExactJson } from '@weir/wire';

const LENGTH = 300_000;

describe('parseExactJson', () => {
  it.each(['12345678901234567890', '0.1234567890123456789', '1e400', '1.0000000000000000001', '-0.00000000000000000012345678901234567'])('writes %s as it was', (number) => {
    expect(JSON.stringify(parseExactJson(`{"a":[${number}]}`))).toBe(`{"a":[${number}]}`);
  });

  it.each([
    ['1.00000000000000000', '1'],
    ['0.50000000000000000e1', '5'],
    ['0.0000000000000000', '0'],
  ])('takes %s for what it is', (number, written) => {
    expect(JSON.stringify(parseExactJson(`[${number}]`))).toBe(`[${written}]`);
  });

  // Were each zero looked at with all behind it, one request would keep the process busy for minutes.
  it.each([`1.${'0'.repeat(LENGTH)}1`, `0.${'0'.repeat(LENGTH)}9e5`, `1${'0'.repeat(LENGTH)}.5`, '9'.repeat(LENGTH), `0.${'9'.repeat(LENGTH)}`])('is done soon with a number of many digits (%#)', (number) => {
    expect(JSON.stringify(parseExactJson(`[${number}]`))).toBe(`[${number}]`);
  });
});
