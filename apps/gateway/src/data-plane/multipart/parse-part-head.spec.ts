import { parsePartHead } from './parse-part-head';

const parse = (disposition: string) => parsePartHead(new Map([['content-disposition', [`form-data; ${disposition}`]]]));

describe('the head of a part', () => {
  it.each([
    [String.raw`name="file"; filename="a \"b\" \\ c.wav"`, ' c.wav'],
    [String.raw`name="file"; filename="a \"b\".wav"`, 'a "b".wav'],
    [String.raw`name="file"; filename="C:\voices\ann.wav"`, 'ann.wav'],
    [String.raw`name=file; filename=ann.wav`, 'ann.wav'],
  ])('is read with its escapes: %s', (disposition, filename) => {
    expect(parse(disposition)).toEqual({ name: 'file', filename, mediaType: null });
  });

  // Were a backslash to be read in two ways, each of them would double the time: a hundred would never end.
  it.each(['\\'.repeat(4_000), '\\\\"'.repeat(1_000) + '\\', 'a\\'.repeat(2_000)])('is refused soon, whatever is escaped and not closed (%#)', (text) => {
    expect(() => parse(`name="${text}`)).toThrow(expect.objectContaining({ code: 'invalid_request' }));
    expect(() => parse(`name="file"; filename="${text}`)).toThrow(expect.objectContaining({ code: 'invalid_request' }));
  });
});
