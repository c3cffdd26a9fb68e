import { type IncomingMessage, type ServerResponse } from 'node:http';
import { type Socket } from 'node:net';
import { Gate } from './gate';
import { type Exchange, type Wait } from './reply';
import { type SimulatorCall } from './simulator-call';

/** The client left, or the simulator stopped: the rest of the script has no reader. */
export class ClientLeft extends Error {}

/** One call being answered. */
export class SimulatorExchange implements Exchange {
  readonly #left: Promise<never>;
  #hasLeft = false;

  constructor(
    readonly call: SimulatorCall,
    readonly request: IncomingMessage,
    readonly response: ServerResponse,
    readonly socket: Socket,
  ) {
    this.#left = new Promise((_, reject) => {
      response.once('close', () => {
        this.#hasLeft = true;
        reject(new ClientLeft('the client left'));
      });
    });
    // Most scripts are over before the close, and then nobody listens.
    this.#left.catch(() => undefined);
  }

  readonly waitFor = async (wait: Wait): Promise<void> => {
    if (wait === 'forever') return this.#left;
    if (wait instanceof Gate) return Promise.race([wait.whenOpen(), this.#left]);
    let timer: NodeJS.Timeout | undefined;
    const elapsed = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, wait);
    });
    try {
      await Promise.race([elapsed, this.#left]);
    } finally {
      clearTimeout(timer);
    }
  };

  readonly write = (bytes: string | Uint8Array): Promise<void> => this.#write(this.response, bytes);

  // Under TLS these bytes must still be encrypted, so they go to the request's socket.
  readonly writeRaw = (bytes: string | Uint8Array): Promise<void> => this.#write(this.request.socket, bytes);

  reset(): void {
    this.#finishByForce();
    this.socket.resetAndDestroy();
  }

  close(): void {
    this.#finishByForce();
    this.request.socket.end();
  }

  /** The break is the script's: what the client sees of it is no abort of the client's. */
  #finishByForce(): void {
    if (!this.#hasLeft) this.call.outcome = 'finished';
  }

  #write(target: ServerResponse | Socket, bytes: string | Uint8Array): Promise<void> {
    if (this.#hasLeft) return Promise.reject(new ClientLeft('the client left'));
    const written = new Promise<void>((resolve, reject) => {
      target.write(bytes, (error) => (error ? reject(new ClientLeft('the client left')) : resolve()));
    });
    return Promise.race([written, this.#left]);
  }
}
