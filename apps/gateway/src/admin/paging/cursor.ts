import { isUuid, WeirError } from '@weir/kernel';

const CURSOR_BYTES = 17;
const VERSION = 1;

/** Where a page ended: the id of its last row, in a form that nobody is tempted to build by hand. */
export function toCursor(id: string): string {
  return Buffer.concat([Buffer.of(VERSION), Buffer.from(id.replaceAll('-', ''), 'hex')]).toString('base64url');
}

/** @throws WeirError naming `cursor` when it is none of ours. */
export function parseCursor(cursor: string): string {
  const bytes = Buffer.from(cursor, 'base64url');
  const id = bytes
    .subarray(1)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  if (bytes.length !== CURSOR_BYTES || bytes[0] !== VERSION || !isUuid(id) || toCursor(id) !== cursor) throw invalidCursor();
  return id;
}

export function invalidCursor(): WeirError {
  return new WeirError('invalid_request', { message: 'The field cursor is not one that a page answered.', param: 'cursor' });
}
