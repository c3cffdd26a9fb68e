import { scrubSecrets } from './scrub-secrets';

const LENGTH = 150_000;

describe('scrubSecrets', () => {
  // A provider's error quotes what its caller sent. Were each place looked at with all that stands before it
  // or behind it, these would keep the process busy for minutes.
  it.each([
    ['basic', ' '],
    ['bearer', '\t'],
    ['key', ' '],
    ['key=', ' '],
    ['key=basic ', ' '],
    ['', 'eyaaaaaaaa-'],
    ['eyaaaaaaaa.', 'b'],
    ['://u:', 'a'],
    ['', 'sk-'],
    ['', 'token: '],
  ])('is done with a long text soon: %j and then %j', (start, rest) => {
    const text = start + rest.repeat(LENGTH / rest.length);
    expect(scrubSecrets(text)).not.toBe('');
  });

  it.each([
    'Authorization:   Bearer    4711-canary',
    'api_key :  "4711-canary"',
    'x eyJhbGciOiJIUzI1NiJ9.4711-canary.c2ln',
    'basic \t 4711-canary',
  ])('finds the secret in %s', (text) => {
    expect(scrubSecrets(text)).toContain('[secret]');
    expect(scrubSecrets(text)).not.toContain('4711');
  });
});
