import { randomFillSync } from 'node:crypto';

/** Random bytes are drawn in blocks: one system call for some 400 ids instead of one each. */
const POOL_BYTES = 4000;
const pool = Buffer.allocUnsafe(POOL_BYTES);
let poolOffset = POOL_BYTES;

const HEX: string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/**
 * A UUID version 7 (RFC 9562 §5.7): 48 bits of `nowMs` (milliseconds since the epoch), then 74
 * random bits.
 */
export function uuidV7(nowMs: number): string {
  if (poolOffset + 10 > POOL_BYTES) {
    randomFillSync(pool);
    poolOffset = 0;
  }
  const offset = poolOffset;
  poolOffset += 10;
  const high = Math.floor(nowMs / 0x10000);
  const low = nowMs % 0x10000;
  return (
    HEX[(high >>> 24) & 0xff] +
    HEX[(high >>> 16) & 0xff] +
    HEX[(high >>> 8) & 0xff] +
    HEX[high & 0xff] +
    '-' +
    HEX[(low >>> 8) & 0xff] +
    HEX[low & 0xff] +
    '-' +
    HEX[0x70 | (pool[offset] & 0x0f)] +
    HEX[pool[offset + 1]] +
    '-' +
    HEX[0x80 | (pool[offset + 2] & 0x3f)] +
    HEX[pool[offset + 3]] +
    '-' +
    HEX[pool[offset + 4]] +
    HEX[pool[offset + 5]] +
    HEX[pool[offset + 6]] +
    HEX[pool[offset + 7]] +
    HEX[pool[offset + 8]] +
    HEX[pool[offset + 9]]
  );
}
