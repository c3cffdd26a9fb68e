import {
  type Nanos,
  type Operation,
  type OrganizationId,
  type ProjectId,
  type ProxyKeyId,
  type UpstreamId,
  type UpstreamKeyId,
  type UsageUnits,
} from '@weir/kernel';

export const USAGE_STATUSES = ['succeeded', 'failed', 'aborted', 'unknown'] as const;
export type UsageStatus = (typeof USAGE_STATUSES)[number];

/** What one attempt used and cost: a row of the ledger. */
export interface UsageRecord {
  /** A UUID. */
  readonly requestId: string;
  /** From 1. */
  readonly attempt: number;
  /** When the request began, the same for all its attempts, in whole milliseconds: part of the row's identity. */
  readonly atMs: number;
  readonly organizationId: OrganizationId;
  readonly projectId: ProjectId | null;
  readonly keyId: ProxyKeyId;
  readonly operation: Operation;
  readonly model: string;
  readonly upstreamId: UpstreamId | null;
  readonly upstreamKeyId: UpstreamKeyId | null;
  readonly upstreamModel: string | null;
  readonly status: UsageStatus;
  readonly httpStatus: number | null;
  readonly errorCode: string | null;
  readonly usage: UsageUnits;
  /** True when the upstream told no usage and Weir counted. */
  readonly estimated: boolean;
  /** Null when the model has no price. */
  readonly costNanos: Nanos | null;
  /** The price that was applied, as JSON text, made once for a price; null when the model has none. */
  readonly rate: string | null;
  readonly durationMs: number;
  readonly firstByteMs: number | null;
}
