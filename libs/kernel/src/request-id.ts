import { randomFillSync } from 'node:crypto';

/** Random bytes are drawn in blocks: one system call for some 400 ids instead of one each. */
const POOL_BYTES = 4000;
const pool = Buffer.allocUnsafe(POOL_BYTES);
let poolOffset = POOL_BYTES;

const HEX_DIGITS = Buffer.from('0123456789abcdef');
const HYPHEN = 0x2d;
/** Where the hyphens stand: before these bytes. */
const AFTER_HYPHEN = [4, 6, 8, 10];

const bytes = Buffer.alloc(16);
const text = Buffer.alloc(36);

/**
 * A UUID version 7 (RFC 9562 §5.7): 48 bits of `nowMs` (milliseconds since the epoch), then 74
 * random bits.
 */
export function uuidV7(nowMs: number): string {
  if (poolOffset + 10 > POOL_BYTES) {
    randomFillSync(pool);
    poolOffset = 0;
  }
  const high = Math.floor(nowMs / 0x10000);
  const low = nowMs % 0x10000;
  bytes[0] = high >>> 24;
  bytes[1] = high >>> 16;
  bytes[2] = high >>> 8;
  bytes[3] = high;
  bytes[4] = low >>> 8;
  bytes[5] = low;
  for (let index = 0; index < 10; index += 1) bytes[6 + index] = pool[poolOffset + index];
  poolOffset += 10;
  bytes[6] = 0x70 | (bytes[6] & 0x0f);
  bytes[8] = 0x80 | (bytes[8] & 0x3f);
  return toText();
}

/** Written into one buffer and read once: put together from pieces, the id would be a tree of strings that lives for long. */
function toText(): string {
  let position = 0;
  for (let index = 0; index < 16; index += 1) {
    if (AFTER_HYPHEN.includes(index)) text[position++] = HYPHEN;
    text[position++] = HEX_DIGITS[bytes[index] >>> 4];
    text[position++] = HEX_DIGITS[bytes[index] & 0x0f];
  }
  return text.toString('latin1');
}
