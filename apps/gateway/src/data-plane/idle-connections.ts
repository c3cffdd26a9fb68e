import { type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type Socket } from 'node:net';
import { type Clock } from '@weir/kernel';

/** Longer than the 60 s or 75 s for which proxies keep idle connections: the side that opened one should close it. */
export const KEEP_ALIVE_MS = 90_000;
const SWEEP_INTERVAL_MS = 5_000;

interface Connection {
  /** Of the last request that came on it; null before the first, which has a time limit of the server's own. */
  response: ServerResponse | null;
  /** Since when it was seen to be done with, monotonic; null while it is not. */
  idleSinceMs: number | null;
}

/**
 * Closes connections on which nothing was asked for `KEEP_ALIVE_MS`, in place of Node's
 * `keepAliveTimeout`: that sets and clears a timer for each request, which is a fiftieth of what a
 * request costs. Here a request costs a look-up, and the connections are looked at now and then.
 */
export class IdleConnections {
  readonly #connections = new Map<Socket, Connection>();
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #timer: NodeJS.Timeout;

  constructor(server: Server, clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
    server.on('connection', (socket: Socket) => {
      this.#connections.set(socket, { response: null, idleSinceMs: null });
      socket.once('close', () => this.#connections.delete(socket));
    });
    this.#timer = setInterval(() => this.sweep(), SWEEP_INTERVAL_MS).unref();
    server.once('close', () => clearInterval(this.#timer));
  }

  /** A request came. */
  note({ socket }: IncomingMessage, response: ServerResponse): void {
    const connection = this.#connections.get(socket);
    if (connection === undefined) return;
    connection.response = response;
    connection.idleSinceMs = null;
  }

  /** Looks now. The timer does it; tests that move the clock do, too. */
  sweep(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [socket, connection] of this.#connections) {
      if (connection.response?.writableFinished !== true) continue;
      connection.idleSinceMs ??= nowMs;
      if (nowMs - connection.idleSinceMs >= KEEP_ALIVE_MS) socket.destroy();
    }
  }
}
