import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type Clock, uuidV7, WeirError } from '@weir/kernel';
import {
  type DemoStamp,
  parseDemoChatRequest,
  parseDemoCompletionRequest,
  parseDemoEmbeddingsRequest,
  toDemoChatAnswer,
  toDemoChatChunks,
  toDemoCompletionAnswer,
  toDemoCompletionChunks,
  toDemoEmbeddingsAnswer,
  toDemoErrorBody,
  toDemoEvents,
  toDemoModel,
  toDemoModelList,
} from '@weir/providers';
import { readDemoBody } from './read-demo-body';
import { sendDemoEvents } from './send-demo-events';

export interface DemoServerOptions {
  readonly clock: Clock;
  /** Between the events of a stream, so that a person sees it grow. 0 sends as fast as the caller reads. */
  readonly chunkDelayMs?: number;
  readonly maxBodyBytes?: number;
  /** 0, the default, takes any free port. */
  readonly port?: number;
}

const DEFAULT_CHUNK_DELAY_MS = 15;
const DEFAULT_MAX_BODY_BYTES = 64 * 1024 * 1024;
// Longer than a caller's pool keeps an idle connection, so that a request never meets a closing one.
const KEEP_ALIVE_TIMEOUT_MS = 120_000;

/**
 * The built-in upstream behind `demo/echo`: an OpenAI-shaped server on the loopback, without a
 * key, so that the first request works before anybody has configured a provider.
 */
export class DemoServer {
  readonly #clock: Clock;
  readonly #chunkDelayMs: number;
  readonly #maxBodyBytes: number;
  readonly #port: number;
  readonly #server: Server;
  #origin: string | null = null;

  constructor(options: DemoServerOptions) {
    this.#clock = options.clock;
    this.#chunkDelayMs = options.chunkDelayMs ?? DEFAULT_CHUNK_DELAY_MS;
    this.#maxBodyBytes = options.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES;
    this.#port = options.port ?? 0;
    this.#server = createServer({ keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS }, (request, response) => {
      void this.#handle(request, response);
    });
  }

  /** Scheme, host and port: `http://127.0.0.1:41234`. The API is under `/v1`. */
  get origin(): string {
    if (this.#origin === null) throw new Error('the demo server is not started');
    return this.#origin;
  }

  async start(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the demo server has no port');
    this.#origin = `http://127.0.0.1:${address.port}`;
  }

  /** Ends every open answer at once. Call it after the callers' requests have drained. */
  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await this.#answer(request, response);
    } catch (error) {
      if (response.destroyed) return;
      // After the head only breaking off is honest: a clean end would look like a whole answer.
      if (response.headersSent) response.destroy();
      else this.#sendError(response, error instanceof WeirError ? error : new WeirError('internal_error', { cause: error }));
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '/').split('?', 1)[0];
    if (path === '/v1/models' || path.startsWith('/v1/models/')) {
      requireMethod(request, 'GET');
      this.#sendModels(path.slice('/v1/models/'.length), response);
      return;
    }
    switch (path) {
      case '/v1/chat/completions': {
        const chat = parseDemoChatRequest(await this.#readBody(request));
        const stamp = this.#stamp('chatcmpl');
        if (chat.stream) await this.#sendStream(response, toDemoChatChunks(chat, stamp));
        else sendJson(response, 200, toDemoChatAnswer(chat, stamp));
        return;
      }
      case '/v1/completions': {
        const completion = parseDemoCompletionRequest(await this.#readBody(request));
        const stamp = this.#stamp('cmpl');
        if (completion.stream) await this.#sendStream(response, toDemoCompletionChunks(completion, stamp));
        else sendJson(response, 200, toDemoCompletionAnswer(completion, stamp));
        return;
      }
      case '/v1/embeddings':
        sendJson(response, 200, toDemoEmbeddingsAnswer(parseDemoEmbeddingsRequest(await this.#readBody(request))));
        return;
      default:
        throw new WeirError('not_found');
    }
  }

  #readBody(request: IncomingMessage): Promise<unknown> {
    requireMethod(request, 'POST');
    return readDemoBody(request, this.#maxBodyBytes);
  }

  #sendStream(response: ServerResponse, chunks: Iterable<object>): Promise<void> {
    return sendDemoEvents(response, toDemoEvents(chunks), this.#chunkDelayMs);
  }

  #sendModels(encodedId: string, response: ServerResponse): void {
    const nowSeconds = Math.floor(this.#clock.nowMs() / 1000);
    sendJson(response, 200, encodedId === '' ? toDemoModelList(nowSeconds) : toDemoModel(decode(encodedId), nowSeconds));
  }

  #sendError(response: ServerResponse, error: WeirError): void {
    // What is left of a refused upload is not read: the connection cannot be used again.
    if (error.code === 'body_too_large') response.setHeader('connection', 'close');
    sendJson(response, error.status, toDemoErrorBody(error));
  }

  #stamp(prefix: string): DemoStamp {
    const nowMs = this.#clock.nowMs();
    return { id: `${prefix}-${uuidV7(nowMs).replaceAll('-', '')}`, createdSeconds: Math.floor(nowMs / 1000) };
  }
}

function requireMethod(request: IncomingMessage, method: string): void {
  if (request.method !== method) throw new WeirError('method_not_allowed');
}

function decode(encodedId: string): string {
  try {
    return decodeURIComponent(encodedId);
  } catch {
    throw new WeirError('not_found');
  }
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': bytes.length }).end(bytes);
}
