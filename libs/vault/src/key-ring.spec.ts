import { KeyRing, KeyRingError } from './key-ring';

const A = 'a1'.repeat(32);
const B = 'B2'.repeat(32);

function messageOf(text: string): string {
  try {
    KeyRing.parse(text);
  } catch (error) {
    if (error instanceof KeyRingError) return error.message;
    throw error;
  }
  throw new Error('the ring was accepted');
}

describe('KeyRing', () => {
  it('writes with its first key and finds all', () => {
    const ring = KeyRing.parse(` new:${A} , old-1_X:${B}`);
    expect(ring.writingKeyId).toBe('new');
    expect(ring.all().map(({ id }) => id)).toEqual(['new', 'old-1_X']);
    expect(ring.find('old-1_X')?.id).toBe('old-1_X');
    expect(ring.find('other')).toBeNull();
    expect(ring.find('__proto__')).toBeNull();
  });

  it('holds keys that nothing can read back', async () => {
    for (const { wrappingKey, fingerprintKey } of KeyRing.parse(`k:${A}`).all()) {
      await expect(crypto.subtle.exportKey('raw', wrappingKey)).rejects.toThrow();
      await expect(crypto.subtle.exportKey('raw', fingerprintKey)).rejects.toThrow();
    }
  });

  it.each([
    ['nothing', '', 'entry 1'],
    ['a key without an id', A, 'entry 1'],
    ['an empty entry', `k:${A},`, 'entry 2'],
    ['an empty id', `:${A}`, 'entry 1'],
    ['an id too long', `${'k'.repeat(33)}:${A}`, 'entry 1'],
    ['an id with a dot', `k.1:${A}`, 'entry 1'],
    ['a key of 31 bytes', `k:${A.slice(2)}`, 'entry 1'],
    ['a key of 33 bytes', `k:${A}00`, 'entry 1'],
    ['a key that is not hexadecimal', `k:${'z'.repeat(64)}`, 'entry 1'],
    ['id and key the wrong way round', `${A}:k`, 'entry 1'],
    ['an id twice', `k:${A},k:${B}`, 'entries 1 and 2 have the same id'],
    ['a key twice, in another case', `a:${B},b:${B.toLowerCase()}`, 'entries 1 and 2 have the same key'],
  ])('refuses %s, and says where', (_what, text, place) => {
    expect(messageOf(text)).toContain(place);
  });

  it('never repeats its text in an error', () => {
    const texts = [A, `${A}:k`, `k:${A}x`, `k:${A},k:${B}`, `a:${A},b:${A}`, `k.:${A}`];
    for (const text of texts) expect(messageOf(text).toLowerCase()).not.toMatch(/(a1|b2){3}/);
  });
});
