import { WeirError } from '@weir/kernel';
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { AUDIO_HEAD_BYTES, type AudioMediaType, requireAudioType } from './audio-type';

/** A recording on its way into the store: its type is known from its first bytes, its length and hash at its end. */
export class SampleStream {
  bytes = 0;
  readonly content: Readable;
  private readonly hash = createHash('sha256');

  private constructor(
    readonly mediaType: AudioMediaType,
    head: readonly Buffer[],
    source: AsyncIterator<Buffer>,
    original: Readable,
    private readonly maxBytes: number,
  ) {
    this.content = Readable.from(this.pass(head, source), { objectMode: false });
    // Who reads it is told; nobody else needs to be.
    this.content.on('error', () => undefined);
    // Whoever waits for the store must hear at once that its sender is gone, not with the next chunk.
    original.once('error', (error) => this.content.destroy(error));
  }

  /**
   * Reads as much of `content` as tells its type.
   * @throws WeirError invalid_request that names `audio_sample`; an error of `content` as it is
   */
  static async begin(content: Readable, announced: string | null, maxBytes: number): Promise<SampleStream> {
    const source: AsyncIterator<Buffer> = content[Symbol.asyncIterator]();
    const head: Buffer[] = [];
    let length = 0;
    while (length < AUDIO_HEAD_BYTES) {
      const next = await source.next();
      if (next.done === true) break;
      head.push(next.value);
      length += next.value.length;
    }
    try {
      const mediaType = requireAudioType(Buffer.concat(head).subarray(0, AUDIO_HEAD_BYTES), announced);
      return new SampleStream(mediaType, head, source, content, maxBytes);
    } catch (error) {
      await source.return?.();
      throw error;
    }
  }

  /** When `content` has ended. */
  get sha256(): Buffer {
    return this.hash.copy().digest();
  }

  private async *pass(head: readonly Buffer[], source: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
    try {
      for (const chunk of head) yield this.note(chunk);
      for (let next = await source.next(); next.done !== true; next = await source.next()) yield this.note(next.value);
    } finally {
      await source.return?.();
    }
  }

  private note(chunk: Buffer): Buffer {
    this.bytes += chunk.length;
    if (this.bytes > this.maxBytes) {
      throw new WeirError('body_too_large', { message: `The file audio_sample is larger than the ${this.maxBytes} bytes that a voice may have.`, param: 'audio_sample' });
    }
    this.hash.update(chunk);
    return chunk;
  }
}
