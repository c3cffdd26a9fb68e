import { inspect } from 'node:util';
import { parseUpstreamSecret } from './parse-upstream-secret';

describe('parseUpstreamSecret', () => {
  it.each(['sk-abc', 'a b', '~!', 'x'.repeat(8192)])('takes what a header can carry, as it is', (value) => {
    expect(parseUpstreamSecret(value).expose()).toBe(value);
  });

  it.each([
    ['empty', ''],
    ['a line feed at the end', 'sk-canary\n'],
    ['a carriage return inside', 'sk-canary\rx: y'],
    ['NUL', 'sk-canary\0'],
    ['a tab', 'sk-canary\tx'],
    ['a C1 control character', 'sk-canary\x85'],
    ['DEL', 'sk-canary\x7f'],
    ['a character of Latin-1 beyond ASCII', 'sk-canary\xff'],
    ['a character beyond Latin-1', 'sk-canary’'],
    ['a space in front', ' sk-canary'],
    ['a space behind', 'sk-canary '],
    ['a no-break space behind', 'sk-canary\xa0'],
    ['more than 8 KB', 'sk-canary'.repeat(1000)],
    ['a number', 7],
    ['nothing', undefined],
  ])('refuses %s without trimming and without repeating it', (_what, value) => {
    try {
      parseUpstreamSecret(value);
    } catch (error) {
      expect(error).toMatchObject({ code: 'invalid_request', param: 'secret' });
      expect(inspect(error)).not.toContain('canary');
      return;
    }
    throw new Error('the secret was accepted');
  });
});
