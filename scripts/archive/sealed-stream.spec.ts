import { randomBytes } from 'node:crypto';
import { ArchiveError } from './archive-error';
import { newSeal, openStream, sealStream } from './sealed-stream';

const PASSPHRASE = 'correct horse battery staple';
const seal = newSeal();

async function* toStream(...chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* chunks;
}

async function collect(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const sealAll = (...chunks: readonly Buffer[]): Promise<Buffer> => collect(sealStream(toStream(...chunks), PASSPHRASE, seal));
const openAll = (sealed: Buffer, passphrase = PASSPHRASE, chosen = seal): Promise<Buffer> => collect(openStream(toStream(sealed), passphrase, chosen));

/** Three pieces. */
const content = randomBytes(600 * 1024);
let sealed: Buffer;
beforeAll(async () => {
  sealed = await sealAll(content);
});

describe('a sealed stream', () => {
  it('gives back what was put in, however it was cut, and also nothing', async () => {
    expect(await openAll(sealed)).toEqual(content);
    expect(await collect(openStream(toStream(sealed.subarray(0, 7), sealed.subarray(7, 300_001), sealed.subarray(300_001)), PASSPHRASE, seal))).toEqual(content);
    expect(await openAll(await sealAll(content.subarray(0, 256 * 1024)))).toEqual(content.subarray(0, 256 * 1024));
    expect(await openAll(await sealAll())).toEqual(Buffer.alloc(0));
  });

  it('shows nothing of what is in it', async () => {
    const words = Buffer.from('sk-secret '.repeat(100));
    expect((await sealAll(words)).includes('sk-secret')).toBe(false);
  });

  it('opens with its own passphrase and its own seal only', async () => {
    await expect(openAll(sealed, 'another passphrase')).rejects.toThrow('the passphrase is not the one of this backup');
    await expect(openAll(sealed, PASSPHRASE, newSeal())).rejects.toThrow(ArchiveError);
  });

  const flip = (at: number): Buffer => {
    const changed = Buffer.from(sealed);
    changed[at] ^= 1;
    return changed;
  };
  const first = (): number => 4 + sealed.readUInt32BE(0);
  const second = (): number => first() + 4 + sealed.readUInt32BE(first());

  it.each<[string, () => Buffer]>([
    ['a changed byte', () => flip(1000)],
    ['a changed byte in the last piece', () => flip(sealed.length - 1)],
    ['a changed length', () => flip(3)],
    ['a length that is far too large', () => flip(0)],
    ['an end in the middle of a piece', () => sealed.subarray(0, sealed.length - 10)],
    ['a last piece that is left out', () => sealed.subarray(0, second())],
    ['a first piece that is left out', () => sealed.subarray(first())],
    ['pieces that have changed places', () => Buffer.concat([sealed.subarray(first(), second()), sealed.subarray(0, first()), sealed.subarray(second())])],
    ['a piece too many', () => Buffer.concat([sealed, sealed.subarray(0, first())])],
    ['nothing at all', () => Buffer.alloc(0)],
  ])('is not believed with %s', async (_what, change) => {
    await expect(openAll(change())).rejects.toThrow(ArchiveError);
  });
});
