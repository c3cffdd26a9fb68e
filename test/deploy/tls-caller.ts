import { once } from 'node:events';
import { type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { connect, type TLSSocket } from 'node:tls';

export interface CallerAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface CallerRequest {
  readonly method?: string;
  readonly path: string;
  readonly key?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One begun request of a load, and what became of it. */
export interface LoadRecord {
  readonly startedMs: number;
  readonly endedMs: number;
  /** 200, another status, or the error's code. */
  readonly result: string;
}

/**
 * A caller on HTTPS who trusts one certificate (null: any) and never tries again. Each request has a connection
 * of its own, so that what fails was lost by the servers and not by a kept connection that both ends
 * were about to close.
 */
export class TlsCaller {
  constructor(
    private readonly origin: string,
    private readonly certificate: string | null,
  ) {}

  /** Resolves with the head; the body comes piece by piece. */
  async open({ method = 'POST', path, key, body, headers = {} }: CallerRequest): Promise<OpenAnswer> {
    const payload = body === undefined || typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
    const outgoing = request(`${this.origin}${path}`, {
      method,
      agent: false,
      ...this.#trust(),
      headers: {
        ...(payload === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
        ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
        ...headers,
      },
    });
    outgoing.end(payload);
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    // A server that refuses a body may close while the rest is still being sent.
    outgoing.on('error', () => undefined);
    return new OpenAnswer(response);
  }

  async send(one: CallerRequest): Promise<CallerAnswer> {
    const answer = await this.open(one);
    const text = await answer.readToEnd();
    return { status: answer.status, headers: answer.headers, text };
  }

  /** A connection on which a test writes the bytes of HTTP itself. */
  async connectRaw(): Promise<TLSSocket> {
    const socket = connect({ host: '127.0.0.1', port: Number(new URL(this.origin).port), servername: 'localhost', ...this.#trust() });
    await once(socket, 'secureConnect');
    return socket;
  }

  /** Sends bytes as they stand and answers everything that comes until the server closes. */
  async sendRaw(bytes: string): Promise<string> {
    const socket = await this.connectRaw();
    let text = '';
    socket.on('data', (piece: Buffer) => (text += piece.toString('latin1')));
    socket.on('error', () => undefined);
    socket.write(bytes);
    await new Promise((closed) => socket.once('close', closed));
    return text;
  }

  #trust(): { ca?: string; rejectUnauthorized: boolean } {
    return this.certificate === null ? { rejectUnauthorized: false } : { ca: this.certificate, rejectUnauthorized: true };
  }
}

/** An answer that is being read. */
export class OpenAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  #text = '';
  #hasEnded = false;
  #error: Error | null = null;
  #wake: () => void = () => undefined;

  constructor(private readonly response: IncomingMessage) {
    this.status = response.statusCode ?? 0;
    this.headers = response.headers;
    response.setEncoding('utf8');
    response.on('data', (piece: string) => {
      this.#text += piece;
      this.#wake();
    });
    response.on('error', (error: Error) => (this.#error = error));
    response.on('close', () => {
      this.#hasEnded = true;
      this.#wake();
    });
  }

  get text(): string {
    return this.#text;
  }

  /** Once the text is among what has arrived. */
  async readUntil(text: string): Promise<void> {
    while (!this.#text.includes(text)) {
      if (this.#hasEnded) throw new Error(`the answer ended before ${text} came`);
      await new Promise<void>((wake) => (this.#wake = wake));
    }
  }

  /** @throws when the connection broke before the end */
  async readToEnd(): Promise<string> {
    while (!this.#hasEnded) await new Promise<void>((wake) => (this.#wake = wake));
    if (this.#error !== null) throw this.#error;
    if (!this.response.complete) throw Object.assign(new Error('the answer was cut'), { code: 'CUT' });
    return this.#text;
  }
}

/** So many callers at the same time, each one request after the other, until it is stopped. */
export class Load {
  readonly records: LoadRecord[] = [];
  #isStopped = false;
  readonly #callers: Promise<void>[];

  constructor(callers: number, call: () => Promise<CallerAnswer>) {
    this.#callers = Array.from({ length: callers }, async () => {
      while (!this.#isStopped) await this.#callOnce(call);
    });
  }

  get answered(): number {
    return this.records.length;
  }

  /** Resolves when the last request has its answer. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#callers);
  }

  get failures(): LoadRecord[] {
    return this.records.filter(({ result }) => result !== '200');
  }

  async #callOnce(call: () => Promise<CallerAnswer>): Promise<void> {
    const startedMs = performance.now();
    const result = await call().then(
      ({ status, text }) => (status === 200 ? '200' : `${status} ${text}`),
      (error: unknown) => String(Reflect.get(Object(error), 'code') ?? error),
    );
    this.records.push({ startedMs, endedMs: performance.now(), result });
  }
}
