import { Transform, type TransformCallback } from 'node:stream';

/** A body on its way through, ended by an error when it is longer than it may be. */
export class LimitedBody extends Transform {
  private bytes = 0;

  constructor(
    private readonly maxBytes: number,
    private readonly toError: () => Error,
  ) {
    super();
    // Whoever sends it hears of its error; until somebody does, nobody must die of it.
    this.on('error', () => undefined);
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, callback: TransformCallback): void {
    this.bytes += chunk.length;
    if (this.bytes > this.maxBytes) callback(this.toError());
    else callback(null, chunk);
  }
}
