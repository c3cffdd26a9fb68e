import { type CipherGCM, createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto';
import { ArchiveError } from './archive-error';

/** What one piece holds at most, before it is sealed. */
const PIECE_BYTES = 256 * 1024;
const LENGTH_BYTES = 4;
const TAG_BYTES = 16;
const PREFIX_BYTES = 7;
const KEY_BYTES = 32;
/** 128 MB and some tenths of a second for each guess of a passphrase. */
const SCRYPT = { N: 2 ** 17, r: 8, p: 1, maxmem: 256 * 1024 * 1024 };

/** How a stream is sealed: written in front of it, and part of what is sealed. */
export interface Seal {
  readonly salt: string;
  readonly prefix: string;
}

export const newSeal = (): Seal => ({ salt: randomBytes(16).toString('hex'), prefix: randomBytes(PREFIX_BYTES).toString('hex') });

/**
 * Encrypts with AES-256-GCM, piece by piece. Each piece's nonce holds its number and whether it is the
 * last: none can be left out, moved or cut off, and nothing is believed before it is checked.
 */
export async function* sealStream(source: AsyncIterable<Buffer>, passphrase: string, seal: Seal): AsyncGenerator<Buffer> {
  const key = await deriveKey(passphrase, seal);
  let number = 0;
  let held: Buffer | null = null;
  for await (const piece of toPieces(source)) {
    if (held !== null) yield sealPiece(held, key, seal, number++, false);
    held = piece;
  }
  yield sealPiece(held ?? Buffer.alloc(0), key, seal, number, true);
}

/** @throws ArchiveError when the passphrase is another one, or a byte is not as it was written. */
export async function* openStream(source: AsyncIterable<Buffer>, passphrase: string, seal: Seal): AsyncGenerator<Buffer> {
  const key = await deriveKey(passphrase, seal);
  let number = 0;
  let held: Buffer | null = null;
  for await (const piece of readSealedPieces(source)) {
    if (held !== null) yield openPiece(held, key, seal, number++, false);
    held = piece;
  }
  if (held === null) throw new ArchiveError('the backup is cut off');
  yield openPiece(held, key, seal, number, true);
}

function deriveKey(passphrase: string, { salt }: Seal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(passphrase, Buffer.from(salt, 'hex'), KEY_BYTES, SCRYPT, (error, key) => (error === null ? resolve(key) : reject(error)));
  });
}

function toNonce({ prefix }: Seal, number: number, isLast: boolean): Buffer {
  const counter = Buffer.alloc(LENGTH_BYTES);
  counter.writeUInt32BE(number);
  return Buffer.concat([Buffer.from(prefix, 'hex'), counter, Buffer.from([isLast ? 1 : 0])]);
}

function sealPiece(piece: Buffer, key: Buffer, seal: Seal, number: number, isLast: boolean): Buffer {
  const cipher: CipherGCM = createCipheriv('aes-256-gcm', key, toNonce(seal, number, isLast));
  cipher.setAAD(toAssociatedData(seal));
  const sealed = Buffer.concat([cipher.update(piece), cipher.final(), cipher.getAuthTag()]);
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(sealed.length);
  return Buffer.concat([length, sealed]);
}

function openPiece(sealed: Buffer, key: Buffer, seal: Seal, number: number, isLast: boolean): Buffer {
  if (sealed.length < TAG_BYTES) throw new ArchiveError('the backup is damaged');
  const decipher = createDecipheriv('aes-256-gcm', key, toNonce(seal, number, isLast));
  decipher.setAAD(toAssociatedData(seal));
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(0, -TAG_BYTES)), decipher.final()]);
  } catch {
    throw new ArchiveError(number === 0 ? 'the passphrase is not the one of this backup, or the backup is damaged' : 'the backup is damaged or cut off');
  }
}

const toAssociatedData = ({ salt, prefix }: Seal): Buffer => Buffer.from(`weir backup 1 ${salt} ${prefix}`);

async function* toPieces(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let waiting: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of source) {
    waiting.push(chunk);
    bytes += chunk.length;
    if (bytes < PIECE_BYTES) continue;
    const all = Buffer.concat(waiting);
    let start = 0;
    for (; start + PIECE_BYTES <= all.length; start += PIECE_BYTES) yield all.subarray(start, start + PIECE_BYTES);
    waiting = [all.subarray(start)];
    bytes = all.length - start;
  }
  if (bytes > 0) yield Buffer.concat(waiting);
}

async function* readSealedPieces(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let waiting: Buffer = Buffer.alloc(0);
  for await (const chunk of source) {
    waiting = Buffer.concat([waiting, chunk]);
    for (;;) {
      if (waiting.length < LENGTH_BYTES) break;
      const length = waiting.readUInt32BE();
      if (length > PIECE_BYTES + TAG_BYTES) throw new ArchiveError('the backup is damaged');
      if (waiting.length < LENGTH_BYTES + length) break;
      yield waiting.subarray(LENGTH_BYTES, LENGTH_BYTES + length);
      waiting = waiting.subarray(LENGTH_BYTES + length);
    }
  }
  if (waiting.length > 0) throw new ArchiveError('the backup is cut off');
}
