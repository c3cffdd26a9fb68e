import { spliceMembers } from '@weir/wire';

describe('spliceMembers', () => {
  it('passes the same bytes on when nothing changes', () => {
    const body = Buffer.from('{}');
    expect(spliceMembers(body, [])).toBe(body);
  });

  it('replaces and inserts, and leaves every other byte alone', () => {
    const body = Buffer.from('{"model":"ä","seed":12345678901234567890}');
    const spliced = spliceMembers(body, [
      { start: 9, end: 13, text: '"größer"' },
      { start: body.length - 1, end: body.length - 1, text: ',"x":1' },
    ]);
    expect(spliced.toString()).toBe('{"model":"größer","seed":12345678901234567890,"x":1}');
  });
});
