import { WeirError } from '@weir/kernel';

const HEADER = 'Idempotency-Key';
const HEADER_LENGTH = HEADER.length;
/** 1 to 255 visible ASCII characters; a space could be lost or folded on the way. */
const VISIBLE_ASCII = /^[\x21-\x7e]{1,255}$/;

/**
 * The Idempotency-Key of a request.
 * @param rawHeaders Node's: name, value, name, value, as they came; joined ones would hide that there were two
 * @throws WeirError invalid_request that names the header
 */
export function parseIdempotencyKey(rawHeaders: readonly string[]): string {
  let found: string | null = null;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index];
    if (name.length !== HEADER_LENGTH || name.toLowerCase() !== 'idempotency-key') continue;
    if (found !== null) throw invalid('The request must have one Idempotency-Key header.');
    found = rawHeaders[index + 1];
  }
  if (found === null || !VISIBLE_ASCII.test(found)) throw invalid('The Idempotency-Key header must have 1 to 255 visible ASCII characters.');
  return found;
}

function invalid(message: string): WeirError {
  return new WeirError('invalid_request', { message, param: HEADER });
}
