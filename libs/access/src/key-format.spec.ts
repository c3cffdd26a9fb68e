import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { generateAdminKey, generateProxyKey, hashKey, looksMistyped, parseKey } from './key-format';

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

describe('keys', () => {
  it('have the published format: prefix, 16 characters, underscore, 43 characters and 6 of checksum', () => {
    expect(generateProxyKey().key).toMatch(/^sk-weir-[0-9A-Za-z]{16}_[0-9A-Za-z]{49}$/);
    expect(generateAdminKey().key).toMatch(/^sk-weir-admin-[0-9A-Za-z]{16}_[0-9A-Za-z]{49}$/);
  });

  it('end in the CRC-32 of what stands before it, in base 62', () => {
    const { key } = generateProxyKey();
    const value = [...key.slice(-6)].reduce((sum, character) => sum * 62 + BASE62.indexOf(character), 0);
    expect(value).toBe(crc32(key.slice(0, -6)));
  });

  it('are read back with their kind and public id', () => {
    const proxy = generateProxyKey();
    const admin = generateAdminKey();
    expect(parseKey(proxy.key)).toEqual({ kind: 'proxy', publicId: proxy.publicId });
    expect(parseKey(admin.key)).toEqual({ kind: 'admin', publicId: admin.publicId });
  });

  it('are told from a typo without a look-up, whichever character is wrong', () => {
    for (const { key } of [generateProxyKey(), generateAdminKey()]) {
      for (let index = 0; index < key.length; index++) {
        const other = key[index] === 'x' ? 'y' : 'x';
        expect(parseKey(key.slice(0, index) + other + key.slice(index + 1))).toBeNull();
      }
    }
  });

  it('are told from two swapped neighbours', () => {
    const { key } = generateProxyKey();
    const at = [...key].findIndex((character, index) => index > 30 && character !== key[index + 1]);
    expect(parseKey(key.slice(0, at) + key[at + 1] + key[at] + key.slice(at + 2))).toBeNull();
  });

  it('draw every base-62 character equally often', () => {
    const counts = new Map<string, number>();
    const draws = 4000;
    for (let index = 0; index < draws; index++) {
      for (const character of generateProxyKey().key.slice(25, 68)) counts.set(character, (counts.get(character) ?? 0) + 1);
    }
    const expected = (draws * 43) / 62;
    const chiSquare = [...BASE62].reduce((sum, character) => sum + ((counts.get(character) ?? 0) - expected) ** 2 / expected, 0);
    // 61 degrees of freedom: a fair draw exceeds 150 once in 10⁸ times; taking bytes modulo 62 gives some 600.
    expect(chiSquare).toBeLessThan(150);
  });

  it('never repeat', () => {
    const keys = Array.from({ length: 2000 }, () => generateProxyKey());
    expect(new Set(keys.map(({ publicId }) => publicId)).size).toBe(keys.length);
    expect(new Set(keys.map(({ key }) => key.slice(25))).size).toBe(keys.length);
  });

  it('are stored as the SHA-256 of the whole key', () => {
    const { key, secretHash } = generateProxyKey();
    expect(secretHash.equals(createHash('sha256').update(key).digest())).toBe(true);
    expect(hashKey(key).equals(secretHash)).toBe(true);
  });
});

describe('parseKey', () => {
  const { key } = generateProxyKey();

  it.each([
    ['nothing', ''],
    ['a key of another vendor', 'sk-proj-' + 'a'.repeat(66)],
    ['a megabyte', 'sk-weir-' + 'a'.repeat(1_000_000)],
    ['a cut key', key.slice(0, -1)],
    ['a key with a trailing space', key + ' '],
    ['a key with a trailing line break', key + '\n'],
    ['a key whose first character is NUL', '\0' + key.slice(1)],
    ['a key that ends in NUL', key.slice(0, -1) + '\0'],
    ['characters beyond ASCII', key.slice(0, -1) + 'é'],
    ['characters beyond Latin-1', key.slice(0, -2) + '😀'],
    ['lone surrogates', key.slice(0, -1) + '\ud800'],
    ['full-width digits', key.slice(0, -1) + '０'],
    ['an underscore in the secret', key.slice(0, 40) + '_' + key.slice(41)],
    ['upper case', key.toUpperCase()],
  ])('refuses %s', (_what, presented) => {
    expect(parseKey(presented)).toBeNull();
  });

  it('refuses a checksum that is right for a text that is no key', () => {
    const unchecked = key.slice(0, 20) + '-' + key.slice(21, 68);
    let rest = crc32(unchecked);
    let checksum = '';
    for (let index = 0; index < 6; index++) {
      checksum = BASE62[rest % 62] + checksum;
      rest = Math.floor(rest / 62);
    }
    expect(parseKey(unchecked + checksum)).toBeNull();
  });

  it('leaves it to looksMistyped to tell a slip from another vendor’s key', () => {
    expect(looksMistyped(key.slice(0, -1))).toBe(true);
    expect(looksMistyped('sk-proj-abc')).toBe(false);
  });
});
