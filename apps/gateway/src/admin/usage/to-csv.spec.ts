import { toCsvLine } from './to-csv';

describe('toCsvLine', () => {
  it.each([
    [['a', 1, -2.5, true, null, ''], 'a,1,-2.5,true,,\r\n'],
    [['a,b', 'say "x"', 'two\nlines', 'cr\rin'], '"a,b","say ""x""","two\nlines","cr\rin"\r\n'],
    [['=1+1', '+1', '-1', '@SUM(A1)'], `'=1+1,'+1,'-1,'@SUM(A1)\r\n`],
    [['\tx', '\rx', `=HYPERLINK("http://x")`], `'\tx,"'\rx","'=HYPERLINK(""http://x"")"\r\n`],
    [['a=1', ' =1', 'ü🐎'], 'a=1, =1,ü🐎\r\n'],
  ])('writes %j so that it is read back, and never run', (values, line) => {
    expect(toCsvLine(values)).toBe(line);
  });
});
