import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Awaitable } from './awaitable';

export interface RawEnd {
  /** Everything that was read, as Latin-1, so that each byte is a character. */
  readonly bytes: string;
  /** `ECONNRESET` after a TCP reset; null after a tidy end. */
  readonly errorCode: string | null;
}

const PATIENCE_MS = 10_000;

/** A client that sends and reads plain bytes: what happened on the wire, and not what a library made of it. */
export class RawClient {
  readonly #changes = new Awaitable();
  #bytes = '';
  #errorCode: string | null = null;
  #hasEnded = false;

  private constructor(readonly socket: Socket) {
    socket.on('data', (piece: Buffer) => {
      this.#bytes += piece.toString('latin1');
      this.#changes.changed();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => (this.#errorCode = error.code ?? 'unknown'));
    const onEnd = (): void => {
      this.#hasEnded = true;
      this.#changes.changed();
    };
    socket.once('end', onEnd).once('close', onEnd);
  }

  /** Takes the port of a number or of an origin. */
  static async connect(place: number | string): Promise<RawClient> {
    const port = typeof place === 'number' ? place : Number(new URL(place).port);
    const client = new RawClient(connect(port, '127.0.0.1'));
    await once(client.socket, 'connect');
    return client;
  }

  /** What has been read so far. */
  get bytes(): string {
    return this.#bytes;
  }

  send(bytes: string | Uint8Array): void {
    this.socket.write(bytes);
  }

  /** A POST of JSON with the right length, on a connection that stays open. */
  sendJson(path: string, body: unknown, headers: Readonly<Record<string, string>> = {}): void {
    const text = JSON.stringify(body);
    const lines = Object.entries({ host: 'test', 'content-type': 'application/json', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
    this.send(`POST ${path} HTTP/1.1\r\n${lines.join('')}content-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
  }

  /** Everything read, once it has `text` in it so many times. */
  async readUntil(text: string, times = 1): Promise<string> {
    const what = (): string => `${times} × ${JSON.stringify(text)} in what was read (${this.#bytes.length} bytes)`;
    await this.#changes.until(() => this.#bytes.split(text).length > times, what, PATIENCE_MS);
    return this.#bytes;
  }

  /** Once the server has ended the connection, in whatever way. */
  async readToEnd(): Promise<RawEnd> {
    await this.#changes.until(() => this.#hasEnded, () => 'the end of the connection', PATIENCE_MS);
    return { bytes: this.#bytes, errorCode: this.#errorCode };
  }

  leave(): void {
    this.socket.destroy();
  }

  /** Leaves with a TCP reset. */
  reset(): void {
    this.socket.resetAndDestroy();
  }
}
