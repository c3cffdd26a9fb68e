import { KeyRing } from './key-ring';
import { openBytes, sealBytes, SealedBytesUnreadable } from './sealed-bytes';

const A = 'a1'.repeat(32);
const B = 'b2'.repeat(32);
const ring = KeyRing.parse(`new:${A},old:${B}`);
const place = 'a purpose/v1|a row';
const text = Buffer.from('what a model said');

describe('sealed bytes', () => {
  it.each([0, 1, 100_000])('open to the same %p bytes', async (length) => {
    const bytes = Buffer.alloc(length, 'x');
    const sealed = await sealBytes(ring, bytes, place);
    expect(await openBytes(ring, sealed, place)).toEqual(bytes);
  });

  it('show nothing of what they hold, and never look the same twice', async () => {
    const [one, other] = await Promise.all([sealBytes(ring, text, place), sealBytes(ring, text, place)]);
    expect(one.includes(text)).toBe(false);
    expect(one.equals(other)).toBe(false);
  });

  it('do not open at another place', async () => {
    const sealed = await sealBytes(ring, text, place);
    await expect(openBytes(ring, sealed, 'a purpose/v1|another row')).rejects.toThrow(new SealedBytesUnreadable('not_authentic'));
  });

  it('do not open when any byte of them was altered or is missing', async () => {
    const sealed = await sealBytes(ring, text, place);
    for (let index = 0; index < sealed.length; index++) {
      const altered = Buffer.from(sealed);
      altered[index] ^= 1;
      await expect(openBytes(ring, altered, place)).rejects.toThrow(SealedBytesUnreadable);
      await expect(openBytes(ring, sealed.subarray(0, index), place)).rejects.toThrow(SealedBytesUnreadable);
    }
  });

  it('open with an older key of the ring, and not without it', async () => {
    const sealed = await sealBytes(KeyRing.parse(`old:${B}`), text, place);
    expect(await openBytes(ring, sealed, place)).toEqual(text);
    await expect(openBytes(KeyRing.parse(`new:${A}`), sealed, place)).rejects.toThrow(new SealedBytesUnreadable('unknown_encryption_key'));
  });
});
