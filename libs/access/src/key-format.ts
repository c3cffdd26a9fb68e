import { hash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

/**
 * A key reads `sk-weir-<public id>_<secret><checksum>`, an admin's `sk-weir-admin-<public id>_…`:
 * - public id: 16 base62 characters; names the key, may be logged;
 * - secret: 43 base62 characters, each drawn evenly: 256 bits;
 * - checksum: CRC-32 of all that stands before it, 6 base62 characters; tells a typo, guards nothing.
 */
export type KeyKind = 'proxy' | 'admin';

export interface ParsedKey {
  readonly kind: KeyKind;
  readonly publicId: string;
}

export interface GeneratedKey {
  /** The key itself: give it to its holder once, store it nowhere. */
  readonly key: string;
  readonly publicId: string;
  /** What is stored in its place. */
  readonly secretHash: Buffer;
}

export const SECRET_HASH_BYTES = 32;

const PROXY_PREFIX = 'sk-weir-';
const ADMIN_PREFIX = 'sk-weir-admin-';
const PUBLIC_ID_CHARACTERS = 16;
const SECRET_CHARACTERS = 43;
const CHECKSUM_CHARACTERS = 6;
const BODY_CHARACTERS = PUBLIC_ID_CHARACTERS + 1 + SECRET_CHARACTERS + CHECKSUM_CHARACTERS;
const UNDERSCORE = 0x5f;

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const BASE = ALPHABET.length;
/** The largest multiple of 62 in a byte: a byte at or above it is drawn again, or low digits would come more often. */
const FAIR_BYTES = 256 - (256 % BASE);

const IS_BASE62 = new Uint8Array(128);
for (const character of ALPHABET) IS_BASE62[character.charCodeAt(0)] = 1;

export function generateProxyKey(): GeneratedKey {
  return generateKey(PROXY_PREFIX);
}

export function generateAdminKey(): GeneratedKey {
  return generateKey(ADMIN_PREFIX);
}

function generateKey(prefix: string): GeneratedKey {
  const publicId = randomBase62(PUBLIC_ID_CHARACTERS);
  const unchecked = `${prefix}${publicId}_${randomBase62(SECRET_CHARACTERS)}`;
  const key = unchecked + toChecksum(unchecked);
  return { key, publicId, secretHash: hashKey(key) };
}

/**
 * Reads a presented key without looking anything up.
 * Returns null when it is no key of ours or is mistyped. Takes any text of any length.
 */
export function parseKey(presented: string): ParsedKey | null {
  // The length decides first: nothing below ever touches more than 80 characters.
  switch (presented.length) {
    case PROXY_PREFIX.length + BODY_CHARACTERS:
      return parseAs('proxy', PROXY_PREFIX, presented);
    case ADMIN_PREFIX.length + BODY_CHARACTERS:
      return parseAs('admin', ADMIN_PREFIX, presented);
    default:
      return null;
  }
}

function parseAs(kind: KeyKind, prefix: string, presented: string): ParsedKey | null {
  if (!presented.startsWith(prefix)) return null;
  const underscoreAt = prefix.length + PUBLIC_ID_CHARACTERS;
  for (let index = prefix.length; index < presented.length; index++) {
    const code = presented.charCodeAt(index);
    // Beyond the table (not ASCII) the look-up is undefined, which is not 1 either.
    if (index === underscoreAt ? code !== UNDERSCORE : IS_BASE62[code] !== 1) return null;
  }
  if (!hasChecksum(presented)) return null;
  return { kind, publicId: presented.slice(prefix.length, underscoreAt) };
}

/** True when a text that `parseKey` refused was at least meant to be one of our keys. */
export function looksMistyped(presented: string): boolean {
  return presented.startsWith(PROXY_PREFIX);
}

/**
 * SHA-256 of the whole key. A slow password hash would buy nothing: the secret is 256 random bits,
 * which nobody can search at any speed, and it would cost milliseconds on every request.
 * The whole key and not the secret alone, so that a hash copied to another row opens nothing.
 */
export function hashKey(key: string): Buffer {
  // As text and back: for a digest as a Buffer Node makes memory of its own, which takes longer than the digest.
  return Buffer.from(hash('sha256', key, 'binary'), 'latin1');
}

/** As comparing with `toChecksum`, without making the text: this is part of every request. */
function hasChecksum(key: string): boolean {
  const checksumAt = key.length - CHECKSUM_CHARACTERS;
  let rest = crc32(key.slice(0, checksumAt));
  for (let index = key.length - 1; index >= checksumAt; index--) {
    if (key.charCodeAt(index) !== ALPHABET.charCodeAt(rest % BASE)) return false;
    rest = Math.floor(rest / BASE);
  }
  return true;
}

function toChecksum(text: string): string {
  let rest = crc32(text);
  let checksum = '';
  for (let index = 0; index < CHECKSUM_CHARACTERS; index++) {
    checksum = ALPHABET[rest % BASE] + checksum;
    rest = Math.floor(rest / BASE);
  }
  return checksum;
}

function randomBase62(characters: number): string {
  let text = '';
  while (text.length < characters) {
    for (const byte of randomBytes(characters)) {
      if (byte < FAIR_BYTES && text.length < characters) text += ALPHABET[byte % BASE];
    }
  }
  return text;
}
