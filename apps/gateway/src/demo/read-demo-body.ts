import { type IncomingMessage } from 'node:http';
import { WeirError } from '@weir/kernel';

/** @throws WeirError `body_too_large` or `invalid_json`. */
export async function readDemoBody(request: IncomingMessage, maxBodyBytes: number): Promise<unknown> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    length += piece.length;
    if (length > maxBodyBytes) throw new WeirError('body_too_large');
    pieces.push(piece);
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(pieces)));
  } catch {
    // The parser's own message quotes the body, which is a prompt.
    throw new WeirError('invalid_json');
  }
}
