import { type Secret } from '@weir/kernel';
import { type EnvelopeBinding, sealSecret, type SealedSecret } from './envelope';
import { toFingerprint } from './fingerprint';
import { type KeyRing } from './key-ring';

/** The columns of a row that hang on its secret. They are only ever written together. */
export type SealedColumns = SealedSecret & { readonly fingerprint: string };

export async function sealRow(ring: KeyRing, secret: Secret, binding: EnvelopeBinding): Promise<SealedColumns> {
  const sealed = await sealSecret(ring, secret, binding);
  return { ...sealed, fingerprint: await toFingerprint(ring.writingKey, binding.upstreamId, secret) };
}
