import { type IncomingMessage } from 'node:http';
import { WeirError } from '@weir/kernel';

/** A request's body on its way in. */
export class BodyReader {
  private first: Buffer | null = null;
  private more: Buffer[] | null = null;
  private length = 0;
  private reject: (error: WeirError) => void = () => undefined;

  constructor(
    private readonly request: IncomingMessage,
    private readonly maxBytes: number,
  ) {}

  /**
   * The whole body.
   * @throws WeirError body_too_large as soon as it is known, client_closed_request after `abandon`
   */
  read(): Promise<Buffer> {
    const announced = this.request.headers['content-length'];
    if (announced !== undefined && Number(announced) > this.maxBytes) return Promise.reject(tooLarge(this.maxBytes));
    return new Promise((resolve, reject) => {
      this.reject = reject;
      this.request.on('data', (chunk: Buffer) => this.take(chunk));
      this.request.on('end', () => resolve(this.more !== null ? Buffer.concat(this.more, this.length) : (this.first ?? EMPTY)));
    });
  }

  /** The caller has left: what is missing will not come. */
  abandon(): void {
    this.reject(new WeirError('client_closed_request'));
  }

  private take(chunk: Buffer): void {
    this.length += chunk.length;
    if (this.length > this.maxBytes) {
      // What still comes is thrown away by whoever sends the refusal.
      this.request.removeAllListeners('data');
      this.reject(tooLarge(this.maxBytes));
    } else if (this.first === null) this.first = chunk;
    else if (this.more === null) this.more = [this.first, chunk];
    else this.more.push(chunk);
  }
}

const EMPTY = Buffer.alloc(0);

function tooLarge(maxBytes: number): WeirError {
  return new WeirError('body_too_large', { message: `The body is larger than the ${maxBytes} bytes that this server takes.` });
}
