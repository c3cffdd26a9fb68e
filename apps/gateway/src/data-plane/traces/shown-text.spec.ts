import { toShownName, toShownWord } from './shown-text';

const SECRET = 'sk-proj-abcdefghijklmnopqrstuvwxyz0123456789';

describe('what a trace shows of names', () => {
  it('is never a secret', () => {
    expect(toShownName(`upstream ${SECRET}`)).not.toContain(SECRET);
    expect(toShownWord(SECRET)).toBeNull();
  });

  it('is a word of a caller\'s or an upstream\'s only if it looks like a name', () => {
    expect(toShownWord('meta-llama/Llama-3.1-8B:free')).toBe('meta-llama/Llama-3.1-8B:free');
    for (const text of ['', 'two words', 'x'.repeat(200), 'line\nfeed', '{"a":1}']) expect(toShownWord(text)).toBeNull();
  });
});
