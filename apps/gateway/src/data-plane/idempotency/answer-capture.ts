import { type ServerResponse } from 'node:http';
import { type AnswerBytes } from './answer-bytes';
import { isWorthKeeping } from './is-worth-keeping';
import { toKeptHeaders } from './to-kept-headers';

/** An answer as a repeat gets it. */
export interface KeptAnswer {
  readonly status: number;
  /** Flat: name, value, name, value. */
  readonly headers: readonly string[];
  readonly body: Buffer;
}

/** What becomes of a key when its request has ended. */
export type CaptureResult = { readonly kind: 'kept'; readonly answer: KeptAnswer } | { readonly kind: 'too_large' } | { readonly kind: 'freed' };

/** How the request ended. */
export interface CaptureEnd {
  /** Everything was written, and to a caller that stayed: false for a stream that was broken or aborted. */
  readonly isWhole: boolean;
  /** How often an upstream was called. */
  readonly attempts: number;
}

/** Listens to the answer of the one request that runs under an Idempotency-Key. */
export class AnswerCapture {
  private status = 0;
  private headers: readonly string[] = [];
  private hasEnded = false;

  constructor(
    private readonly bytes: AnswerBytes,
    /** `release` is called when the answer's bytes are needed no more. */
    private readonly onEnd: (result: CaptureResult, release: () => void) => void,
  ) {}

  /** Takes everything from a response by itself, from now on. */
  attach(response: ServerResponse): void {
    const writeHead = response.writeHead.bind(response) as (...parameters: unknown[]) => ServerResponse;
    const write = response.write.bind(response) as (...parameters: unknown[]) => boolean;
    const end = response.end.bind(response) as (...parameters: unknown[]) => ServerResponse;
    response.writeHead = (status: number, ...rest: unknown[]) => {
      this.head(status, toFlatHeaders(rest[rest.length - 1]));
      return writeHead(status, ...rest);
    };
    response.write = (...parameters: unknown[]) => {
      this.take(parameters[0], parameters[1]);
      return write(...parameters);
    };
    response.end = (...parameters: unknown[]) => {
      this.take(parameters[0], parameters[1]);
      return end(...parameters);
    };
  }

  /** @param headers flat: name, value, name, value */
  head(status: number, headers: readonly string[]): void {
    this.status = status;
    this.headers = toKeptHeaders(headers);
  }

  chunk(bytes: Uint8Array): void {
    if (!this.hasEnded) this.bytes.append(bytes);
  }

  /** The request is over. Nobody waits for what follows from it, and it never throws; a second call changes nothing. */
  finish({ isWhole, attempts }: CaptureEnd): void {
    this.end(isWhole && isWorthKeeping(this.status, attempts) ? this.toResult() : { kind: 'freed' });
  }

  /** Frees the key: a repeat runs anew. */
  abandon(): void {
    this.end({ kind: 'freed' });
  }

  private toResult(): CaptureResult {
    const body = this.bytes.read();
    if (body === null) return { kind: 'too_large' };
    return { kind: 'kept', answer: { status: this.status, headers: this.headers, body } };
  }

  private end(result: CaptureResult): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    const release = (): void => this.bytes.release();
    if (result.kind !== 'kept') release();
    this.onEnd(result, release);
  }

  private take(chunk: unknown, encoding: unknown): void {
    if (chunk instanceof Uint8Array) this.chunk(chunk);
    else if (typeof chunk === 'string') this.chunk(Buffer.from(chunk, typeof encoding === 'string' && Buffer.isEncoding(encoding) ? encoding : 'utf8'));
  }
}

function toFlatHeaders(headers: unknown): string[] {
  if (Array.isArray(headers)) return headers.flat().map(String);
  if (typeof headers !== 'object' || headers === null) return [];
  return Object.entries(headers).flatMap(([name, value]) => [name, String(value)]);
}
