import { type UsageUnits } from '@weir/kernel';
import { type UsageRecord } from './usage-record';

const LARGEST_SMALLINT = 32_767;
const LARGEST_INTEGER = 2_147_483_647;
const LONGEST_TEXT = 512;

/** A record as PostgreSQL's json_to_recordset reads it: the names are those of USAGE_ROW_TYPE. */
export interface UsageRow {
  request_id: string;
  attempt: number;
  at_ms: number;
  organization_id: string;
  project_id: string | null;
  key_id: string;
  operation: string;
  model: string;
  upstream_id: string | null;
  upstream_key_id: string | null;
  upstream_model: string | null;
  status: string;
  http_status: number | null;
  error_code: string | null;
  input_tokens: number;
  cached_input_tokens: number;
  output_tokens: number;
  units: Readonly<Record<string, number>> | null;
  estimated: boolean;
  cost_nanos: number | null;
  duration_ms: number;
  first_byte_ms: number | null;
}

export const USAGE_ROW_TYPE = `
  request_id uuid, attempt smallint, at_ms double precision, organization_id uuid, project_id uuid, key_id uuid,
  operation text, model text, upstream_id uuid, upstream_key_id uuid, upstream_model text, status text,
  http_status smallint, error_code text, input_tokens bigint, cached_input_tokens bigint, output_tokens bigint,
  units jsonb, estimated boolean, cost_nanos bigint, duration_ms integer, first_byte_ms integer`;

/**
 * PostgreSQL's text holds neither NUL nor half a surrogate pair, and one such name would make it
 * refuse the whole batch. A name that long was made up by somebody, and its beginning tells enough.
 */
export function toStorableText(text: string): string {
  const short = text.length > LONGEST_TEXT ? text.slice(0, LONGEST_TEXT) : text;
  return (short.includes('\0') ? short.replaceAll('\0', '\uFFFD') : short).toWellFormed();
}

/** A measure that cannot be right must not cost the row: it is brought into what the column holds. */
function toStorableInteger(value: number, largest: number): number {
  if (Number.isNaN(value)) return 0;
  return Math.min(Math.max(Math.round(value), 0), largest);
}

const orNull = <Value, Stored>(value: Value | null, store: (value: Value) => Stored): Stored | null =>
  value === null ? null : store(value);
const toSmallint = (value: number): number => toStorableInteger(value, LARGEST_SMALLINT);
const toInteger = (value: number): number => toStorableInteger(value, LARGEST_INTEGER);
const toBigint = (value: number): number => toStorableInteger(value, Number.MAX_SAFE_INTEGER);

/** The units without a column of their own. Null when there are none, as in most rows. */
function toUnits(usage: UsageUnits): UsageRow['units'] {
  return usage.reasoningTokens > 0 ? { reasoning_tokens: toBigint(usage.reasoningTokens) } : null;
}

/**
 * What identifies the row (ids, attempt, time) goes as it is: changing it could make two rows one.
 */
export function toUsageRow(record: UsageRecord): UsageRow {
  const { usage } = record;
  return {
    request_id: record.requestId,
    attempt: record.attempt,
    at_ms: record.atMs,
    organization_id: record.organizationId,
    project_id: record.projectId,
    key_id: record.keyId,
    operation: record.operation,
    model: toStorableText(record.model),
    upstream_id: record.upstreamId,
    upstream_key_id: record.upstreamKeyId,
    upstream_model: orNull(record.upstreamModel, toStorableText),
    status: record.status,
    http_status: orNull(record.httpStatus, toSmallint),
    error_code: orNull(record.errorCode, toStorableText),
    input_tokens: toBigint(usage.inputTokens),
    cached_input_tokens: toBigint(usage.cachedInputTokens),
    output_tokens: toBigint(usage.outputTokens),
    units: toUnits(usage),
    estimated: record.estimated,
    cost_nanos: orNull(record.costNanos, toBigint),
    duration_ms: toInteger(record.durationMs),
    first_byte_ms: orNull(record.firstByteMs, toInteger),
  };
}
