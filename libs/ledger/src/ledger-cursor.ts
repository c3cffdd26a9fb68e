import { isUuid, WeirError } from '@weir/kernel';

/** The last row of a page, by what orders the rows. */
export interface LedgerCursor {
  readonly atMs: number;
  readonly requestId: string;
  readonly attempt: number;
}

const LATEST_MS = 8_640_000_000_000_000;

export function toCursorText(cursor: LedgerCursor): string {
  return Buffer.from(JSON.stringify([cursor.atMs, cursor.requestId, cursor.attempt])).toString('base64url');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch {
    return null;
  }
}

/** @throws WeirError `invalid_request` naming `cursor`. */
export function parseCursor(text: string): LedgerCursor {
  const value = parseJson(text);
  if (Array.isArray(value)) {
    const [atMs, requestId, attempt] = value as unknown[];
    if (isWithin(atMs, LATEST_MS) && isUuid(requestId) && isWithin(attempt, 32_767)) return { atMs, requestId, attempt };
  }
  throw new WeirError('invalid_request', { param: 'cursor', message: "'cursor' must be a next_cursor of an earlier answer." });
}

const isWithin = (value: unknown, largest: number): value is number => Number.isInteger(value) && Number(value) >= 0 && Number(value) <= largest;
