import { createCipheriv, createDecipheriv, randomBytes, type webcrypto } from 'node:crypto';
import { type KeyRing } from './key-ring';

/** Sealed bytes that were altered, moved to another place, or sealed with a key that is not in the ring. Never says what they are. */
export class SealedBytesUnreadable extends Error {
  constructor(reason: 'malformed' | 'unknown_encryption_key' | 'not_authentic') {
    super(`sealed bytes cannot be opened: ${reason}`);
    this.name = 'SealedBytesUnreadable';
  }
}

/*
 * Version (1) · length of the ring key's id (1) · id · IV of the wrapping (12) · wrapped data key (32 + 16)
 * · IV (12) · tag (16) · ciphertext. A JWE would write the same as base64, a third longer.
 */
const VERSION = 1;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const DATA_KEY_BYTES = 32;
const WRAPPED_KEY_BYTES = DATA_KEY_BYTES + TAG_BYTES;
const CIPHER = 'aes-256-gcm';

/**
 * Encrypts bytes with AES-256-GCM under a data key of their own, wrapped by the ring's writing key.
 * @param place what they belong to, unambiguously: `purpose/v1|row id`. Sealed bytes open at their place only.
 */
export async function sealBytes(ring: KeyRing, bytes: Uint8Array, place: string): Promise<Buffer> {
  const dataKey = randomBytes(DATA_KEY_BYTES);
  try {
    const keyIv = randomBytes(IV_BYTES);
    const wrapped = await crypto.subtle.encrypt(toAesGcm(keyIv, place), ring.writingKey.wrappingKey, dataKey);
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv(CIPHER, dataKey, iv).setAAD(Buffer.from(place));
    const ciphertext = [cipher.update(bytes), cipher.final()];
    const keyId = Buffer.from(ring.writingKeyId, 'latin1');
    return Buffer.concat([Buffer.of(VERSION, keyId.length), keyId, keyIv, new Uint8Array(wrapped), iv, cipher.getAuthTag(), ...ciphertext]);
  } finally {
    dataKey.fill(0);
  }
}

/** @throws SealedBytesUnreadable */
export async function openBytes(ring: KeyRing, sealed: Buffer, place: string): Promise<Buffer> {
  const parts = split(sealed);
  const ringKey = ring.find(parts.keyId);
  if (ringKey === null) throw new SealedBytesUnreadable('unknown_encryption_key');
  try {
    const dataKey = new Uint8Array(await crypto.subtle.decrypt(toAesGcm(parts.keyIv, place), ringKey.wrappingKey, parts.wrappedKey));
    const decipher = createDecipheriv(CIPHER, dataKey, parts.iv, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(place)).setAuthTag(parts.tag);
    dataKey.fill(0);
    return Buffer.concat([decipher.update(parts.ciphertext), decipher.final()]);
  } catch {
    // The reason inside says nothing more, and must not carry what was decrypted.
    throw new SealedBytesUnreadable('not_authentic');
  }
}

/** The id of the ring's key that sealed them, not yet authenticated. @throws SealedBytesUnreadable when malformed. */
export function readSealingKeyId(sealed: Buffer): string {
  return split(sealed).keyId;
}

interface SealedParts {
  readonly keyId: string;
  readonly keyIv: Uint8Array<ArrayBuffer>;
  readonly wrappedKey: Uint8Array<ArrayBuffer>;
  readonly iv: Buffer;
  readonly tag: Buffer;
  readonly ciphertext: Buffer;
}

function split(sealed: Buffer): SealedParts {
  const keyIdBytes = sealed.length < 2 || sealed[0] !== VERSION ? 0 : sealed[1];
  const headBytes = 2 + keyIdBytes + IV_BYTES + WRAPPED_KEY_BYTES + IV_BYTES + TAG_BYTES;
  if (keyIdBytes === 0 || sealed.length < headBytes) throw new SealedBytesUnreadable('malformed');
  let at = 2;
  const take = (bytes: number): Buffer => sealed.subarray(at, (at += bytes));
  return {
    keyId: take(keyIdBytes).toString('latin1'),
    keyIv: new Uint8Array(take(IV_BYTES)),
    wrappedKey: new Uint8Array(take(WRAPPED_KEY_BYTES)),
    iv: take(IV_BYTES),
    tag: take(TAG_BYTES),
    ciphertext: sealed.subarray(at),
  };
}

/** The wrapping is bound to the place as well: a wrapped key of another place opens nothing here. */
function toAesGcm(iv: Uint8Array<ArrayBuffer>, place: string): webcrypto.AeadParams {
  return { name: 'AES-GCM', iv, additionalData: new TextEncoder().encode(`weir/sealed-bytes/v1|${place}`), tagLength: TAG_BYTES * 8 };
}
