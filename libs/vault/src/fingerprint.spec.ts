import { newId, Secret, type UpstreamId } from '@weir/kernel';
import { createHash } from 'node:crypto';
import { toFingerprint } from './fingerprint';
import { KeyRing } from './key-ring';

const [first, second] = KeyRing.parse(`a:${'01'.repeat(32)},b:${'02'.repeat(32)}`).all();
const upstreamId = newId<UpstreamId>();
const secret = new Secret('sk-weak');

describe('a fingerprint', () => {
  it('is the same whenever the same secret is asked for, also after a restart', async () => {
    const [again] = KeyRing.parse(`a:${'01'.repeat(32)}`).all();
    expect(await toFingerprint(first, upstreamId, secret)).toBe(await toFingerprint(again, upstreamId, secret));
  });

  it('differs by secret, by upstream and by key of the ring', async () => {
    const fingerprints = await Promise.all([
      toFingerprint(first, upstreamId, secret),
      toFingerprint(second, upstreamId, secret),
      toFingerprint(first, newId<UpstreamId>(), secret),
      toFingerprint(first, upstreamId, new Secret('sk-other')),
    ]);
    expect(new Set(fingerprints).size).toBe(4);
  });

  it('cannot be guessed from a stolen table: it is no plain hash', async () => {
    const fingerprint = await toFingerprint(first, upstreamId, secret);
    const guesses = ['sk-weak', `${upstreamId}|sk-weak`].map((text) => createHash('sha256').update(text).digest('hex'));
    expect(fingerprint).toMatch(/^[0-9a-f]{64}$/);
    expect(guesses).not.toContain(fingerprint);
  });
});
