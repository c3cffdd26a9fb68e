import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type Socket } from 'node:net';
import { type Clock, ERROR_TABLE, type ErrorCode, WeirError } from '@weir/kernel';
import { toErrorBody, toOpenAiError } from '@weir/wire';
import { IdleConnections } from './idle-connections';

const HEADERS_TIMEOUT_MS = 30_000;
/** For a whole request to arrive, body included; against callers that send a byte now and then. */
const REQUEST_ARRIVAL_TIMEOUT_MS = 300_000;
const CHECK_INTERVAL_MS = 5_000;
const DRAIN_LOOK_MS = 50;

/** The data plane's HTTP server: its timeouts, its answers to what is not HTTP, and its drain. */
export class DataPlaneServer {
  readonly server: Server;
  private readonly idleConnections: IdleConnections;
  private isDraining = false;

  constructor(handle: (request: IncomingMessage, response: ServerResponse) => void, clock: Pick<Clock, 'monotonicMs'>) {
    this.server = createServer(
      {
        // Idle connections are closed by IdleConnections.
        keepAliveTimeout: 0,
        headersTimeout: HEADERS_TIMEOUT_MS,
        requestTimeout: REQUEST_ARRIVAL_TIMEOUT_MS,
        connectionsCheckingInterval: CHECK_INTERVAL_MS,
        noDelay: true,
        // Node's own refusal has an empty body; ours is below, and refuses a second Host, too.
        requireHostHeader: false,
      },
      (request, response) => {
        this.idleConnections.note(request, response);
        if (this.isDraining) response.setHeader('connection', 'close');
        if (hasOneHost(request)) handle(request, response);
        else refuse(response, new WeirError('invalid_request', { message: 'The request must have one Host header.' }));
      },
    );
    this.idleConnections = new IdleConnections(this.server, clock);
    this.server.on('checkExpectation', (_request: IncomingMessage, response: ServerResponse) => refuse(response, new WeirError('expectation_failed')));
    this.server.on('clientError', answerClientError);
  }

  /** @throws when the port is taken or may not be used */
  listen(port: number, host: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen({ port, host, backlog: 2048 }, () => {
        this.server.removeListener('error', reject);
        resolve();
      });
    });
  }

  /**
   * Refuses new connections and waits until every open request has its whole answer, for at most
   * `timeoutMs`. A request that still comes on an open connection is answered, too, and told to close it.
   * @returns false when requests were cut because the time was over
   */
  async drain(timeoutMs: number): Promise<boolean> {
    this.isDraining = true;
    let isWhole = true;
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    // A connection whose answer began before the drain stays open after it: close those as they fall idle.
    const look = setInterval(() => this.server.closeIdleConnections(), DRAIN_LOOK_MS);
    const deadline = setTimeout(() => {
      isWhole = false;
      this.server.closeAllConnections();
    }, timeoutMs);
    await closed;
    clearInterval(look);
    clearTimeout(deadline);
    return isWhole;
  }
}

/** RFC 9112 §3.2: exactly one in HTTP/1.1. Of two, another server on the way might have believed the other. */
function hasOneHost({ rawHeaders, httpVersion }: IncomingMessage): boolean {
  let hosts = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (rawHeaders[index].length === 4 && rawHeaders[index].toLowerCase() === 'host') hosts += 1;
  }
  return hosts === 1 || (hosts === 0 && httpVersion === '1.0');
}

function refuse(response: ServerResponse, error: WeirError): void {
  const body = toErrorBody(toOpenAiError(error));
  response.writeHead(error.status, { 'content-type': 'application/json', 'content-length': body.length, connection: 'close' });
  response.end(body);
}

/** What arrives is not HTTP, too large or too slow: there is no request object, so the answer is written by hand. */
function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable || hasAnswerUnderWay(socket)) {
    socket.destroy();
    return;
  }
  const code = toErrorCode(error);
  const body = toErrorBody(toOpenAiError(new WeirError(code, { message: MESSAGES[code] })));
  const { status } = ERROR_TABLE[code];
  socket.end(
    `HTTP/1.1 ${status} ${REASONS[status] ?? 'Error'}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body.toString()}`,
  );
}

const REASONS: Readonly<Record<number, string>> = { 400: 'Bad Request', 408: 'Request Timeout', 431: 'Request Header Fields Too Large' };
const MESSAGES: Partial<Record<ErrorCode, string>> = { invalid_request: 'This is not a valid HTTP request.' };

function toErrorCode(error: NodeJS.ErrnoException): ErrorCode {
  if (error.code === 'HPE_HEADER_OVERFLOW') return 'headers_too_large';
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'request_timeout';
  return 'invalid_request';
}

/** Part of an answer is on this connection already: a second one would be taken for its continuation. */
function hasAnswerUnderWay(socket: Socket): boolean {
  const message: unknown = Reflect.get(socket, '_httpMessage');
  return typeof message === 'object' && message !== null && Reflect.get(message, 'headersSent') === true;
}
