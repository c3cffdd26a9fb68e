import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';

/** One key of the ring. Both keys are non-extractable: they can be used, not read back. */
export interface RingKey {
  readonly id: string;
  /** Wraps the data key of each envelope. */
  readonly wrappingKey: CryptoKey;
  /** Keys the fingerprints: derived, so that neither use tells anything about the other. */
  readonly fingerprintKey: CryptoKey;
}

/** Says which entry of the ring is wrong, by its place; never what it reads, which may be a key. */
export class KeyRingError extends Error {
  constructor(message: string) {
    super(`encryption key ring: ${message}`);
    this.name = 'KeyRingError';
  }
}

const KEY_ID = /^[A-Za-z0-9_-]{1,32}$/;
const KEY_HEX = /^[0-9a-fA-F]{64}$/;
const FINGERPRINT_KEY_INFO = 'weir/upstream-key-fingerprint/v1';

/**
 * The keys that encrypt upstream keys. The first one writes; all of them read, so a new key is
 * put in front, every row is rewritten (`rotateAll`), and only then the old key is taken out.
 */
export class KeyRing {
  private constructor(
    readonly writingKey: RingKey,
    private readonly keys: ReadonlyMap<string, RingKey>,
  ) {}

  /**
   * Reads `id:hex,id:hex`.
   * @throws KeyRingError
   */
  static parse(text: string): KeyRing {
    const entries = text.split(',').map((entry, index) => parseEntry(entry.trim(), index + 1));
    const places = new Map<string, number>();
    const keys = new Map<string, RingKey>();
    entries.forEach(({ id, hex }, index) => {
      // An id has at most 32 characters and a key 64, so neither can be taken for the other.
      for (const [mark, what] of [[id, 'id'], [hex, 'key']] as const) {
        const earlier = places.get(mark);
        if (earlier !== undefined) throw new KeyRingError(`entries ${earlier} and ${index + 1} have the same ${what}`);
        places.set(mark, index + 1);
      }
      keys.set(id, toRingKey(id, hex));
    });
    const [writingKey] = keys.values();
    return new KeyRing(writingKey, keys);
  }

  get writingKeyId(): string {
    return this.writingKey.id;
  }

  find(id: string): RingKey | null {
    return this.keys.get(id) ?? null;
  }

  all(): readonly RingKey[] {
    return [...this.keys.values()];
  }
}

function parseEntry(entry: string, place: number): { id: string; hex: string } {
  const colon = entry.indexOf(':');
  if (colon < 0) throw new KeyRingError(`entry ${place} must read id:key`);
  const id = entry.slice(0, colon);
  const hex = entry.slice(colon + 1);
  if (!KEY_ID.test(id)) throw new KeyRingError(`the id of entry ${place} must be 1 to 32 letters, digits, "_" or "-"`);
  if (!KEY_HEX.test(hex)) throw new KeyRingError(`the key of entry ${place} must be 32 bytes as 64 hex digits`);
  return { id, hex: hex.toLowerCase() };
}

function toRingKey(id: string, hex: string): RingKey {
  const bytes = Buffer.from(hex, 'hex');
  // The ring's keys are evenly random already, so HKDF needs no salt (RFC 5869 §3.1).
  const derived = Buffer.from(hkdfSync('sha256', bytes, '', FINGERPRINT_KEY_INFO, 32));
  try {
    return {
      id,
      wrappingKey: createSecretKey(bytes).toCryptoKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']),
      fingerprintKey: toHmacKey(createSecretKey(derived)),
    };
  } finally {
    bytes.fill(0);
    derived.fill(0);
  }
}

function toHmacKey(key: KeyObject): CryptoKey {
  return key.toCryptoKey({ name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
}
