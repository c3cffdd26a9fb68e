import { crc32 } from 'node:zlib';

/**
 * What a record says, by the first letter of its body; JSON follows.
 * - `H` hold: the request is about to be admitted under budgets
 * - `R` release: its hold is settled, or was never taken: an array of request ids
 * - `I` intent: an attempt is about to be sent; the row that stands if nothing more is heard of it
 * - `F` final: the attempt's row
 */
export const SPOOL_RECORD_KINDS = ['H', 'R', 'I', 'F'] as const;
export type SpoolRecordKind = (typeof SPOOL_RECORD_KINDS)[number];

export interface SpoolRecord {
  readonly kind: SpoolRecordKind;
  readonly json: string;
}

export const NEWLINE = 0x0a;
const SPACE = 0x20;
const CHECKSUM_DIGITS = 8;
/** The checksum, a space, the kind. */
const SMALLEST_LINE = CHECKSUM_DIGITS + 2;
/** Where a line's body begins: behind the checksum and a space. */
export const BODY_START = CHECKSUM_DIGITS + 1;
const HEX_DIGITS = Buffer.from('0123456789abcdef');
const KINDS = new Map<string, SpoolRecordKind>(SPOOL_RECORD_KINDS.map((kind) => [kind, kind]));

/** A record as it stands in a segment. `body` is its kind and its JSON, without line breaks. */
export function toSpoolLine(body: string): string {
  return `${crc32(body).toString(16).padStart(CHECKSUM_DIGITS, '0')} ${body}\n`;
}

/** Writes what stands before a line's body. By hand: a number's own `toString(16)` takes as long as the checksum. */
export function writeChecksum(checksum: number, bytes: Buffer, start: number): void {
  for (let digit = 0; digit < CHECKSUM_DIGITS; digit++) bytes[start + digit] = HEX_DIGITS[(checksum >>> (28 - 4 * digit)) & 0xf];
  bytes[start + CHECKSUM_DIGITS] = SPACE;
}

/** Takes a line without its end. @returns null when it is not as it was written. */
export function parseSpoolLine(line: Buffer): SpoolRecord | null {
  if (line.length < SMALLEST_LINE || line[CHECKSUM_DIGITS] !== SPACE) return null;
  const checksum = line.toString('latin1', 0, CHECKSUM_DIGITS);
  const body = line.subarray(CHECKSUM_DIGITS + 1);
  if (crc32(body).toString(16).padStart(CHECKSUM_DIGITS, '0') !== checksum) return null;
  const kind = KINDS.get(body.toString('latin1', 0, 1));
  return kind === undefined ? null : { kind, json: body.toString('utf8', 1) };
}

/** What a stretch of a segment holds. */
export interface SpoolStretch {
  readonly records: readonly SpoolRecord[];
  /** Where lines begin that are not as they were written, from the stretch's beginning. */
  readonly corruptAt: readonly number[];
  /** How much of the stretch was read: up to the end of its last whole line. */
  readonly length: number;
}

/** Reads whole lines. One that is damaged is passed over: the next one begins after the next line break. */
export function readSpoolStretch(bytes: Buffer): SpoolStretch {
  const records: SpoolRecord[] = [];
  const corruptAt: number[] = [];
  let start = 0;
  for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
    // Empty lines are what a test of the disk left behind.
    if (end > start) {
      const record = parseSpoolLine(bytes.subarray(start, end));
      if (record === null) corruptAt.push(start);
      else records.push(record);
    }
    start = end + 1;
  }
  return { records, corruptAt, length: start };
}
