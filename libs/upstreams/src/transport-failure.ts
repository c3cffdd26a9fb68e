import { type FailureClass } from '@weir/providers';

/**
 * How far an attempt had come when it failed:
 * - `connecting`: nothing was sent (before `onRequestStart`)
 * - `waiting`: the request went out, no byte of an answer came (before `onResponseStarted`)
 * - `answering`: the answer had begun
 */
export type AttemptPhase = 'connecting' | 'waiting' | 'answering';

export interface TransportFailure {
  readonly failureClass: Extract<FailureClass, 'endpoint' | 'fault' | 'aborted' | 'caller'>;
  /** The caller is told `upstream_timeout` instead of `upstream_error`. */
  readonly timedOut: boolean;
}

/** The reason to give `controller.abort` when the caller went away; recognised as class `aborted`. */
export class AttemptAbortedError extends Error {
  readonly code = 'WEIR_ATTEMPT_ABORTED';

  constructor() {
    super('the attempt was aborted');
    this.name = 'AttemptAbortedError';
  }
}

const ENDPOINT: TransportFailure = { failureClass: 'endpoint', timedOut: false };
const ENDPOINT_TIMEOUT: TransportFailure = { failureClass: 'endpoint', timedOut: true };
const FAULT: TransportFailure = { failureClass: 'fault', timedOut: false };
const FAULT_TIMEOUT: TransportFailure = { failureClass: 'fault', timedOut: true };
const ABORTED: TransportFailure = { failureClass: 'aborted', timedOut: false };
const CALLER: TransportFailure = { failureClass: 'caller', timedOut: false };

/**
 * What a failure of the transport says.
 *
 * A connection that is reset or closed after the request was sent and before a byte of the answer
 * came is a plain `fault`. It may be an idle connection that the far side closed in that very
 * moment, so the attempt is worth repeating, but through the ordinary retries: the request may
 * have been worked on, each attempt is a usage row of its own, and a server that resets every
 * call must spend the retry budget and open its breaker. Sending a POST again is allowed here
 * because a model call changes nothing at the provider but the bill, and the caller has seen
 * nothing yet. From the first byte of the answer on, he may have.
 */
export function toFailureClass(error: unknown, phase: AttemptPhase): TransportFailure {
  const code = codeOf(error);
  switch (code) {
    case 'WEIR_ATTEMPT_ABORTED':
    case 'UND_ERR_ABORTED':
    // The transport is closing: that is this process's doing.
    case 'UND_ERR_CLOSED':
    case 'UND_ERR_DESTROYED':
    // Of a file that was to be sent: no connection has these.
    case 'ENOENT':
    case 'EACCES':
    case 'EIO':
    case 'EMFILE':
    case 'ENFILE':
    case 'EBADF':
      return ABORTED;
    // The request itself cannot be sent (a header with a line break, say): whoever provokes that
    // must not open a breaker.
    case 'UND_ERR_INVALID_ARG':
    case 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH':
    case 'UND_ERR_NOT_SUPPORTED':
      return CALLER;
    case 'UND_ERR_CONNECT_TIMEOUT':
      return ENDPOINT_TIMEOUT;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'ECONNREFUSED':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'WEIR_FORBIDDEN_ADDRESS':
      return ENDPOINT;
    case 'UND_ERR_HEADERS_TIMEOUT':
    case 'UND_ERR_BODY_TIMEOUT':
      return FAULT_TIMEOUT;
    case 'ETIMEDOUT':
      return phase === 'connecting' ? ENDPOINT_TIMEOUT : FAULT_TIMEOUT;
    default:
      // While connecting, whatever it is (TLS, a reset in the handshake) no request reached anybody.
      return phase === 'connecting' ? ENDPOINT : FAULT;
  }
}

function codeOf(error: unknown): string | null {
  if (typeof error !== 'object' || error === null || !('code' in error)) return null;
  return typeof error.code === 'string' ? error.code : null;
}
