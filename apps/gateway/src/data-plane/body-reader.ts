import { type IncomingMessage } from 'node:http';
import { WeirError } from '@weir/kernel';

/** A body that does not come in one piece is gathered in a buffer of this size at least. */
const SMALLEST_BUFFER_BYTES = 16 * 1024;

/** A request's body on its way in. */
export class BodyReader {
  /** What has come so far, in its first `length` bytes. */
  private bytes: Buffer = EMPTY;
  private length = 0;
  /** `bytes` was made here; the first chunk is kept as it came, because mostly it is the whole body. */
  private isOwn = false;
  private reject: (error: WeirError) => void = ignore;

  constructor(
    private readonly request: IncomingMessage,
    private readonly maxBytes: number,
  ) {}

  /** What has come: all of it once `read` has resolved. */
  get body(): Buffer {
    return this.bytes.length === this.length ? this.bytes : this.bytes.subarray(0, this.length);
  }

  /**
   * Resolves when the body is whole. Not to the body: a promise looks for a `then` in what it resolves to,
   * and a buffer inherits from many.
   * @throws WeirError body_too_large as soon as it is known, client_closed_request after `abandon`
   */
  read(): Promise<void> {
    const announced = this.request.headers['content-length'];
    // With fewer digits it is smaller, and need not be made a number.
    if (announced !== undefined && announced.length >= String(this.maxBytes).length && Number(announced) > this.maxBytes) {
      return Promise.reject(tooLarge(this.maxBytes));
    }
    return new Promise((resolve, reject) => {
      this.reject = reject;
      this.request.on('data', (chunk: Buffer) => this.take(chunk));
      this.request.on('end', () => resolve());
    });
  }

  /** The caller has left: what is missing will not come. */
  abandon(): void {
    this.reject(new WeirError('client_closed_request'));
  }

  private take(chunk: Buffer): void {
    const length = this.length + chunk.length;
    if (length > this.maxBytes) {
      // What still comes is thrown away by whoever sends the refusal.
      this.request.removeAllListeners('data');
      this.reject(tooLarge(this.maxBytes));
    } else if (this.length === 0) {
      this.bytes = chunk;
    } else {
      this.makeRoom(length);
      chunk.copy(this.bytes, this.length);
    }
    this.length = length;
  }

  /** Copied as they come: kept as objects, chunks of one byte each would take a hundred times their body's memory. */
  private makeRoom(length: number): void {
    if (this.isOwn && length <= this.bytes.length) return;
    // Doubled, so that all copying together is linear.
    const bytes = Buffer.allocUnsafe(Math.max(SMALLEST_BUFFER_BYTES, Math.min(2 * length, this.maxBytes)));
    this.bytes.copy(bytes, 0, 0, this.length);
    this.bytes = bytes;
    this.isOwn = true;
  }
}

const EMPTY = Buffer.alloc(0);
const ignore = (): void => undefined;

function tooLarge(maxBytes: number): WeirError {
  return new WeirError('body_too_large', { message: `The body is larger than the ${maxBytes} bytes that this server takes.` });
}
