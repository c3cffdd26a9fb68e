import { type IncomingHttpHeaders, type IncomingMessage } from 'node:http';

/**
 * - `open`: the answer is not finished
 * - `finished`: the script came to its end, which may be a break it was told to make
 * - `aborted`: the client left before that
 */
export type CallOutcome = 'open' | 'finished' | 'aborted';

/** One call that reached the simulator. */
export class SimulatorCall {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  /** Names lower-case, as node parses them. */
  readonly headers: IncomingHttpHeaders;
  /** Names and values in turn, exactly as they came, repetitions included. */
  readonly rawHeaders: readonly string[];
  /** The provider key presented, however it was presented; null without one. */
  readonly key: string | null;
  readonly atMs: number;
  body: Buffer = Buffer.alloc(0);
  /** False when the client left in the middle of its own body. */
  isBodyWhole = false;
  outcome: CallOutcome = 'open';
  /** When the client left; null when it did not. */
  abortedAtMs: number | null = null;

  constructor(
    /** From 0, in the order in which the heads arrived. */
    readonly index: number,
    request: IncomingMessage,
    nowMs: number,
  ) {
    this.method = request.method ?? '';
    this.path = request.url ?? '';
    this.headers = request.headers;
    this.rawHeaders = request.rawHeaders;
    this.key = readKey(request.headers);
    this.atMs = nowMs;
  }

  get text(): string {
    return this.body.toString('utf8');
  }

  /** The parsed body; undefined when it is not JSON. */
  // A test asserts on what is in it: nothing is decided by it, so it need not be unknown.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  get json(): any {
    try {
      return JSON.parse(this.text);
    } catch {
      return undefined;
    }
  }
}

function readKey(headers: IncomingHttpHeaders): string | null {
  const bearer = /^Bearer (.+)$/i.exec(headers.authorization ?? '');
  if (bearer) return bearer[1];
  for (const name of ['api-key', 'x-api-key', 'x-goog-api-key']) {
    const value = headers[name];
    if (typeof value === 'string') return value;
  }
  return null;
}
