import { STATUS_CODES, type OutgoingHttpHeaders } from 'node:http';
import { gzipSync } from 'node:zlib';
import { AZURE_ERRORS, type AzureErrorName, OPENAI_ERRORS, type OpenAiErrorName, toOpenAiErrorBody } from './error-bodies';
import { echo } from './echo';
import { type Exchange, Reply } from './reply';
import { playSteps, type Step } from './step';

const JSON_TYPE = 'application/json';

function whole(status: number, contentType: string, body: string | Uint8Array, own: OutgoingHttpHeaders = {}): Reply {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  return new Reply(async ({ response }, headers) => {
    response.writeHead(status, { 'content-type': contentType, 'content-length': bytes.length, ...own, ...headers });
    await new Promise<void>((resolve) => response.end(bytes, resolve));
  });
}

function piecewise(status: number, contentType: string, steps: readonly Step[]): Reply {
  return new Reply(async (exchange, headers) => {
    exchange.response.writeHead(status, { 'content-type': contentType, ...headers });
    exchange.response.flushHeaders();
    if (await playSteps(exchange, steps, exchange.write)) await endCleanly(exchange);
  });
}

const endCleanly = ({ response }: Exchange): Promise<void> => new Promise((resolve) => response.end(resolve));

/** Writes the head by hand, so that it may lie. The connection is closed at the end. */
function handwritten(head: string, steps: readonly Step[]): Reply {
  return new Reply(async (exchange) => {
    if (head !== '') await exchange.writeRaw(head);
    if (await playSteps(exchange, steps, exchange.writeRaw)) exchange.close();
  });
}

const okHead = (headers: string): string => `HTTP/1.1 200 OK\r\ncontent-type: ${JSON_TYPE}\r\n${headers}\r\n\r\n`;

function* slice(body: Buffer, pieceBytes: number): Generator<Buffer> {
  for (let start = 0; start < body.length; start += pieceBytes) yield body.subarray(start, start + pieceBytes);
}

/** Everything an upstream can do to a caller. Read: `simulator.enqueue(respond.status(503).after(gate))`. */
export const respond = {
  /** The default: OpenAI's answer, streamed or not, with the last user message as its text. */
  echo: (): Reply => new Reply(echo),

  json: (body: unknown, status = 200): Reply => whole(status, JSON_TYPE, JSON.stringify(body)),

  /** A status with a body: an object goes as JSON, text as it is; OpenAI's error shape when left out. */
  status: (status: number, body?: unknown): Reply => {
    if (typeof body === 'string') return whole(status, 'text/plain; charset=utf-8', body);
    return respond.json(body ?? toOpenAiErrorBody(STATUS_CODES[status] ?? 'Error', 'server_error', null), status);
  },

  openAiError: (name: OpenAiErrorName): Reply => respond.json({ error: OPENAI_ERRORS[name].error }, OPENAI_ERRORS[name].status),
  azureError: (name: AzureErrorName): Reply => respond.json({ error: AZURE_ERRORS[name].error }, AZURE_ERRORS[name].status),

  /** A 429 in OpenAI's shape that says, in either header or both or neither, how long to wait. */
  rateLimited: (wait: { retryAfterSeconds?: number | string; retryAfterMs?: number } = {}): Reply =>
    respond.openAiError('rate_limit_exceeded').withHeaders({
      ...(wait.retryAfterSeconds === undefined ? {} : { 'retry-after': String(wait.retryAfterSeconds) }),
      ...(wait.retryAfterMs === undefined ? {} : { 'retry-after-ms': String(wait.retryAfterMs) }),
    }),

  /** A chunked event stream; each step of bytes is a chunk of its own. Ends cleanly unless a step says otherwise. */
  stream: (...steps: readonly Step[]): Reply => piecewise(200, 'text/event-stream; charset=utf-8', steps),

  /** A chunked body of any type. */
  pieces: (contentType: string, ...steps: readonly Step[]): Reply => piecewise(200, contentType, steps),

  /** The bytes of a whole answer, head and all, as they stand; then the connection is closed. */
  raw: (...steps: readonly Step[]): Reply => handwritten('', steps),

  /** Never a byte: stalls before the head, until the client leaves. */
  never: (): Reply => new Reply((exchange) => exchange.waitFor('forever')),

  /** The head, then never a byte of the body. */
  headOnly: (contentType = 'text/event-stream'): Reply =>
    piecewise(200, contentType, [{ ending: 'stall' }]),

  resetBeforeHead: (): Reply => new Reply(async (exchange) => exchange.reset()),
  closeBeforeHead: (): Reply => new Reply(async (exchange) => exchange.close()),
  /** A TCP reset in the middle of the head. */
  resetInHead: (): Reply => handwritten('HTTP/1.1 200 OK\r\ncontent-ty', [{ ending: 'reset' }]),
  /** A JSON answer with a length, broken by a TCP reset in its middle. */
  resetMidBody: (body: string): Reply =>
    handwritten(okHead(`content-length: ${Buffer.byteLength(body) + 1}`), [body, { ending: 'reset' }]),

  /** Promises more (or fewer) bytes than it sends, then closes. */
  wrongContentLength: (body: string, declaredBytes: number): Reply => handwritten(okHead(`content-length: ${declaredBytes}`), [body]),
  /** A chunked body whose last chunk is shorter than announced and whose end never comes. */
  truncatedChunked: (body: string): Reply =>
    handwritten(okHead('transfer-encoding: chunked'), [`${(Buffer.byteLength(body) + 10).toString(16)}\r\n${body}`]),
  /** Neither a length nor chunks: only the close tells the end. */
  untilClose: (body: string): Reply => handwritten(okHead('connection: close'), [body]),

  notJson: (body = '{"id":"chatcmpl-1","object":"chat.comp'): Reply => whole(200, JSON_TYPE, body),
  html: (status = 200): Reply => whole(status, 'text/html', '<html><body><h1>Bad Gateway</h1></body></html>'),
  empty: (status = 200): Reply => whole(status, JSON_TYPE, ''),
  redirect: (location: string, status = 302): Reply => whole(status, 'text/plain', '', { location }),
  gzip: (body: unknown): Reply => whole(200, JSON_TYPE, gzipSync(JSON.stringify(body)), { 'content-encoding': 'gzip' }),
  huge: (bodyBytes: number): Reply => whole(200, JSON_TYPE, `{"filler":"${'x'.repeat(Math.max(0, bodyBytes - 13))}"}`),
  hugeHeaders: (headerBytes: number): Reply => respond.json({}).withHeaders({ 'x-filler': 'x'.repeat(headerBytes) }),
  /** With the length in the head, but the bytes come a few at a time. */
  slowly: (body: string, options: { pieceBytes: number; gapMs: number }): Reply =>
    new Reply(async (exchange, headers) => {
      const bytes = Buffer.from(body);
      exchange.response.writeHead(200, { 'content-type': JSON_TYPE, 'content-length': bytes.length, ...headers });
      for (const piece of slice(bytes, options.pieceBytes)) {
        await exchange.write(piece);
        await exchange.waitFor(options.gapMs);
      }
      await endCleanly(exchange);
    }),
};
