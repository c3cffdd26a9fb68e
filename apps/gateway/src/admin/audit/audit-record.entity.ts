import { type OrganizationId, type UserId } from '@weir/kernel';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** One field of an object, before and after. A secret appears as a mark, never as itself. */
export interface FieldChange {
  readonly old: unknown;
  readonly new: unknown;
}

/** A row of `audit_records`: who changed what. Rows are written and never changed. */
@Entity({ name: 'audit_records' })
export class AuditRecordEntity {
  @PrimaryColumn({ type: 'uuid' })
  id: string;

  @Column({ type: 'timestamptz' })
  at: Date;

  /** Null for what a script did. */
  @Column({ name: 'actor_id', type: 'uuid', nullable: true })
  actorId: UserId | null;

  /** The actor's name when it happened: it stays readable when the user is gone. */
  @Column({ type: 'text' })
  actor: string;

  /** Whose object it was; null for the installation's. */
  @Column({ name: 'organization_id', type: 'uuid', nullable: true })
  organizationId: OrganizationId | null;

  @Column({ type: 'text' })
  action: string;

  @Column({ type: 'text' })
  collection: string;

  @Column({ name: 'object_id', type: 'text' })
  objectId: string;

  @Column({ type: 'jsonb' })
  changes: Record<string, FieldChange>;

  @Column({ name: 'remote_address', type: 'text', nullable: true })
  remoteAddress: string | null;
}
