import { randomFillSync } from 'node:crypto';

/** Random bytes are drawn in blocks: one system call for some 400 ids instead of one each. */
const POOL_BYTES = 4000;
const pool = Buffer.allocUnsafe(POOL_BYTES);
let poolOffset = POOL_BYTES;

const HEX_DIGITS = Buffer.from('0123456789abcdef');

/** The id that was made last: of the next one in the same millisecond, only what is random is written anew. */
const text = Buffer.from('00000000-0000-7000-8000-000000000000');
let textMs = 0;

/**
 * A UUID version 7 (RFC 9562 §5.7): 48 bits of `nowMs` (milliseconds since the epoch), then 74
 * random bits.
 */
export function uuidV7(nowMs: number): string {
  if (poolOffset + 10 > POOL_BYTES) {
    randomFillSync(pool);
    poolOffset = 0;
  }
  if (nowMs !== textMs) writeTime(nowMs);
  const random = poolOffset;
  poolOffset += 10;
  // Of the first two bytes of either half, version and variant have taken some bits.
  text[15] = HEX_DIGITS[pool[random] & 0x0f];
  writeByte(16, pool[random + 1]);
  text[19] = HEX_DIGITS[0x8 | ((pool[random + 2] >>> 4) & 0x3)];
  text[20] = HEX_DIGITS[pool[random + 2] & 0x0f];
  writeByte(21, pool[random + 3]);
  for (let index = 4; index < 10; index++) writeByte(16 + 2 * index, pool[random + index]);
  // Read as one: put together from pieces, the id would be a tree of strings that lives for long.
  return text.toString('latin1');
}

function writeTime(nowMs: number): void {
  const high = Math.floor(nowMs / 0x10000);
  const low = nowMs % 0x10000;
  writeByte(0, (high >>> 24) & 0xff);
  writeByte(2, (high >>> 16) & 0xff);
  writeByte(4, (high >>> 8) & 0xff);
  writeByte(6, high & 0xff);
  writeByte(9, low >>> 8);
  writeByte(11, low & 0xff);
  textMs = nowMs;
}

function writeByte(at: number, byte: number): void {
  text[at] = HEX_DIGITS[byte >>> 4];
  text[at + 1] = HEX_DIGITS[byte & 0x0f];
}
