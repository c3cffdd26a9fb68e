import { type UsageUnits } from '@weir/kernel';
import { fillUsageRowForm, USAGE_ROW_FORM_LENGTH } from './usage-row-form';
import { type UsageRecord } from './usage-record';

const LARGEST_SMALLINT = 32_767;
const LARGEST_INTEGER = 2_147_483_647;
const LONGEST_TEXT = 512;
const REMEMBERED_TEXTS = 4_096;
const LONGEST_PLACE = 1_024;
/** Of a UTF-16 unit. */
const LARGEST_UTF8_LENGTH = 3;
const INITIAL_BYTES = 4_096;

/**
 * PostgreSQL's text holds neither NUL nor half a surrogate pair, and one such name would make it
 * refuse the whole batch. A name that long was made up by somebody, and its beginning tells enough.
 */
export function toStorableText(text: string): string {
  const short = text.length > LONGEST_TEXT ? text.slice(0, LONGEST_TEXT) : text;
  return (short.includes('\0') ? short.replaceAll('\0', '\uFFFD') : short).toWellFormed();
}

/** How PostgreSQL's json_to_recordset reads the texts that `writeUsageRow` makes. */
export const USAGE_ROW_TYPE = `
  request_id uuid, attempt smallint, at_ms double precision, organization_id uuid, project_id uuid, key_id uuid,
  operation text, model text, upstream_id uuid, upstream_key_id uuid, upstream_model text, status text,
  http_status smallint, error_code text, input_tokens bigint, cached_input_tokens bigint, output_tokens bigint,
  units jsonb, estimated boolean, cost_nanos bigint, rate jsonb, duration_ms integer, first_byte_ms integer`;

/**
 * Writes a record as the JSON object of one row, on one line, as UTF-8. It goes as it is through the
 * spool into PostgreSQL. What identifies the row (ids, attempt, time) is not brought into shape:
 * changing it could make two rows one.
 * @returns where it ends; null when there may not be enough room: then what was written is of no worth
 */
export function writeUsageRow(record: UsageRecord, bytes: Buffer, start: number): number | null {
  const place = findPlaceBytes(record);
  const rate = findRateBytes(record.rate);
  const ending = toEnding(record);
  if (start + USAGE_ROW_FORM_LENGTH + place.length + rate.length + ending.length * LARGEST_UTF8_LENGTH > bytes.length) return null;
  if (!fillUsageRowForm(record, bytes, start)) return writeText(toBeginning(record) + place.toString() + rate.toString() + ending, bytes, start);
  const placeStart = start + USAGE_ROW_FORM_LENGTH;
  bytes.set(place, placeStart);
  const rateStart = placeStart + place.length;
  bytes.set(rate, rateStart);
  const endingStart = rateStart + rate.length;
  if (ending !== PLAIN_ENDING) return endingStart + bytes.write(ending, endingStart, 'utf8');
  bytes.set(PLAIN_ENDING_BYTES, endingStart);
  return endingStart + PLAIN_ENDING_BYTES.length;
}

/** The same as a text. */
export function toUsageRowText(record: UsageRecord): string {
  for (let length = INITIAL_BYTES; ; length *= 2) {
    const bytes = Buffer.allocUnsafe(length);
    const end = writeUsageRow(record, bytes, 0);
    if (end !== null) return bytes.toString('utf8', 0, end);
  }
}

function writeText(text: string, bytes: Buffer, start: number): number | null {
  return start + text.length * LARGEST_UTF8_LENGTH > bytes.length ? null : start + bytes.write(text, start, 'utf8');
}

/** What the form's blanks are filled with, where that does not fit; the request first, by which others find it. */
function toBeginning(record: UsageRecord): string {
  const { usage } = record;
  return (
    `{"request_id":"${record.requestId}","attempt":${toJsonNumber(record.attempt)},"at_ms":${toJsonNumber(record.atMs)}` +
    `,"status":"${record.status}","http_status":${toSmallint(record.httpStatus)}` +
    `,"input_tokens":${toBigint(usage.inputTokens)},"cached_input_tokens":${toBigint(usage.cachedInputTokens)}` +
    `,"output_tokens":${toBigint(usage.outputTokens)},"estimated":${record.estimated},"cost_nanos":${toBigint(record.costNanos)}` +
    `,"duration_ms":${toInteger(record.durationMs)},"first_byte_ms":${toInteger(record.firstByteMs)}`
  );
}

const PLAIN_ENDING = ',"error_code":null,"units":null}';
const PLAIN_ENDING_BYTES = Buffer.from(PLAIN_ENDING);

/** What most rows have nothing to say in. */
function toEnding({ errorCode, usage }: UsageRecord): string {
  const units = toUnitsText(usage);
  return errorCode === null && units === null ? PLAIN_ENDING : `,"error_code":${toJsonText(errorCode)},"units":${units}}`;
}

/** Who called what, and where it went: the same in all rows of a caller and a model while the upstream's key is the same. */
type Place = Pick<UsageRecord, 'organizationId' | 'projectId' | 'keyId' | 'operation' | 'model' | 'upstreamId' | 'upstreamKeyId' | 'upstreamModel'>;

interface KnownPlace {
  readonly place: Place;
  readonly bytes: Buffer;
}

/** By the caller's key, the place of its last row and its part of a row. */
const places = new Map<string, KnownPlace>();

function findPlaceBytes(record: UsageRecord): Buffer {
  const known = places.get(record.keyId);
  if (known !== undefined && isSamePlace(known.place, record)) return known.bytes;
  const { organizationId, projectId, keyId, operation, model, upstreamId, upstreamKeyId, upstreamModel } = record;
  const bytes = Buffer.from(
    `,"organization_id":${toJsonText(organizationId)},"project_id":${toJsonText(projectId)},"key_id":${toJsonText(keyId)}` +
      `,"operation":${toJsonText(operation)},"model":${toJsonText(model)},"upstream_id":${toJsonText(upstreamId)}` +
      `,"upstream_key_id":${toJsonText(upstreamKeyId)},"upstream_model":${toJsonText(upstreamModel)}`,
  );
  if (bytes.length > LONGEST_PLACE) return bytes;
  if (places.size === REMEMBERED_TEXTS) places.clear();
  places.set(keyId, { place: { organizationId, projectId, keyId, operation, model, upstreamId, upstreamKeyId, upstreamModel }, bytes });
  return bytes;
}

function isSamePlace(one: Place, other: Place): boolean {
  return (
    one.model === other.model &&
    one.upstreamKeyId === other.upstreamKeyId &&
    one.upstreamModel === other.upstreamModel &&
    one.upstreamId === other.upstreamId &&
    one.operation === other.operation &&
    one.projectId === other.projectId &&
    one.organizationId === other.organizationId &&
    one.keyId === other.keyId
  );
}

/** The text of a price is made once for all its rows. */
const rates = new Map<string | null, Buffer>();

function findRateBytes(rate: string | null): Buffer {
  let bytes = rates.get(rate);
  if (bytes !== undefined) return bytes;
  // A record of the spool is a line. In JSON a line break can only stand between values.
  bytes = Buffer.from(`,"rate":${rate === null ? 'null' : rate.replaceAll('\n', ' ')}`);
  if (bytes.length > LONGEST_PLACE) return bytes;
  if (rates.size === REMEMBERED_TEXTS) rates.clear();
  rates.set(rate, bytes);
  return bytes;
}

/** The units without a column of their own; null when there are none, as in most rows. A missing `requests` is 1. */
function toUnitsText(usage: UsageUnits): string | null {
  let text = '';
  if (usage.cacheWriteTokens > 0) text += `,"cache_write_tokens":${toBigint(usage.cacheWriteTokens)}`;
  if (usage.reasoningTokens > 0) text += `,"reasoning_tokens":${toBigint(usage.reasoningTokens)}`;
  if (usage.characters > 0) text += `,"characters":${toBigint(usage.characters)}`;
  if (usage.mediaMs > 0) text += `,"seconds":${toSeconds(usage.mediaMs)}`;
  if (usage.images > 0) text += `,"images":${toBigint(usage.images)}`;
  if (usage.documents > 0) text += `,"documents":${toBigint(usage.documents)}`;
  if (usage.requests !== 1) text += `,"requests":${toBigint(usage.requests)}`;
  if (usage.gpuMs > 0) text += `,"gpu_seconds":${toSeconds(usage.gpuMs)}`;
  return text === '' ? null : `{${text.slice(1)}}`;
}

/** The same ids and names come in row after row: their texts are remembered, a bounded number of them. */
const jsonTexts = new Map<string, string>();

function toJsonText(text: string | null): string {
  if (text === null) return 'null';
  let json = jsonTexts.get(text);
  if (json !== undefined) return json;
  json = JSON.stringify(toStorableText(text));
  if (text.length > LONGEST_TEXT) return json;
  if (jsonTexts.size === REMEMBERED_TEXTS) jsonTexts.clear();
  jsonTexts.set(text, json);
  return json;
}

/** A measure that cannot be right must not cost the row: it is brought into what the column holds. */
function toStorableInteger(value: number | null, largest: number): string {
  if (value === null) return 'null';
  // As nearly always: nothing has to be brought into shape.
  if (Number.isInteger(value) && value >= 0 && value <= largest) return String(value);
  if (Number.isNaN(value)) return '0';
  return String(Math.min(Math.max(Math.round(value), 0), largest));
}

const toSmallint = (value: number | null): string => toStorableInteger(value, LARGEST_SMALLINT);
const toInteger = (value: number | null): string => toStorableInteger(value, LARGEST_INTEGER);
const toBigint = (value: number | null): string => toStorableInteger(value, Number.MAX_SAFE_INTEGER);
const toSeconds = (valueMs: number): string => String(Math.min(Math.round(valueMs), Number.MAX_SAFE_INTEGER) / 1_000);
const toJsonNumber = (value: number): string => (Number.isFinite(value) ? String(value) : 'null');
