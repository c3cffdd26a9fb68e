import { ApiProperty } from '@nestjs/swagger';
import { UPSTREAM_KEY_STATUSES, type UpstreamKeyView as StoredUpstreamKey } from '@weir/vault';
import { Flag, PlainText } from '../fields/fields';

const LONGEST_LABEL = 200;
const LONGEST_SECRET = 8192;

export class CreateUpstreamKey {
  @PlainText(LONGEST_SECRET, { description: 'The provider’s key. Never shown again.' })
  secret: string;

  @PlainText(LONGEST_LABEL, { optional: true })
  label?: string;
}

export class UpdateUpstreamKey {
  @PlainText(LONGEST_SECRET, { optional: true, description: 'Another secret in its place.' })
  secret?: string;

  @PlainText(LONGEST_LABEL, { optional: true })
  label?: string;

  @Flag({ optional: true, description: 'True also clears what was held against the key: its status is active again.' })
  enabled?: boolean;
}

export class UpstreamKeyView {
  @ApiProperty({ enum: ['upstream_key'] })
  object: 'upstream_key';

  @ApiProperty({ type: String, format: 'uuid' })
  id: string;

  @ApiProperty({ type: String, format: 'uuid' })
  upstream_id: string;

  @ApiProperty({ type: String })
  label: string;

  @ApiProperty({ type: Boolean })
  enabled: boolean;

  @ApiProperty({ enum: [...UPSTREAM_KEY_STATUSES] })
  status: string;

  @ApiProperty({ type: String, nullable: true })
  status_reason: string | null;

  @ApiProperty({ type: String, format: 'date-time', nullable: true, description: 'When the status may end by itself.' })
  status_until: string | null;

  @ApiProperty({ type: 'integer' })
  failure_count: number;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  last_failure_at: string | null;

  @ApiProperty({ type: String, description: 'Which key of the ring encrypts the secret.' })
  encryption_key_id: string;

  @ApiProperty({ type: String, format: 'date-time' })
  created_at: string;

  @ApiProperty({ type: String, format: 'date-time' })
  updated_at: string;
}

export function toUpstreamKeyView(key: StoredUpstreamKey): UpstreamKeyView {
  return {
    object: 'upstream_key',
    id: key.id,
    upstream_id: key.upstreamId,
    label: key.label,
    enabled: key.enabled,
    status: key.status,
    status_reason: key.statusReason,
    status_until: key.statusUntil?.toISOString() ?? null,
    failure_count: key.failureCount,
    last_failure_at: key.lastFailureAt?.toISOString() ?? null,
    encryption_key_id: key.encryptionKeyId,
    created_at: key.createdAt.toISOString(),
    updated_at: key.updatedAt.toISOString(),
  };
}
