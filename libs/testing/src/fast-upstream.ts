import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

export interface FastUpstreamOptions {
  readonly port?: number;
  /** The size of the JSON body that a call without `"stream":true` gets. */
  readonly answerBytes?: number;
  /** What a call with `"stream":true` gets: so many content chunks, with so much time between them. */
  readonly streamChunks?: number;
  readonly streamGapMs?: number;
}

const HEAD_END = Buffer.from('\r\n\r\n');
const STREAM_MARK = Buffer.from('"stream":true');
const chunk = (model: object): string => `data: ${JSON.stringify(model)}\n\n`;
const frame = (body: string): Buffer => Buffer.from(`${Buffer.byteLength(body).toString(16)}\r\n${body}\r\n`);

function toAnswer(answerBytes: number): Buffer {
  const answer = (content: string): string =>
    JSON.stringify({
      id: 'chatcmpl-fast',
      object: 'chat.completion',
      created: 1_763_600_000,
      model: 'fast',
      choices: [{ index: 0, message: { role: 'assistant', content, refusal: null }, logprobs: null, finish_reason: 'stop' }],
      usage: { prompt_tokens: 100, completion_tokens: 50, total_tokens: 150 },
    });
  const body = answer('x'.repeat(Math.max(0, answerBytes - Buffer.byteLength(answer('')))));
  return Buffer.from(
    `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

/** The pieces of a streamed answer, each already framed: head with the role, content chunks, and the end. */
function toStream(streamChunks: number): Buffer[] {
  const common = { id: 'chatcmpl-fast', object: 'chat.completion.chunk', created: 1_763_600_000, model: 'fast' };
  const toChunk = (delta: object, finishReason: string | null = null): string =>
    chunk({ ...common, choices: [{ index: 0, delta, logprobs: null, finish_reason: finishReason }], usage: null });
  const usage = chunk({ ...common, choices: [], usage: { prompt_tokens: 100, completion_tokens: streamChunks, total_tokens: 100 + streamChunks } });
  const head = Buffer.from('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n');
  const content = frame(toChunk({ content: 'word ' }));
  return [
    Buffer.concat([head, frame(toChunk({ role: 'assistant', content: '' }))]),
    ...Array.from({ length: streamChunks }, () => content),
    Buffer.concat([frame(toChunk({}, 'stop') + usage + 'data: [DONE]\n\n'), Buffer.from('0\r\n\r\n')]),
  ];
}

/** Where the first request of the buffer ends, and whether it asks for a stream; null while it is not whole. */
function findRequest(received: Buffer): { end: number; streams: boolean } | null {
  const headEnd = received.indexOf(HEAD_END);
  if (headEnd === -1) return null;
  const bodyStart = headEnd + HEAD_END.length;
  const length = /\r\ncontent-length: *(\d+)/i.exec(received.toString('latin1', 0, headEnd));
  const end = bodyStart + (length === null ? 0 : Number(length[1]));
  if (received.length < end) return null;
  return { end, streams: received.subarray(bodyStart, end).includes(STREAM_MARK) };
}

/**
 * An upstream for benchmarks: answers bytes made beforehand, on bare sockets, so that what is
 * measured is the gateway. It reads requests with a content-length only, and records nothing.
 */
export class FastUpstream {
  readonly #answer: Buffer;
  readonly #stream: readonly Buffer[];
  readonly #options: FastUpstreamOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(options: FastUpstreamOptions = {}) {
    this.#options = options;
    this.#answer = toAnswer(options.answerBytes ?? 700);
    this.#stream = toStream(options.streamChunks ?? 100);
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
  }

  /** @returns the port. */
  async start(): Promise<number> {
    this.#server.listen(this.#options.port ?? 0, '127.0.0.1');
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #accept(socket: Socket): void {
    let received: Buffer = Buffer.alloc(0);
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => this.#sockets.delete(socket));
    socket.on('data', (piece: Buffer) => {
      received = received.length === 0 ? piece : Buffer.concat([received, piece]);
      for (let request = findRequest(received); request !== null; request = findRequest(received)) {
        received = received.subarray(request.end);
        if (request.streams) this.#sendStream(socket);
        else socket.write(this.#answer);
      }
    });
  }

  #sendStream(socket: Socket): void {
    const gapMs = this.#options.streamGapMs ?? 0;
    if (gapMs === 0) {
      for (const piece of this.#stream) socket.write(piece);
      return;
    }
    let index = 0;
    const timer = setInterval(() => {
      if (socket.destroyed) clearInterval(timer);
      else socket.write(this.#stream[index++]);
      if (index === this.#stream.length) clearInterval(timer);
    }, gapMs);
  }
}
