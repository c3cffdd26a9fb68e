import { randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip, type Gunzip, type Gzip } from 'node:zlib';
import { z } from 'zod';
import { ArchiveError } from './archive-error';
import { type ArchiveRecord, parseRecord } from './archive-record';
import { newSeal, openStream, type Seal, sealStream } from './sealed-stream';

const LONGEST_HEAD = 1024;
const LINE_FEED = 0x0a;
const HEAD = z.object({
  weir_backup: z.literal(1),
  seal: z.object({ salt: z.string().regex(/^[0-9a-f]{32}$/), prefix: z.string().regex(/^[0-9a-f]{14}$/) }).nullable(),
});

/** Writes a backup, whole or not at all: sealed with the passphrase, or open where it is null. */
export async function writeArchive(path: string, records: AsyncIterable<ArchiveRecord>, passphrase: string | null): Promise<void> {
  const seal = passphrase === null ? null : newSeal();
  // A name of its own: another backup of the same second must not lose its file to this one's failure.
  const temporary = `${path}.${randomBytes(6).toString('hex')}.new`;
  const packed = through(toLines(records), createGzip());
  const body: AsyncIterable<Buffer> = passphrase === null || seal === null ? packed : sealStream(packed, passphrase, seal);
  try {
    await pipeline(withHead(seal, body), createWriteStream(temporary, { mode: 0o600, flags: 'wx', flush: true }));
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/**
 * Reads a backup. Nothing of it has been changed since it was written, or reading fails; whether it is
 * whole is known only at its `end`.
 * @throws ArchiveError when it is none, is damaged or cut off, the passphrase is missing or wrong, or it is
 *   not sealed though a passphrase was named: whoever can write to the folder of backups could put one of
 *   their own, with an admin of their own, in the place of a sealed one.
 */
export async function* readArchive(path: string, passphrase: string | null): AsyncGenerator<ArchiveRecord> {
  const { seal, headBytes } = await readHead(path);
  if (seal !== null && passphrase === null) throw new ArchiveError('the backup is encrypted: name its passphrase with --passphrase-file');
  if (seal === null && passphrase !== null) throw new ArchiveError('the backup is not encrypted, though a passphrase was named: if that is right, leave --passphrase-file out');
  const source = createReadStream(path, { start: headBytes }) as AsyncIterable<Buffer>;
  const packed = seal === null || passphrase === null ? source : openStream(source, passphrase, seal);
  let hasEnded = false;
  for await (const line of splitLines(through(packed, createGunzip()))) {
    const record = parseRecord(line);
    if (record === null || hasEnded) throw new ArchiveError('the backup is damaged, or of a newer Weir');
    hasEnded = record.kind === 'end';
    yield record;
  }
  if (!hasEnded) throw new ArchiveError('the backup is cut off');
}

export async function isSealed(path: string): Promise<boolean> {
  return (await readHead(path)).seal !== null;
}

async function* toLines(records: AsyncIterable<ArchiveRecord>): AsyncGenerator<Buffer> {
  for await (const record of records) yield Buffer.from(JSON.stringify(record) + '\n');
}

async function* withHead(seal: Seal | null, body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield Buffer.from(JSON.stringify({ weir_backup: 1, seal }) + '\n');
  yield* body;
}

/** What fails before the stream fails behind it, which pipes alone would not do. */
function through(source: AsyncIterable<Buffer>, stream: Gzip | Gunzip): AsyncIterable<Buffer> {
  pipeline(source, stream).catch((error: unknown) => {
    stream.destroy(error instanceof Error ? error : new Error('a stream failed'));
  });
  return stream;
}

async function* splitLines(source: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let waiting: Buffer[] = [];
  for await (const chunk of withPlainErrors(source)) {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
      yield Buffer.concat([...waiting, chunk.subarray(start, end)]).toString('utf8');
      waiting = [];
      start = end + 1;
    }
    waiting.push(chunk.subarray(start));
  }
  if (waiting.some((piece) => piece.length > 0)) throw new ArchiveError('the backup is cut off');
}

/** zlib's own words help nobody. */
async function* withPlainErrors(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield* source;
  } catch (error) {
    throw error instanceof ArchiveError ? error : new ArchiveError('the backup is damaged or cut off');
  }
}

async function readHead(path: string): Promise<{ seal: Seal | null; headBytes: number }> {
  const file = await open(path, 'r').catch(() => {
    throw new ArchiveError(`${path} cannot be read`);
  });
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(LONGEST_HEAD), 0, LONGEST_HEAD, 0);
    const end = buffer.subarray(0, bytesRead).indexOf('\n');
    const head = end === -1 ? null : HEAD.safeParse(parseJson(buffer.subarray(0, end).toString())).data;
    if (head == null) throw new ArchiveError(`${path} is no backup of Weir, or one of a newer Weir`);
    return { seal: head.seal, headBytes: end + 1 };
  } finally {
    await file.close();
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
