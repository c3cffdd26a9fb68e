import { type Secret, type UpstreamId, type UpstreamKeyId } from '@weir/kernel';
import { type UpstreamKeyEntity, type UpstreamKeyStatus } from './upstream-key.entity';

/** What may be shown of an upstream key: everything but its secret. */
export type UpstreamKeyView = Omit<UpstreamKeyEntity, 'envelope' | 'fingerprint'>;

/** An upstream key ready to be used. */
export interface OpenedUpstreamKey {
  readonly id: UpstreamKeyId;
  readonly upstreamId: UpstreamId;
  readonly label: string;
  readonly secret: Secret;
  readonly enabled: boolean;
  readonly status: UpstreamKeyStatus;
  readonly statusReason: string | null;
  readonly statusUntilMs: number | null;
  readonly failureCount: number;
  /** Another one whenever the row was written. */
  readonly revision: string;
}

/** Names each member: a row read with its secret columns must not pass them on. */
export function toView(row: UpstreamKeyView): UpstreamKeyView {
  return {
    id: row.id,
    upstreamId: row.upstreamId,
    label: row.label,
    encryptionKeyId: row.encryptionKeyId,
    enabled: row.enabled,
    status: row.status,
    statusReason: row.statusReason,
    statusUntil: row.statusUntil,
    failureCount: row.failureCount,
    lastFailureAt: row.lastFailureAt,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
  };
}

export function toOpened(row: UpstreamKeyView, secret: Secret): OpenedUpstreamKey {
  return {
    id: row.id,
    upstreamId: row.upstreamId,
    label: row.label,
    secret,
    enabled: row.enabled,
    status: row.status,
    statusReason: row.statusReason,
    statusUntilMs: row.statusUntil === null ? null : row.statusUntil.getTime(),
    failureCount: row.failureCount,
    revision: row.updatedAt.toISOString(),
  };
}
