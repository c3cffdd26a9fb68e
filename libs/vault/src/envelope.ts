import { isUuid, Secret, type UpstreamId, type UpstreamKeyId } from '@weir/kernel';
import { base64url, decodeProtectedHeader, FlattenedEncrypt, flattenedDecrypt } from 'jose';
import { type KeyRing } from './key-ring';
import { UpstreamKeyUnreadable } from './upstream-key-unreadable';

/** What an envelope belongs to. Moved to another row, upstream or host, it does not open. */
export interface EnvelopeBinding {
  readonly upstreamKeyId: UpstreamKeyId;
  readonly upstreamId: UpstreamId;
  /** Scheme, host and port of the upstream: `https://api.openai.com`. */
  readonly origin: string;
}

/** A flattened JWE. Its additional data is left out: the reader works it out and believes no stored one. */
export interface Envelope {
  readonly protected: string;
  readonly encrypted_key: string;
  readonly iv: string;
  readonly ciphertext: string;
  readonly tag: string;
}

/** What a row keeps. */
export interface SealedSecret {
  /** The key of the ring that wrapped it; the envelope's header says the same, authenticated. */
  readonly encryptionKeyId: string;
  readonly envelope: Envelope;
}

const KEY_WRAPPING = 'A256GCMKW';
const CONTENT_ENCRYPTION = 'A256GCM';
const PURPOSE = 'weir/upstream-key/v1';

/** Encrypts with a data key of its own, wrapped by the ring's writing key. */
export async function sealSecret(ring: KeyRing, secret: Secret, binding: EnvelopeBinding): Promise<SealedSecret> {
  const jwe = await new FlattenedEncrypt(new TextEncoder().encode(secret.expose()))
    .setProtectedHeader({ alg: KEY_WRAPPING, enc: CONTENT_ENCRYPTION, kid: ring.writingKeyId })
    .setAdditionalAuthenticatedData(toAdditionalData(binding))
    .encrypt(ring.writingKey.wrappingKey);
  const envelope = parseEnvelope(jwe);
  if (envelope === null) throw new Error('sealing made no envelope');
  return { encryptionKeyId: ring.writingKeyId, envelope };
}

/** @throws UpstreamKeyUnreadable */
export async function openSecret(
  ring: KeyRing,
  stored: { readonly encryptionKeyId: string; readonly envelope: unknown },
  binding: EnvelopeBinding,
): Promise<Secret> {
  const envelope = parseEnvelope(stored.envelope);
  const keyId = envelope === null ? null : readKeyId(envelope);
  if (envelope === null || keyId === null) throw new UpstreamKeyUnreadable(binding.upstreamKeyId, 'malformed');
  // Rotation finds rows by the column: were it wrong, a key still needed would look unused.
  if (keyId !== stored.encryptionKeyId) throw new UpstreamKeyUnreadable(binding.upstreamKeyId, 'not_authentic');
  const ringKey = ring.find(keyId);
  if (ringKey === null) throw new UpstreamKeyUnreadable(binding.upstreamKeyId, 'unknown_encryption_key');
  try {
    const aad = base64url.encode(toAdditionalData(binding));
    const { plaintext } = await flattenedDecrypt({ ...envelope, aad }, ringKey.wrappingKey, {
      // Pinned: the stored header must not choose how it is checked.
      keyManagementAlgorithms: [KEY_WRAPPING],
      contentEncryptionAlgorithms: [CONTENT_ENCRYPTION],
      maxDecompressedLength: 0,
    });
    return new Secret(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(plaintext));
  } catch {
    // The reason inside says nothing more, and must not carry what was decrypted.
    throw new UpstreamKeyUnreadable(binding.upstreamKeyId, 'not_authentic');
  }
}

/** The id of the ring's key that an envelope names; null when it names none. Not yet authenticated. */
function readKeyId(envelope: Envelope): string | null {
  try {
    const { kid } = decodeProtectedHeader(envelope);
    return typeof kid === 'string' ? kid : null;
  } catch {
    return null;
  }
}

/** Takes only the five members we write: unprotected headers and stored additional data fall away. */
function parseEnvelope(stored: unknown): Envelope | null {
  if (typeof stored !== 'object' || stored === null) return null;
  const { protected: header, encrypted_key, iv, ciphertext, tag } = stored as Partial<Record<string, unknown>>;
  if (!isText(header) || !isText(encrypted_key) || !isText(iv) || !isText(ciphertext) || !isText(tag)) return null;
  return { protected: header, encrypted_key, iv, ciphertext, tag };
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

/** Unambiguous: both ids have a fixed length and no `|`, and the origin comes last. */
function toAdditionalData({ upstreamKeyId, upstreamId, origin }: EnvelopeBinding): Uint8Array {
  if (!isUuid(upstreamKeyId) || !isUuid(upstreamId)) throw new TypeError('an envelope is bound to two ids');
  if (!isOrigin(origin)) throw new TypeError('an envelope is bound to an origin: scheme, host and port, nothing else');
  return new TextEncoder().encode(`${PURPOSE}|${upstreamKeyId}|${upstreamId}|${origin}`);
}

/** One spelling a host, or the same upstream would fail to open its own keys. */
function isOrigin(origin: string): boolean {
  if (!URL.canParse(origin)) return false;
  const url = new URL(origin);
  return (url.protocol === 'https:' || url.protocol === 'http:') && url.origin === origin;
}
