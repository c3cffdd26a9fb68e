import dns from 'node:dns';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { AttemptAbortedError, type AttemptPhase, toFailureClass, type TransportFailure } from './transport-failure';
import { type TransportController, type TransportHandler, UpstreamTransport } from './upstream-transport';

/** Follows one attempt as the relay does: it is the handler, and it knows the phase. */
class Attempt implements TransportHandler {
  phase: AttemptPhase = 'connecting';
  status = 0;
  headers: Record<string, string | string[] | undefined> = {};
  text = '';
  error: Error | null = null;
  failure: TransportFailure | null = null;
  controller: TransportController | null = null;
  readonly ended: Promise<void>;
  readonly answered: Promise<void>;
  readonly firstChunk: Promise<void>;
  #end: () => void = () => undefined;
  #answer: () => void = () => undefined;
  #chunk: () => void = () => undefined;

  constructor(readonly abortAtStart: boolean = false) {
    this.ended = new Promise((resolve) => (this.#end = resolve));
    this.answered = new Promise((resolve) => (this.#answer = resolve));
    this.firstChunk = new Promise((resolve) => (this.#chunk = resolve));
  }

  onRequestStart(controller: TransportController): void {
    this.phase = 'waiting';
    this.controller = controller;
    if (this.abortAtStart) controller.abort(new AttemptAbortedError());
  }

  onResponseStarted(): void {
    this.phase = 'answering';
  }

  onResponseStart(_controller: TransportController, status: number, headers: Record<string, string | string[] | undefined>): void {
    this.status = status;
    this.headers = headers;
    this.#answer();
  }

  onResponseData(_controller: TransportController, chunk: Buffer): void {
    this.text += chunk.toString();
    this.#chunk();
  }

  onResponseEnd(): void {
    this.#end();
  }

  onResponseError(_controller: TransportController | null, error: Error): void {
    this.error = error;
    this.failure = toFailureClass(error, this.phase);
    this.#end();
  }
}

/** undici hands a connection back a moment after the answer's end. */
const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

const ENDPOINT = { failureClass: 'endpoint', timedOut: false };
const FAULT = { failureClass: 'fault', timedOut: false };
const FAULT_TIMEOUT = { failureClass: 'fault', timedOut: true };

describe('UpstreamTransport', () => {
  const closers: (() => Promise<unknown>)[] = [];
  let transport: UpstreamTransport;

  beforeEach(() => {
    transport = new UpstreamTransport();
  });

  afterEach(async () => {
    await transport.destroy();
    for (const close of closers.splice(0)) await close();
  });

  async function listen(server: Server): Promise<number> {
    const sockets = new Set<Socket>();
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    closers.push(async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    });
    return (server.address() as AddressInfo).port;
  }

  async function serve(listener: RequestListener): Promise<string> {
    return `http://127.0.0.1:${await listen(createServer(listener))}`;
  }

  async function serveRaw(onData: (socket: Socket) => void): Promise<number> {
    return listen(createTcpServer((socket) => socket.once('data', () => onData(socket))));
  }

  function send(origin: string, attempt = new Attempt(), headersTimeoutMs = 5_000, bodyTimeoutMs = 5_000): Attempt {
    const headers = ['content-type', 'application/json', 'authorization', 'Bearer x'];
    transport.dispatch(origin, 'POST', '/v1/chat', headers, Buffer.from('{"a":1}'), headersTimeoutMs, bodyTimeoutMs, attempt);
    return attempt;
  }

  it('sends the body and flat headers, and keeps the connection for the next call', async () => {
    const ports: (number | undefined)[] = [];
    const origin = await serve((request, response) => void echo(request, response));
    async function echo(request: IncomingMessage, response: ServerResponse) {
      ports.push(request.socket.remotePort);
      let body = '';
      for await (const chunk of request) body += String(chunk);
      response.setHeader('x-seen', `${request.method} ${request.url} ${request.headers.authorization}`);
      response.end(body);
    }
    const first = send(origin);
    await first.ended;
    await nextTurn();
    const second = send(origin);
    await second.ended;
    expect([first.status, first.text, first.headers['x-seen']]).toEqual([200, '{"a":1}', 'POST /v1/chat Bearer x']);
    expect(second.text).toBe('{"a":1}');
    expect(ports[0]).toBe(ports[1]);
  });

  it('follows no redirect', async () => {
    let calls = 0;
    const origin = await serve((_request, response) => {
      calls += 1;
      response.writeHead(302, { location: '/elsewhere' }).end();
    });
    const attempt = send(origin);
    await attempt.ended;
    expect([attempt.status, calls]).toEqual([302, 1]);
  });

  it('calls a refused port a failure of the endpoint', async () => {
    const server = createTcpServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const attempt = send(`http://127.0.0.1:${port}`);
    await attempt.ended;
    expect([attempt.phase, attempt.failure]).toEqual(['connecting', ENDPOINT]);
  });

  it('calls a name that does not resolve a failure of the endpoint', async () => {
    const attempt = send('http://nothing-here.invalid');
    await attempt.ended;
    expect([attempt.phase, attempt.failure]).toEqual(['connecting', ENDPOINT]);
  });

  it('calls garbage in the TLS handshake, and a plain server behind https, failures of the endpoint', async () => {
    const garbage = await serveRaw((socket) => socket.write('this is not TLS at all\r\n\r\n'));
    const hangUp = await serveRaw((socket) => socket.resetAndDestroy());
    const plain = new URL(await serve((_request, response) => response.end()));
    for (const port of [garbage, hangUp, plain.port]) {
      const attempt = send(`https://127.0.0.1:${port}`);
      await attempt.ended;
      expect([attempt.phase, attempt.failure]).toEqual(['connecting', ENDPOINT]);
    }
  });

  it('never connects to a link-local address, by number or by a name that leads there', async () => {
    const answer = [{ address: '169.254.169.254', family: 4 }];
    const lookup = jest.spyOn(dns, 'lookup').mockImplementation(((_name: string, _options: object, done: (...found: unknown[]) => void) =>
      done(null, answer)) as unknown as typeof dns.lookup);
    for (const origin of ['http://169.254.169.254', 'http://[fe80::1]', 'https://innocent.example']) {
      const attempt = send(origin);
      await attempt.ended;
      expect([attempt.phase, attempt.failure]).toEqual(['connecting', ENDPOINT]);
      expect(attempt.error).toMatchObject({ code: 'WEIR_FORBIDDEN_ADDRESS' });
    }
    expect(lookup).toHaveBeenCalledTimes(1);
    lookup.mockRestore();
  });

  it('times out an upstream that stalls before the head, as a fault', async () => {
    const origin = await serve(() => undefined);
    const attempt = send(origin, new Attempt(), 100);
    await attempt.ended;
    expect([attempt.phase, attempt.failure]).toEqual(['waiting', FAULT_TIMEOUT]);
  });

  it('times out an upstream that stalls in the middle of the body, as a fault', async () => {
    const origin = await serve((_request, response) => void response.write('begun'));
    const attempt = send(origin, new Attempt(), 5_000, 100);
    await attempt.ended;
    expect([attempt.phase, attempt.text, attempt.failure]).toEqual(['answering', 'begun', FAULT_TIMEOUT]);
  });

  it('calls a reset, a close and nonsense before the head faults', async () => {
    const reset = await serveRaw((socket) => socket.resetAndDestroy());
    const close = await serveRaw((socket) => socket.end());
    const nonsense = await serveRaw((socket) => socket.end('SSH-2.0-OpenSSH\r\n'));
    const phases: AttemptPhase[] = [];
    for (const port of [reset, close, nonsense]) {
      const attempt = send(`http://127.0.0.1:${port}`);
      await attempt.ended;
      phases.push(attempt.phase);
      expect(attempt.failure).toEqual(FAULT);
    }
    expect(phases.slice(0, 2)).toEqual(['waiting', 'waiting']);
  });

  it('calls a kept connection that is reset at its next request a fault before any byte', async () => {
    const ports: (number | undefined)[] = [];
    const origin = await serve((request, response) => {
      ports.push(request.socket.remotePort);
      if (ports.length === 1) response.end('fine');
      else request.socket.resetAndDestroy();
    });
    await send(origin).ended;
    await nextTurn();
    const attempt = send(origin);
    await attempt.ended;
    expect([ports.length, ports[0] === ports[1]]).toEqual([2, true]);
    expect([attempt.phase, attempt.failure]).toEqual(['waiting', FAULT]);
  });

  it('calls an answer that is cut short a fault after its first byte', async () => {
    const origin = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('half', () => response.socket?.destroy());
    });
    const attempt = send(origin);
    await attempt.ended;
    expect([attempt.phase, attempt.text, attempt.failure]).toEqual(['answering', 'half', FAULT]);
  });

  it('takes a request that cannot be sent for the fault of the request', async () => {
    const attempt = new Attempt();
    transport.dispatch('http://127.0.0.1:1', 'POST', '/v1', ['x-bad', 'a\r\nb: c'], null, 1_000, 1_000, attempt);
    await attempt.ended;
    expect(attempt.failure).toEqual({ failureClass: 'caller', timedOut: false });
  });

  it('tells the upstream of an abort at once, and calls it aborted', async () => {
    let gone: Promise<unknown> = Promise.resolve();
    const origin = await serve((request, response) => {
      gone = once(request.socket, 'close');
      response.write('data: 1\n\n');
    });
    const attempt = send(origin);
    await attempt.firstChunk;
    attempt.controller?.abort(new AttemptAbortedError());
    await attempt.ended;
    await gone;
    expect(attempt.failure).toEqual({ failureClass: 'aborted', timedOut: false });
  });

  it('sends nothing when the attempt is aborted as it starts', async () => {
    let calls = 0;
    const origin = await serve((_request, response) => {
      calls += 1;
      response.end('fine');
    });
    const attempt = send(origin, new Attempt(true));
    await attempt.ended;
    await send(origin).ended;
    expect([attempt.failure?.failureClass, calls]).toEqual(['aborted', 1]);
  });

  it('serves a built-in host name from this process', async () => {
    const builtIns = new Map<string, number>();
    await transport.destroy();
    transport = new UpstreamTransport({ builtIns });
    const origin = await serve((request, response) => response.end(request.headers.host));
    builtIns.set('demo.weir.internal', Number(new URL(origin).port));
    const attempt = send('http://demo.weir.internal');
    await attempt.ended;
    expect([attempt.status, attempt.text]).toEqual([200, 'demo.weir.internal']);
  });

  it('bounds the connections of an origin when told to', async () => {
    await transport.destroy();
    transport = new UpstreamTransport({ connectionsPerOrigin: 1 });
    const waiting: ServerResponse[] = [];
    let arrived: () => void = () => undefined;
    const origin = await serve((_request, response) => {
      waiting.push(response);
      arrived();
    });
    const firstArrives = new Promise<void>((resolve) => (arrived = resolve));
    const first = send(origin);
    const second = send(origin);
    await firstArrives;
    expect([first.phase, second.phase, waiting.length]).toEqual(['waiting', 'connecting', 1]);
    const secondArrives = new Promise<void>((resolve) => (arrived = resolve));
    waiting[0].end('one');
    await secondArrives;
    waiting[1].end('two');
    await second.ended;
    expect([first.text, second.text]).toEqual(['one', 'two']);
  });

  it('waits for open calls on close, and refuses new ones', async () => {
    const waiting: ServerResponse[] = [];
    const origin = await serve((_request, response) => {
      waiting.push(response);
      response.write('begun ');
    });
    const open = send(origin);
    await open.firstChunk;
    let isClosed = false;
    const closed = transport.close().then(() => (isClosed = true));
    const late = send(origin);
    await late.ended;
    expect([late.failure?.failureClass, isClosed]).toEqual(['aborted', false]);
    waiting[0].end('ended');
    await closed;
    expect([open.text, open.error]).toEqual(['begun ended', null]);
  });

  it('ends open calls on destroy', async () => {
    const origin = await serve((_request, response) => void response.write('begun'));
    const open = send(origin);
    await open.firstChunk;
    await transport.destroy();
    await open.ended;
    expect(open.failure?.failureClass).toBe('aborted');
  });
});
