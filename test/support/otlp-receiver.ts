import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { type ReceivedSpan, readOtlpSpans } from './read-otlp-spans';
import { waitFor } from './wait-for';

export interface OtlpPost {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** A collector of traces, as far as OTLP over HTTP asks for one: takes protobuf at any path and reads it. */
export class OtlpReceiver {
  readonly posts: OtlpPost[] = [];
  /** `hangs`: it takes the bytes and never answers. */
  mode: 'takes' | 'refuses' | 'hangs' = 'takes';
  readonly #server: Server;
  #port = 0;

  private constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        if (this.mode === 'hangs') return;
        if (this.mode === 'refuses') {
          response.writeHead(400, { 'content-type': 'text/plain' }).end('no spans today');
          return;
        }
        this.posts.push({ path: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks) });
        response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
      });
    });
  }

  /** @param port 0 for a free one */
  static async start(port = 0): Promise<OtlpReceiver> {
    const receiver = new OtlpReceiver();
    await new Promise<void>((resolve) => receiver.#server.listen(port, '127.0.0.1', resolve));
    receiver.#port = (receiver.#server.address() as AddressInfo).port;
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get spans(): ReceivedSpan[] {
    return this.posts.flatMap(({ body }) => readOtlpSpans(body));
  }

  /** The spans of a call, its own one first, once there are `count` of them below it. */
  async waitForCall(requestId: string | null, count: number): Promise<{ call: ReceivedSpan; attempts: ReceivedSpan[] }> {
    if (requestId === null) throw new Error('the answer had no x-request-id');
    return waitFor(
      () => {
        const spans = this.spans;
        const call = spans.find((span) => span.attributes['weir.request_id'] === requestId);
        if (call === undefined) return null;
        const attempts = spans.filter(({ traceId, parentSpanId }) => traceId === call.traceId && parentSpanId === call.spanId);
        return attempts.length < count ? null : { call, attempts };
      },
      { what: `a call's span and ${count} of its attempts`, timeoutMs: 20_000 },
    );
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
