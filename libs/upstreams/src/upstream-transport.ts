import { lookup, type LookupAddress } from 'node:dns';
import { type Readable } from 'node:stream';
import { isIP, type LookupFunction } from 'node:net';
import { buildConnector, type Dispatcher, errors, Pool } from 'undici';
import { isForbiddenAddress } from './forbidden-address';

/** undici's own handler shape: the object that follows one attempt is the handler. */
export type TransportHandler = Dispatcher.DispatchHandler;
export type TransportController = Dispatcher.DispatchController;

export interface UpstreamTransportOptions {
  readonly connectTimeoutMs?: number;
  /** Open connections per origin; null for as many as there are calls. Calls beyond it wait in line, and their time limits do not run yet. */
  readonly connectionsPerOrigin?: number | null;
  /** How long an idle connection is kept, unless the server names another time. */
  readonly keepAliveMs?: number;
  /** Host names that are served by this process, and the port on 127.0.0.1; read at each connecting. */
  readonly builtIns?: ReadonlyMap<string, number>;
  /** More certificate authorities, as PEM. */
  readonly certificateAuthorities?: readonly string[];
}

const CONNECT_TIMEOUT_MS = 5_000;
/** Below the 5 s after which common servers close an idle connection without a word about it. */
const KEEP_ALIVE_MS = 4_000;

/**
 * The only way out to upstreams: HTTP/1.1 over kept connections, no redirects, no proxies.
 *
 * What a handler must know:
 * - `onRequestStart` is called when a connection is there. Before it an attempt cannot be aborted:
 *   remember the wish and call `controller.abort` in `onRequestStart`; nothing is sent then.
 * - `onResponseError` may come without a controller (null) and inside the call of `dispatch`.
 * - An exception in `onResponseStart` or `onResponseData` aborts the attempt; anywhere else it is lost to undici.
 */
export class UpstreamTransport {
  /** One pool of connections for each origin, kept: there are as many as upstreams, and an idle one holds nothing. */
  readonly #pools = new Map<string, Pool>();
  readonly #options: Pool.Options;
  #isClosed = false;

  constructor({
    connectTimeoutMs = CONNECT_TIMEOUT_MS,
    connectionsPerOrigin = null,
    keepAliveMs = KEEP_ALIVE_MS,
    builtIns = new Map(),
    certificateAuthorities,
  }: UpstreamTransportOptions = {}) {
    this.#options = {
      connect: toConnector(connectTimeoutMs, builtIns, certificateAuthorities),
      connections: connectionsPerOrigin,
      keepAliveTimeout: keepAliveMs,
      pipelining: 1,
      // HTTP/2 would put the calls of many callers on one connection, where one stall holds up
      // the others, and has other time limits.
      allowH2: false,
    };
  }

  /**
   * Sends one request.
   * @param body a stream can be sent once
   * @param headers flat: name, value, name, value
   * @param headersTimeoutMs from the request's end to the answer's head; 0 for none
   * @param bodyTimeoutMs between two chunks of the answer; 0 for none
   */
  dispatch(
    origin: string,
    method: string,
    path: string,
    headers: string[],
    body: Buffer | Readable | null,
    headersTimeoutMs: number,
    bodyTimeoutMs: number,
    handler: TransportHandler,
  ): void {
    if (this.#isClosed) {
      handler.onResponseError?.(null as never, new errors.ClientClosedError());
      return;
    }
    // undici keeps this object while a call waits for a connection, so it cannot be reused.
    this.#getPool(origin).dispatch({ origin, method, path, headers, body, headersTimeout: headersTimeoutMs, bodyTimeout: bodyTimeoutMs }, handler);
  }

  /** Takes no new calls and waits for the open ones. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(Array.from(this.#pools.values(), (pool) => pool.close()));
  }

  /** Ends the open calls too; their handlers get an error of class `aborted`. */
  async destroy(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(Array.from(this.#pools.values(), (pool) => pool.destroy()));
  }

  #getPool(origin: string): Pool {
    let pool = this.#pools.get(origin);
    if (pool === undefined) {
      pool = new Pool(origin, this.#options);
      this.#pools.set(origin, pool);
    }
    return pool;
  }
}

function toConnector(
  timeout: number,
  builtIns: ReadonlyMap<string, number>,
  certificateAuthorities: readonly string[] | undefined,
): buildConnector.connector {
  const ca = certificateAuthorities === undefined ? {} : { ca: [...certificateAuthorities] };
  const connect = buildConnector({ timeout, allowH2: false, lookup: lookupAllowed, ...ca });
  return (options, callback) => {
    const port = builtIns.get(options.hostname);
    if (port !== undefined) {
      connect({ ...options, protocol: 'http:', hostname: '127.0.0.1', host: `127.0.0.1:${port}`, port: String(port) }, callback);
    } else if (isIP(options.hostname) !== 0 && isForbiddenAddress(options.hostname)) {
      callback(new ForbiddenAddressError(), null);
    } else {
      connect(options, callback);
    }
  };
}

class ForbiddenAddressError extends Error {
  readonly code = 'WEIR_FORBIDDEN_ADDRESS';

  constructor() {
    super('the upstream leads to a link-local or metadata address');
  }
}

/** A name may lead where its URL showed nothing of: the addresses themselves are looked at, each time. */
const lookupAllowed: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
    if (error !== null) return callback(error, '', 0);
    const allowed = addresses.filter(({ address }) => !isForbiddenAddress(address));
    if (allowed.length === 0) return callback(new ForbiddenAddressError(), '', 0);
    if (options.all === true) return callback(null, allowed);
    callback(null, allowed[0].address, allowed[0].family);
  });
};
