import { type IncomingMessage } from 'node:http';

const closing = new WeakSet<object>();

/** Whether a body, or the rest of one, may still be on its way. */
export function hasBodyToCome({ complete, headers }: IncomingMessage): boolean {
  if (complete) return false;
  const length = headers['content-length'];
  return headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}

/** Remembers that the answer to this request tells its connection to close. */
export function markClosing(request: IncomingMessage): void {
  closing.add(request.socket);
}

/** A request behind an answer that says `connection: close` must not be processed (RFC 9112 §9.6): no answer would arrive. */
export function isClosing(request: IncomingMessage): boolean {
  return closing.has(request.socket);
}
