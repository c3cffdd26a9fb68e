import { Secret } from '@weir/kernel';
import { KeyRing } from './key-ring';
import { SealedBytesUnreadable } from './sealed-bytes';
import { SealedTexts } from './sealed-text';

const texts = new SealedTexts(KeyRing.parse(`k1:${'a1'.repeat(32)}`));

describe('a sealed text', () => {
  it.each(['whsec_canary', 'é and ÿ', ''])('opens at its place: %j', async (text) => {
    expect((await texts.open(await texts.seal(new Secret(text), 'test/v1|row'), 'test/v1|row')).expose()).toBe(text);
  });

  it('tells whether the key that writes now has sealed it', async () => {
    const sealed = await texts.seal(new Secret('x'), 'test/v1|row');
    const rotated = new SealedTexts(KeyRing.parse(`k2:${'b2'.repeat(32)},k1:${'a1'.repeat(32)}`));
    expect([texts.isCurrent(sealed), rotated.isCurrent(sealed)]).toEqual([true, false]);
    expect((await rotated.open(sealed, 'test/v1|row')).expose()).toBe('x');
    expect(() => texts.isCurrent(Buffer.from('nonsense'))).toThrow(SealedBytesUnreadable);
  });

  it('opens nowhere else, and by no other ring', async () => {
    const sealed = await texts.seal(new Secret('whsec_canary'), 'test/v1|row');
    expect(sealed.toString('latin1')).not.toContain('canary');
    await expect(texts.open(sealed, 'test/v1|other')).rejects.toThrow(SealedBytesUnreadable);
    await expect(new SealedTexts(KeyRing.parse(`k2:${'b2'.repeat(32)}`)).open(sealed, 'test/v1|row')).rejects.toThrow(SealedBytesUnreadable);
  });
});
