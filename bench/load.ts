/**
 * A load of our own over raw sockets, so that it costs little beside what is measured. Counts
 * answers and, in streams, events.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface LoadOptions {
  readonly port: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly connections: number;
  /** Requests in all. */
  readonly requests: number;
  /** Requests a second; null sends the next one on a connection as soon as it has its answer. */
  readonly rate: number | null;
}

export interface LoadResult {
  readonly requests: number;
  readonly failures: number;
  readonly events: number;
  readonly seconds: number;
}

const CHUNKED_END = Buffer.from('0\r\n\r\n');
const HEAD_END = Buffer.from('\r\n\r\n');
const EVENT = Buffer.from('data: ');

export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const head = Object.entries(options.headers).map(([name, value]) => `${name}: ${value}\r\n`).join('');
  const request = Buffer.from(
    `POST ${options.path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(options.body)}\r\n${head}\r\n${options.body}`,
  );
  const startedMs = performance.now();
  const result = { requests: 0, failures: 0, events: 0 };
  const connections = await Promise.all(Array.from({ length: options.connections }, () => Connection.open(options.port, result)));
  const { rate } = options;
  if (rate === null) {
    const share = Math.ceil(options.requests / connections.length);
    await Promise.all(connections.map((connection) => connection.sendInTurn(request, share)));
  } else await sendAtRate(connections, request, options.requests, rate, startedMs, result);
  for (const connection of connections) connection.close();
  return { ...result, seconds: (performance.now() - startedMs) / 1000 };
}

const TICK_MS = 2;

async function sendAtRate(connections: readonly Connection[], request: Buffer, requests: number, rate: number, startedMs: number, result: Counts): Promise<void> {
  let sent = 0;
  await new Promise<void>((resolve, reject) => {
    const timer = setInterval(() => {
      const due = Math.min(requests, Math.floor(((performance.now() - startedMs) / 1000) * rate));
      for (const connection of connections) {
        if (sent >= due) break;
        if (connection.isBroken) reject(new Error(`a connection closed after ${result.requests} answers`));
        if (connection.isIdle) {
          connection.send(request);
          sent += 1;
        }
      }
      if (result.requests < requests) return;
      clearInterval(timer);
      resolve();
    }, TICK_MS);
  });
}

type Counts = { -readonly [Name in 'requests' | 'failures' | 'events']: LoadResult[Name] };

class Connection {
  isIdle = true;
  isBroken = false;
  private answer = new Answer();
  private onAnswer: () => void = () => undefined;

  private constructor(
    private readonly socket: Socket,
    private readonly counts: Counts,
  ) {
    socket.on('data', (chunk: Buffer) => this.take(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => (this.isBroken = true));
  }

  static async open(port: number, counts: Counts): Promise<Connection> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    return new Connection(socket, counts);
  }

  send(request: Buffer): void {
    this.isIdle = false;
    this.socket.write(request);
  }

  /** One request after the other; resolves after the last answer. */
  sendInTurn(request: Buffer, count: number): Promise<void> {
    return new Promise((resolve, reject) => {
      let remaining = count;
      this.socket.once('close', () => reject(new Error(`a connection closed with ${remaining} answers to come`)));
      this.onAnswer = () => {
        remaining -= 1;
        if (remaining === 0) resolve();
        else this.send(request);
      };
      this.send(request);
    });
  }

  close(): void {
    this.socket.destroy();
  }

  private take(chunk: Buffer): void {
    this.counts.events += countEvents(chunk);
    if (!this.answer.push(chunk)) return;
    this.counts.requests += 1;
    if (this.answer.status !== 200) this.counts.failures += 1;
    this.answer = new Answer();
    this.isIdle = true;
    this.onAnswer();
  }
}

function countEvents(chunk: Buffer): number {
  let events = 0;
  for (let at = chunk.indexOf(EVENT); at !== -1; at = chunk.indexOf(EVENT, at + EVENT.length)) events += 1;
  return events;
}

/** Knows when an answer is whole. */
class Answer {
  status = 0;
  private head: Buffer = Buffer.alloc(0);
  private remaining = -1;
  private isChunked = false;
  private tail: Buffer = Buffer.alloc(0);

  /** True once the whole answer has come. */
  push(chunk: Buffer): boolean {
    if (this.remaining === -1 && !this.isChunked) {
      this.head = this.head.length === 0 ? chunk : Buffer.concat([this.head, chunk]);
      const end = this.head.indexOf(HEAD_END);
      if (end === -1) return false;
      const text = this.head.toString('latin1', 0, end).toLowerCase();
      this.status = Number(text.slice(9, 12));
      const length = /content-length: (\d+)/.exec(text);
      this.isChunked = length === null;
      this.remaining = length === null ? -1 : Number(length[1]);
      chunk = this.head.subarray(end + HEAD_END.length);
    }
    if (!this.isChunked) {
      this.remaining -= chunk.length;
      return this.remaining <= 0;
    }
    this.tail = chunk.length >= 5 ? chunk.subarray(chunk.length - 5) : Buffer.concat([this.tail, chunk]).subarray(-5);
    return this.tail.equals(CHUNKED_END);
  }
}
