import { type IncomingMessage, type ServerResponse } from 'node:http';
import { markClosing } from './closing-connections';

/** A caller that was refused may go on sending its body for so long before the connection is closed. */
const LINGER_MS = 2000;

/**
 * Ends an answer whose head and body are written while the request's body still comes. Closing at
 * once would reset the connection and could take the answer with it, so what still comes is read and
 * dropped for a moment. The head must have said `connection: close`.
 */
export function endAfterBody(request: IncomingMessage, response: ServerResponse): void {
  markClosing(request);
  const end = (): void => {
    clearTimeout(timer);
    response.end();
  };
  const timer = setTimeout(end, LINGER_MS);
  request.once('end', end);
  request.once('close', end);
  request.resume();
}
