import { type UsageRecord, type UsageStatus } from './usage-record';

/** A blank of the form: where its value ends, counted from the form's beginning, and the largest that fits. */
interface Blank {
  readonly start: number;
  readonly end: number;
  readonly largest: number;
}

const NULL = Buffer.from('null');
const TRUE = Buffer.from(' true');
const FALSE = Buffer.from('false');
const REQUEST_ID_LENGTH = 36;
const LONGEST_STATUS = 11;
const ZERO = '0'.charCodeAt(0);
/** So many digits are worked out as a small integer at once. */
const LOW_DIGITS = 9;
const LOW_RANGE = 10 ** LOW_DIGITS;

/** Grows with each blank. */
let form = '{';

function addBlank(name: string, width: number, before = '', after = ''): Blank {
  form += `${form === '{' ? '' : ','}"${name}":${before}`;
  const start = form.length;
  form += ' '.repeat(width) + after;
  return { start, end: start + width, largest: Math.min(10 ** width - 1, Number.MAX_SAFE_INTEGER) };
}

const REQUEST_ID = addBlank('request_id', REQUEST_ID_LENGTH, '"', '"');
const ATTEMPT = addBlank('attempt', 2);
const AT_MS = addBlank('at_ms', 13);
const STATUS = addBlank('status', LONGEST_STATUS);
const HTTP_STATUS = addBlank('http_status', 4);
const INPUT_TOKENS = addBlank('input_tokens', 10);
const CACHED_INPUT_TOKENS = addBlank('cached_input_tokens', 10);
const OUTPUT_TOKENS = addBlank('output_tokens', 10);
const ESTIMATED = addBlank('estimated', FALSE.length);
const COST_NANOS = addBlank('cost_nanos', 13);
const DURATION_MS = addBlank('duration_ms', 8);
const FIRST_BYTE_MS = addBlank('first_byte_ms', 8);

/** The beginning of nearly every row: numbers fill its blanks from the right, which JSON allows. */
const FORM = Buffer.from(form);
export const USAGE_ROW_FORM_LENGTH = FORM.length;

const STATUS_TEXTS: Readonly<Record<UsageStatus, Buffer>> = {
  succeeded: toStatusText('succeeded'),
  failed: toStatusText('failed'),
  aborted: toStatusText('aborted'),
  unknown: toStatusText('unknown'),
};

function toStatusText(status: UsageStatus): Buffer {
  return Buffer.from(`"${status}"`.padEnd(LONGEST_STATUS));
}

/**
 * Writes the beginning of a row's JSON object: a copy of the form with its blanks filled. Texts put
 * together anew for each row would be several times as dear, and garbage.
 * @returns false when a value does not fit into its blank; then what was written is of no worth
 */
export function fillUsageRowForm(record: UsageRecord, bytes: Buffer, start: number): boolean {
  const { requestId, usage, status, estimated } = record;
  if (requestId.length !== REQUEST_ID_LENGTH) return false;
  bytes.set(FORM, start);
  bytes.write(requestId, start + REQUEST_ID.start, REQUEST_ID_LENGTH, 'latin1');
  put(bytes, start + STATUS.start, STATUS_TEXTS[status]);
  put(bytes, start + ESTIMATED.start, estimated ? TRUE : FALSE);
  return (
    putNumber(bytes, start, ATTEMPT, record.attempt) &&
    putNumber(bytes, start, AT_MS, record.atMs) &&
    putNumber(bytes, start, HTTP_STATUS, record.httpStatus) &&
    putNumber(bytes, start, INPUT_TOKENS, usage.inputTokens) &&
    putNumber(bytes, start, CACHED_INPUT_TOKENS, usage.cachedInputTokens) &&
    putNumber(bytes, start, OUTPUT_TOKENS, usage.outputTokens) &&
    putNumber(bytes, start, COST_NANOS, record.costNanos) &&
    putNumber(bytes, start, DURATION_MS, record.durationMs) &&
    putNumber(bytes, start, FIRST_BYTE_MS, record.firstByteMs)
  );
}

function put(bytes: Buffer, at: number, text: Buffer): void {
  for (let index = 0; index < text.length; index++) bytes[at + index] = text[index];
}

function putNumber(bytes: Buffer, start: number, blank: Blank, value: number | null): boolean {
  const end = start + blank.end;
  if (value === null) {
    put(bytes, end - NULL.length, NULL);
    return true;
  }
  if (!Number.isInteger(value) || value < 0 || value > blank.largest) return false;
  if (value < LOW_RANGE) {
    putDigits(bytes, end, value, 1);
    return true;
  }
  const high = Math.floor(value / LOW_RANGE);
  putDigits(bytes, end, value - high * LOW_RANGE, LOW_DIGITS);
  putDigits(bytes, end - LOW_DIGITS, high, 1);
  return true;
}

function putDigits(bytes: Buffer, end: number, value: number, atLeast: number): void {
  let left = value | 0;
  for (let digit = 0; digit < atLeast || left > 0; digit++) {
    const rest = (left / 10) | 0;
    bytes[end - 1 - digit] = ZERO + left - 10 * rest;
    left = rest;
  }
}
