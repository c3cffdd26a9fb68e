import { type OrganizationId, type ProjectId, type ProxyKeyId, type StoredScopeLimits, type UserId } from '@weir/kernel';
import { Column, CreateDateColumn, Entity, PrimaryColumn, UpdateDateColumn } from 'typeorm';
import { type StoredBudget } from './parse-budgets';

/** A key that Weir issues to a caller. */
@Entity({ name: 'proxy_keys' })
export class ProxyKeyEntity {
  @PrimaryColumn({ type: 'uuid' })
  id: ProxyKeyId;

  @Column({ name: 'organization_id', type: 'uuid' })
  organizationId: OrganizationId;

  @Column({ name: 'project_id', type: 'uuid', nullable: true })
  projectId: ProjectId | null;

  @Column({ type: 'text' })
  name: string;

  /** May be logged and shown: it names the key and opens nothing. */
  @Column({ name: 'public_id', type: 'text' })
  publicId: string;

  /** SHA-256 of the whole key. Never read unless asked for, so that no listing can leak it. */
  @Column({ name: 'secret_hash', type: 'bytea', select: false })
  secretHash: Buffer;

  /** Allowed models: exact names, or prefixes ending in `*`. Empty allows all. */
  @Column({ type: 'text', array: true, default: () => "'{}'" })
  models: string[];

  /** May hold more than these fields, if a newer version wrote it. */
  @Column({ type: 'jsonb', default: () => "'{}'" })
  limits: StoredScopeLimits;

  /** May hold more than these fields, if a newer version wrote it. */
  @Column({ type: 'jsonb', default: () => "'[]'" })
  budgets: StoredBudget[];

  @Column({ name: 'expires_at', type: 'timestamptz', nullable: true })
  expiresAt: Date | null;

  @Column({ name: 'revoked_at', type: 'timestamptz', nullable: true })
  revokedAt: Date | null;

  @Column({ name: 'rotated_from', type: 'uuid', nullable: true })
  rotatedFrom: ProxyKeyId | null;

  @Column({ name: 'created_by', type: 'uuid', nullable: true })
  createdBy: UserId | null;

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz' })
  createdAt: Date;

  @UpdateDateColumn({ name: 'updated_at', type: 'timestamptz' })
  updatedAt: Date;
}
