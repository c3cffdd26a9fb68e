import { type Secret, type UpstreamId } from '@weir/kernel';
import { type RingKey } from './key-ring';

/**
 * Tells whether a secret is already held without decrypting any row. It is keyed by the ring, so
 * a stolen database lets nobody try guesses against it; and it covers the upstream, so equal
 * secrets of two upstreams do not show. A row keeps the fingerprint of the ring's key that wrote
 * it (`encryption_key_id`): look a secret up by the fingerprints under every key of the ring.
 */
export async function toFingerprint(key: RingKey, upstreamId: UpstreamId, secret: Secret): Promise<string> {
  // An upstream id is a UUID, of fixed length: what follows it is the secret.
  const text = new TextEncoder().encode(`${upstreamId}|${secret.expose()}`);
  return Buffer.from(await crypto.subtle.sign('HMAC', key.fingerprintKey, text)).toString('hex');
}
