import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, type Socket } from 'node:net';
import { Awaitable } from './awaitable';
import { type Reply } from './reply';
import { respond } from './respond';
import { SimulatorCall } from './simulator-call';
import { ClientLeft, SimulatorExchange } from './simulator-exchange';
import { SimulatorRules } from './simulator-rules';
import { createTestCertificate, type TestCertificate } from './test-certificate';

export interface UpstreamSimulatorOptions {
  /** Speak TLS with a certificate made for the purpose: `certificate.certificate` is to be trusted. */
  readonly tls?: boolean;
  /** How long the waitFor… methods wait before they fail. */
  readonly patienceMs?: number;
}

const DEFAULT_PATIENCE_MS = 10_000;
const MAX_HEADER_BYTES = 1024 * 1024;

/**
 * A provider on the loopback: a real HTTP/1.1 server that answers each call as it is told, breaks
 * where it is told, and remembers every call and every client that left early. Unscripted it
 * answers as demo/echo.
 */
export class UpstreamSimulator {
  readonly certificate: TestCertificate | null;
  readonly calls: SimulatorCall[] = [];
  readonly #server: Server;
  readonly #rules = new SimulatorRules(respond.echo());
  readonly #changes = new Awaitable();
  readonly #connections = new Set<Socket>();
  readonly #patienceMs: number;
  #connectionCount = 0;
  #bodyCount = 0;
  #port = 0;
  #resetsNewConnections = false;
  #scriptError: Error | null = null;

  constructor(options: UpstreamSimulatorOptions = {}) {
    this.#patienceMs = options.patienceMs ?? DEFAULT_PATIENCE_MS;
    this.certificate = options.tls === true ? createTestCertificate() : null;
    const serverOptions = { maxHeaderSize: MAX_HEADER_BYTES, keepAliveTimeout: 120_000, requestTimeout: 0 };
    const listener: RequestListener = (request, response) => void this.#handle(request, response);
    this.#server =
      this.certificate === null
        ? createServer(serverOptions, listener)
        : createTlsServer({ ...serverOptions, cert: this.certificate.certificate, key: this.certificate.privateKey }, listener);
    this.#server.on('connection', (socket: Socket) => this.#accept(socket));
    // A client that breaks off in the middle of a handshake or a head is part of the game.
    this.#server.on('clientError', (_error, socket) => socket.destroy());
  }

  /** Scheme, host and port. */
  get origin(): string {
    if (this.#port === 0) throw new Error('the simulator is not started');
    return `${this.certificate === null ? 'http' : 'https'}://127.0.0.1:${this.#port}`;
  }

  /** Where OpenAI's API is: the origin and `/v1`. */
  get baseUrl(): string {
    return `${this.origin}/v1`;
  }

  /** Connections that are open now. */
  get openConnections(): number {
    return this.#connections.size;
  }

  /** Connections ever accepted. */
  get connectionCount(): number {
    return this.#connectionCount;
  }

  /** Listens on a free port; after a stop(), on the same one again. */
  async start(): Promise<this> {
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
    return this;
  }

  /**
   * Refuses new connections and breaks the open ones.
   * @throws the first error of a script that was wrong in itself, so that no test passes on it.
   */
  async stop(): Promise<void> {
    if (this.#server.listening) {
      const closed = once(this.#server, 'close');
      this.#server.close();
      // Who is cut off here did not leave.
      for (const call of this.calls) if (call.outcome === 'open') call.outcome = 'finished';
      for (const socket of this.#connections) socket.destroy();
      await closed;
    }
    if (this.#scriptError !== null) throw this.#scriptError;
  }

  /** Answers the next calls, whoever makes them, in this order. */
  enqueue(...replies: Reply[]): void {
    this.#rules.enqueue(replies);
  }

  /** Answers the calls of one provider key in this order; the last reply stays. Goes before the queue. */
  forKey(key: string, ...replies: Reply[]): void {
    this.#rules.add((call) => call.key === key, replies);
  }

  /** Answers the calls of one path (without query) in this order; the last reply stays. Goes before the queue. */
  forPath(path: string, ...replies: Reply[]): void {
    this.#rules.add((call) => call.path.split('?', 1)[0] === path, replies);
  }

  /** Answers whatever nothing else answers. */
  default(reply: Reply): void {
    this.#rules.setDefault(reply);
  }

  /** Answers everything, before every other rule; null takes it back. */
  always(reply: Reply | null): void {
    this.#rules.setAlways(reply);
  }

  /** Breaks every new connection before it can say anything. */
  resetNewConnections(resets: boolean): void {
    this.#resetsNewConnections = resets;
  }

  /** Forgets all rules and all calls; connections stay. */
  reset(): void {
    this.#rules.reset();
    this.#resetsNewConnections = false;
    this.calls.length = 0;
    this.#bodyCount = 0;
  }

  get abortedCalls(): SimulatorCall[] {
    return this.calls.filter((call) => call.outcome === 'aborted');
  }

  /** The calls, once `count` of them have arrived whole. */
  async waitForCalls(count: number): Promise<readonly SimulatorCall[]> {
    const what = (): string => `${count} calls, ${this.#bodyCount} came`;
    await this.#changes.until(() => this.#bodyCount >= count, what, this.#patienceMs);
    return this.calls;
  }

  /** The call, once its client has left before the end of the answer. Any call, when none is named. */
  async waitForAbort(call?: SimulatorCall): Promise<SimulatorCall> {
    const find = (): SimulatorCall | undefined => (call === undefined ? this.abortedCalls : [call]).find((one) => one.outcome === 'aborted');
    await this.#changes.until(() => find() !== undefined, () => `an abort; the call is ${call?.outcome ?? 'not named'}`, this.#patienceMs);
    return find()!;
  }

  /** Once the call's answer is over, either way. */
  async waitForOutcome(call: SimulatorCall): Promise<SimulatorCall> {
    await this.#changes.until(() => call.outcome !== 'open', () => 'the end of a call', this.#patienceMs);
    return call;
  }

  /** Once exactly `count` connections are open. */
  async waitForOpenConnections(count: number): Promise<void> {
    const what = (): string => `${count} open connections, there are ${this.openConnections}`;
    await this.#changes.until(() => this.openConnections === count, what, this.#patienceMs);
  }

  #accept(socket: Socket): void {
    this.#connectionCount++;
    if (this.#resetsNewConnections) {
      socket.resetAndDestroy();
      return;
    }
    socket.setNoDelay(true);
    this.#connections.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => {
      this.#connections.delete(socket);
      this.#changes.changed();
    });
    this.#changes.changed();
  }

  /** The TCP connection of a request; under TLS the request's own socket is a layer above it. */
  #toConnection(request: IncomingMessage): Socket {
    for (const socket of this.#connections) if (socket.remotePort === request.socket.remotePort) return socket;
    return request.socket;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const call = new SimulatorCall(this.calls.length, request, Date.now());
    this.calls.push(call);
    const exchange = new SimulatorExchange(call, request, response, this.#toConnection(request));
    response.once('close', () => this.#markClosed(call, response));
    try {
      await this.#readBody(request, call);
      await this.#rules.take(call).play(exchange);
      if (call.outcome === 'open') call.outcome = 'finished';
    } catch (error) {
      if (!(error instanceof ClientLeft)) this.#fail(response, error);
    }
    this.#changes.changed();
  }

  async #readBody(request: IncomingMessage, call: SimulatorCall): Promise<void> {
    const pieces: Buffer[] = [];
    try {
      for await (const piece of request as AsyncIterable<Buffer>) pieces.push(piece);
      call.isBodyWhole = true;
    } catch {
      throw new ClientLeft('the client left in the middle of its body');
    } finally {
      call.body = Buffer.concat(pieces);
    }
    this.#bodyCount++;
    this.#changes.changed();
  }

  #markClosed(call: SimulatorCall, response: ServerResponse): void {
    if (call.outcome !== 'open') return;
    // The close of a whole answer may be told before the script learns that its last write is done.
    call.outcome = response.writableFinished ? 'finished' : 'aborted';
    if (call.outcome === 'aborted') call.abortedAtMs = Date.now();
    this.#changes.changed();
  }

  #fail(response: ServerResponse, error: unknown): void {
    this.#scriptError ??= error instanceof Error ? error : new Error(String(error));
    response.destroy();
  }
}
