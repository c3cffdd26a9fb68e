import { randomBytes, timingSafeEqual } from 'node:crypto';
import { SECRET_HASH_BYTES } from './key-format';

const FIRST_CAPACITY = 1024;

/** The place of a hash in the table. */
export type HashSlot = number;

/** Equals no key's hash: an unknown public id is compared with it, and takes as long as a known one. */
export const DUMMY_SLOT: HashSlot = 0;

/**
 * Hashes side by side in one Buffer that grows: a Buffer for each of 100,000 keys would cost
 * several times the 32 bytes it holds.
 */
export class SecretHashTable {
  private bytes = Buffer.alloc(FIRST_CAPACITY * SECRET_HASH_BYTES);
  private used = 1;
  private readonly freed: HashSlot[] = [];
  private readonly candidate = Buffer.alloc(SECRET_HASH_BYTES);

  constructor() {
    randomBytes(SECRET_HASH_BYTES).copy(this.bytes, DUMMY_SLOT);
  }

  add(hash: Uint8Array): HashSlot {
    if (hash.length !== SECRET_HASH_BYTES) throw new RangeError(`a hash has ${SECRET_HASH_BYTES} bytes`);
    const slot = this.freed.pop() ?? this.used++;
    if (this.used * SECRET_HASH_BYTES > this.bytes.length) this.grow();
    this.bytes.set(hash, slot * SECRET_HASH_BYTES);
    return slot;
  }

  remove(slot: HashSlot): void {
    const offset = slot * SECRET_HASH_BYTES;
    this.bytes.fill(0, offset, offset + SECRET_HASH_BYTES);
    this.freed.push(slot);
  }

  /** In constant time. Never true for DUMMY_SLOT. */
  matches(slot: HashSlot, hash: Buffer): boolean {
    const offset = slot * SECRET_HASH_BYTES;
    // Copied and not cut out: a view would be an allocation on every request.
    this.bytes.copy(this.candidate, 0, offset, offset + SECRET_HASH_BYTES);
    const equal = timingSafeEqual(this.candidate, hash);
    return equal && slot !== DUMMY_SLOT;
  }

  private grow(): void {
    const grown = Buffer.alloc(this.bytes.length * 2);
    this.bytes.copy(grown);
    this.bytes = grown;
  }
}
