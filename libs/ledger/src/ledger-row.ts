import { toUsdString } from '@weir/kernel';
import { type UsageRecord } from './usage-record';

/** A row as it is read back. */
export interface LedgerRow
  extends Pick<
    UsageRecord,
    | 'requestId'
    | 'attempt'
    | 'atMs'
    | 'model'
    | 'upstreamModel'
    | 'status'
    | 'httpStatus'
    | 'errorCode'
    | 'estimated'
    | 'costNanos'
    | 'durationMs'
    | 'firstByteMs'
  > {
  readonly organizationId: string;
  readonly projectId: string | null;
  readonly keyId: string;
  /** Not of type Operation: a row may have been written by a newer version. */
  readonly operation: string;
  readonly upstreamId: string | null;
  readonly upstreamKeyId: string | null;
  /** Null when there was no upstream, or when it has been deleted since. */
  readonly upstreamName: string | null;
  readonly inputTokens: number;
  readonly cachedInputTokens: number;
  readonly outputTokens: number;
  /** Units without a column of their own, such as `reasoning_tokens`. */
  readonly units: Readonly<Record<string, number>> | null;
  /** The price that was applied; null when there was none, and in rows of versions that did not keep it. */
  readonly rate: Readonly<Record<string, unknown>> | null;
}

/** A row in the words of the control plane's API. */
export function toRequestView(row: LedgerRow) {
  return {
    request_id: row.requestId,
    attempt: row.attempt,
    at: new Date(row.atMs).toISOString(),
    organization_id: row.organizationId,
    project_id: row.projectId,
    key_id: row.keyId,
    operation: row.operation,
    model: row.model,
    upstream: row.upstreamName ?? row.upstreamId,
    upstream_id: row.upstreamId,
    upstream_key_id: row.upstreamKeyId,
    upstream_model: row.upstreamModel,
    status: row.status,
    http_status: row.httpStatus,
    error_code: row.errorCode,
    input_tokens: row.inputTokens,
    cached_input_tokens: row.cachedInputTokens,
    output_tokens: row.outputTokens,
    units: row.units,
    estimated: row.estimated,
    cost_nanos: row.costNanos,
    cost_usd: row.costNanos === null ? null : toUsdString(row.costNanos),
    rate: row.rate,
    duration_ms: row.durationMs,
    first_byte_ms: row.firstByteMs,
  };
}
