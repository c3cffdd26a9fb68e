import { type IncomingHttpHeaders } from 'node:http';
import { AttemptAbortedError, type TransportController, type TransportHandler, type UpstreamTransport } from '@weir/upstreams';

/** What an upstream answered, whole. */
export interface FetchedAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface FetchPlace {
  readonly origin: string;
  readonly path: string;
  /** Flat: name, value, name, value. */
  readonly headers: string[];
}

export interface FetchLimits {
  /** From the request's end to the answer's head, and between two pieces of it. */
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

/** One small request to an upstream beside an attempt. */
export class UpstreamFetch implements TransportHandler {
  private controller: TransportController | null = null;
  private isAborted = false;
  private status = 0;
  private headers: IncomingHttpHeaders = {};
  private readonly chunks: Buffer[] = [];
  private bytes = 0;
  private resolve: (answer: FetchedAnswer | null) => void = () => undefined;

  constructor(
    private readonly transport: Pick<UpstreamTransport, 'dispatch'>,
    private readonly limits: FetchLimits,
  ) {}

  /** Null when there is no whole answer: no connection, a broken or an aborted one, or too much. Never rejects. */
  send(method: 'GET' | 'DELETE', { origin, path, headers }: FetchPlace): Promise<FetchedAnswer | null> {
    return new Promise((resolve) => {
      this.resolve = resolve;
      this.transport.dispatch(origin, method, path, headers, null, this.limits.timeoutMs, this.limits.timeoutMs, this);
    });
  }

  abort(): void {
    this.isAborted = true;
    this.controller?.abort(new AttemptAbortedError());
    this.resolve(null);
  }

  onRequestStart(controller: TransportController): void {
    this.controller = controller;
    if (this.isAborted) controller.abort(new AttemptAbortedError());
  }

  onResponseStart(_controller: TransportController, status: number, headers: IncomingHttpHeaders): void {
    this.status = status;
    this.headers = headers;
  }

  onResponseData(_controller: TransportController, chunk: Buffer): void {
    this.bytes += chunk.length;
    if (this.bytes > this.limits.maxBytes) this.abort();
    else this.chunks.push(chunk);
  }

  onResponseEnd(): void {
    this.resolve({ status: this.status, headers: this.headers, body: Buffer.concat(this.chunks) });
  }

  onResponseError(): void {
    this.resolve(null);
  }
}
