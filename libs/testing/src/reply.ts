import { type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from 'node:http';
import { type Socket } from 'node:net';
import { type Gate } from './gate';
import { type SimulatorCall } from './simulator-call';

/** Milliseconds, a gate that the test opens, or for ever (until the client leaves or the simulator stops). */
export type Wait = number | Gate | 'forever';

/** What a reply plays on: one call, its answer, and the connection under both. */
export interface Exchange {
  readonly call: SimulatorCall;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Rejects as soon as the client leaves. */
  readonly waitFor: (wait: Wait) => Promise<void>;
  /** Writes on the answer and resolves when the bytes are handed to the kernel. */
  readonly write: (bytes: string | Uint8Array) => Promise<void>;
  /** Writes on the connection itself, past node's HTTP. */
  readonly writeRaw: (bytes: string | Uint8Array) => Promise<void>;
  /** The connection below HTTP (and TLS). */
  readonly socket: Socket;
  /** Breaks the connection with a TCP reset. */
  reset(): void;
  /** Ends the connection tidily (FIN), whatever HTTP thinks of it. */
  close(): void;
}

type Act = (exchange: Exchange, headers: OutgoingHttpHeaders) => Promise<void>;

/** A scripted answer. Immutable: every method gives a new one. */
export class Reply {
  constructor(
    private readonly act: Act,
    private readonly waits: readonly Wait[] = [],
    private readonly headers: OutgoingHttpHeaders = {},
  ) {}

  /** Waits before the first byte of the head. */
  after(wait: Wait): Reply {
    return new Reply(this.act, [...this.waits, wait], this.headers);
  }

  /** Headers on top of the reply's own; ignored by replies that write raw bytes. */
  withHeaders(headers: OutgoingHttpHeaders): Reply {
    return new Reply(this.act, this.waits, { ...this.headers, ...headers });
  }

  async play(exchange: Exchange): Promise<void> {
    for (const wait of this.waits) await exchange.waitFor(wait);
    await this.act(exchange, this.headers);
  }
}
