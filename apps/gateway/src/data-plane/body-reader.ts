import { type IncomingMessage } from 'node:http';
import { WeirError } from '@weir/kernel';

/**
 * Reads a whole request body of at most `maxBytes`.
 * @throws WeirError body_too_large as soon as it is known, client_closed_request when the caller left
 */
export function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const announced = request.headers['content-length'];
  if (announced !== undefined && Number(announced) > maxBytes) return Promise.reject(tooLarge(maxBytes));
  return new Promise((resolve, reject) => {
    let first: Buffer | null = null;
    let more: Buffer[] | null = null;
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > maxBytes) {
        // What still comes is thrown away by whoever sends the refusal.
        request.removeAllListeners('data');
        reject(tooLarge(maxBytes));
      } else if (first === null) first = chunk;
      else if (more === null) more = [first, chunk];
      else more.push(chunk);
    });
    request.on('end', () => resolve(more !== null ? Buffer.concat(more, length) : (first ?? EMPTY)));
    const onBroken = (): void => reject(new WeirError('client_closed_request'));
    request.on('error', onBroken);
    request.on('aborted', onBroken);
  });
}

const EMPTY = Buffer.alloc(0);

function tooLarge(maxBytes: number): WeirError {
  return new WeirError('body_too_large', { message: `The body is larger than the ${maxBytes} bytes that this server takes.` });
}
