import { type UpstreamId, type UpstreamKeyId } from '@weir/kernel';
import { Column, CreateDateColumn, Entity, PrimaryColumn, UpdateDateColumn } from 'typeorm';

/** What the pool last said of a key. `ejected` is a key put out by hand or by its upstream's breaker. */
export type UpstreamKeyStatus = 'active' | 'cooling' | 'exhausted' | 'disabled' | 'ejected';

export const UPSTREAM_KEY_STATUSES: readonly UpstreamKeyStatus[] = ['active', 'cooling', 'exhausted', 'disabled', 'ejected'];

/** A provider's key that Weir holds, encrypted. */
@Entity({ name: 'upstream_keys' })
export class UpstreamKeyEntity {
  @PrimaryColumn({ type: 'uuid' })
  id: UpstreamKeyId;

  @Column({ name: 'upstream_id', type: 'uuid' })
  upstreamId: UpstreamId;

  @Column({ type: 'text', default: '' })
  label: string;

  /** The encrypted secret. Never read unless asked for, so that no listing can leak it. */
  @Column({ type: 'jsonb', select: false })
  envelope: unknown;

  /** Which key of the ring wrapped the envelope and keyed the fingerprint. */
  @Column({ name: 'encryption_key_id', type: 'text' })
  encryptionKeyId: string;

  /** Keyed hash of the secret. Never read unless asked for. */
  @Column({ type: 'text', select: false })
  fingerprint: string;

  @Column({ type: 'boolean', default: true })
  enabled: boolean;

  @Column({ type: 'text', default: 'active' })
  status: UpstreamKeyStatus;

  @Column({ name: 'status_reason', type: 'text', nullable: true })
  statusReason: string | null;

  @Column({ name: 'status_until', type: 'timestamptz', nullable: true })
  statusUntil: Date | null;

  // A bigint arrives as text; failures are counted far below 2⁵³.
  @Column({ name: 'failure_count', type: 'bigint', default: 0, transformer: { from: Number, to: (count: number) => count } })
  failureCount: number;

  @Column({ name: 'last_failure_at', type: 'timestamptz', nullable: true })
  lastFailureAt: Date | null;

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz' })
  createdAt: Date;

  @UpdateDateColumn({ name: 'updated_at', type: 'timestamptz' })
  updatedAt: Date;
}
