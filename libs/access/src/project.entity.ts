import { type OrganizationId, type ProjectId, type StoredScopeLimits } from '@weir/kernel';
import { Column, CreateDateColumn, Entity, PrimaryColumn, UpdateDateColumn } from 'typeorm';
import { type StoredBudget } from './parse-budgets';

/** A part of an organization. */
@Entity({ name: 'projects' })
export class ProjectEntity {
  @PrimaryColumn({ type: 'uuid' })
  id: ProjectId;

  @Column({ name: 'organization_id', type: 'uuid' })
  organizationId: OrganizationId;

  @Column({ type: 'text' })
  name: string;

  @Column({ type: 'boolean', default: true })
  enabled: boolean;

  /** May hold more than these fields, if a newer version wrote it. */
  @Column({ type: 'jsonb', default: () => "'{}'" })
  limits: StoredScopeLimits;

  /** May hold more than these fields, if a newer version wrote it. */
  @Column({ type: 'jsonb', default: () => "'[]'" })
  budgets: StoredBudget[];

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz' })
  createdAt: Date;

  @UpdateDateColumn({ name: 'updated_at', type: 'timestamptz' })
  updatedAt: Date;
}
