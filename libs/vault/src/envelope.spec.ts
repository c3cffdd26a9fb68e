import { newId, Secret, type UpstreamId, type UpstreamKeyId } from '@weir/kernel';
import { base64url, CompactEncrypt, FlattenedEncrypt } from 'jose';
import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { type EnvelopeBinding, openSecret, type SealedSecret, sealSecret } from './envelope';
import { KeyRing } from './key-ring';
import { UpstreamKeyUnreadable } from './upstream-key-unreadable';

const HEX = randomBytes(32).toString('hex');
const ring = KeyRing.parse(`k1:${HEX}`);
const CANARY = 'sk-canary-1234567890';
const binding: EnvelopeBinding = {
  upstreamKeyId: newId<UpstreamKeyId>(),
  upstreamId: newId<UpstreamId>(),
  origin: 'https://api.openai.com',
};

let sealed: SealedSecret;
beforeAll(async () => {
  sealed = await sealSecret(ring, new Secret(CANARY), binding);
});

async function failureOf(stored: { encryptionKeyId: string; envelope: unknown }, bound = binding, by = ring): Promise<UpstreamKeyUnreadable> {
  try {
    await openSecret(by, stored, bound);
  } catch (error) {
    if (error instanceof UpstreamKeyUnreadable) return error;
    throw error;
  }
  throw new Error('the envelope opened');
}

function withHeader(changes: object): SealedSecret {
  const header = JSON.parse(Buffer.from(sealed.envelope.protected, 'base64url').toString());
  return { ...sealed, envelope: { ...sealed.envelope, protected: base64url.encode(JSON.stringify({ ...header, ...changes })) } };
}

describe('an envelope', () => {
  it.each(['sk-plain', 'é and ÿ', 'x'.repeat(8192)])('gives back what was sealed', async (text) => {
    const opened = await openSecret(ring, await sealSecret(ring, new Secret(text), binding), binding);
    expect(opened.expose()).toBe(text);
  });

  it('names its algorithms and its key in the authenticated header, and holds nothing else in the clear', () => {
    expect(JSON.parse(Buffer.from(sealed.envelope.protected, 'base64url').toString())).toMatchObject({ alg: 'A256GCMKW', enc: 'A256GCM', kid: 'k1' });
    expect(Object.keys(sealed.envelope).sort()).toEqual(['ciphertext', 'encrypted_key', 'iv', 'protected', 'tag']);
    expect(JSON.stringify(sealed)).not.toContain(CANARY);
  });

  it('is another one each time', async () => {
    const again = await sealSecret(ring, new Secret(CANARY), binding);
    for (const member of ['protected', 'encrypted_key', 'iv', 'ciphertext', 'tag'] as const) {
      expect(again.envelope[member]).not.toBe(sealed.envelope[member]);
    }
  });

  it.each([
    ['another row', { upstreamKeyId: newId<UpstreamKeyId>() }],
    ['another upstream', { upstreamId: newId<UpstreamId>() }],
    ['another host', { origin: 'https://api.openai.com.evil.example' }],
    ['another port', { origin: 'https://api.openai.com:8443' }],
    ['another scheme', { origin: 'http://api.openai.com' }],
    ['what is no origin', { origin: 'https://api.openai.com/' }],
  ])('does not open for %s', async (_what, change) => {
    expect((await failureOf(sealed, { ...binding, ...change })).reason).toBe('not_authentic');
  });

  it('does not open for another host even when it says so itself', async () => {
    const moved = { ...binding, origin: 'https://evil.example' };
    const aad = base64url.encode(`weir/upstream-key/v1|${binding.upstreamKeyId}|${binding.upstreamId}|${binding.origin}`);
    expect((await failureOf({ ...sealed, envelope: { ...sealed.envelope, aad } }, moved)).reason).toBe('not_authentic');
  });

  it.each(['protected', 'encrypted_key', 'iv', 'ciphertext', 'tag'] as const)('does not open when a bit of its %s is turned', async (member) => {
    const bytes = Buffer.from(sealed.envelope[member], 'base64url');
    for (const index of [0, bytes.length - 1]) {
      const changed = Buffer.from(bytes);
      changed[index] ^= 1;
      const { reason } = await failureOf({ ...sealed, envelope: { ...sealed.envelope, [member]: changed.toString('base64url') } });
      expect(['malformed', 'not_authentic']).toContain(reason);
    }
  });

  it('does not open with a shortened authentication tag', async () => {
    const tag = Buffer.from(sealed.envelope.tag, 'base64url').subarray(0, 4).toString('base64url');
    expect((await failureOf({ ...sealed, envelope: { ...sealed.envelope, tag } })).reason).toBe('not_authentic');
  });

  it('says when its key is not in the ring', async () => {
    const other = KeyRing.parse(`k2:${randomBytes(32).toString('hex')}`);
    expect((await failureOf(sealed, binding, other)).reason).toBe('unknown_encryption_key');
  });

  it('does not open with another key under the same id', async () => {
    const other = KeyRing.parse(`k1:${randomBytes(32).toString('hex')}`);
    expect((await failureOf(sealed, binding, other)).reason).toBe('not_authentic');
  });

  it('does not open when the row names another key than the header: rotation would pass it over', async () => {
    expect((await failureOf({ ...sealed, encryptionKeyId: 'k2' })).reason).toBe('not_authentic');
  });

  it.each([
    ['alg', { alg: 'dir' }],
    ['alg of the same family', { alg: 'A256KW' }],
    ['enc', { enc: 'A128GCM' }],
    ['zip', { zip: 'DEF' }],
    ['crit', { crit: ['exp'], exp: 1 }],
  ])('does not let its header choose %s', async (_what, change) => {
    expect((await failureOf(withHeader(change))).reason).toBe('not_authentic');
  });

  it('refuses what was properly encrypted with algorithms other than ours', async () => {
    const key = Buffer.from(HEX, 'hex');
    const aad = new TextEncoder().encode(`weir/upstream-key/v1|${binding.upstreamKeyId}|${binding.upstreamId}|${binding.origin}`);
    for (const header of [
      { alg: 'dir', enc: 'A256GCM', kid: 'k1' },
      { alg: 'A256KW', enc: 'A256GCM', kid: 'k1' },
      { alg: 'A256GCMKW', enc: 'A128GCM', kid: 'k1' },
    ]) {
      const jwe = await new FlattenedEncrypt(Buffer.from(CANARY)).setProtectedHeader(header).setAdditionalAuthenticatedData(aad).encrypt(key);
      const envelope = { encrypted_key: 'AA', ...jwe };
      expect((await failureOf({ encryptionKeyId: 'k1', envelope })).reason).toBe('not_authentic');
    }
  });

  it('refuses what was encrypted by our key without being bound to anything', async () => {
    const compact = await new CompactEncrypt(Buffer.from(CANARY))
      .setProtectedHeader({ alg: 'A256GCMKW', enc: 'A256GCM', kid: 'k1' })
      .encrypt(Buffer.from(HEX, 'hex'));
    const [header, encrypted_key, iv, ciphertext, tag] = compact.split('.');
    const stored = { encryptionKeyId: 'k1', envelope: { protected: header, encrypted_key, iv, ciphertext, tag } };
    expect((await failureOf(stored)).reason).toBe('not_authentic');
  });

  it.each([null, 'text', 7, [], {}, { protected: 'e30' }, { protected: '{', encrypted_key: 'a', iv: 'a', ciphertext: 'a', tag: 'a' }])(
    'is malformed when it reads %j',
    async (envelope) => {
      expect((await failureOf({ encryptionKeyId: 'k1', envelope })).reason).toBe('malformed');
    },
  );

  it('fails with an error that names the row and nothing secret', async () => {
    const failure = await failureOf(sealed, { ...binding, origin: 'https://evil.example' });
    expect(failure.upstreamKeyId).toBe(binding.upstreamKeyId);
    expect(failure.message).toContain(binding.upstreamKeyId);
    const shown = inspect(failure, { depth: 10, showHidden: true });
    for (const secret of [CANARY, HEX, sealed.envelope.ciphertext, sealed.envelope.encrypted_key]) expect(shown).not.toContain(secret);
  });
});
