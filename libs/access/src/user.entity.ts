import { type OrganizationId, type UserId } from '@weir/kernel';
import { Column, CreateDateColumn, Entity, PrimaryColumn, UpdateDateColumn } from 'typeorm';

export type Role = 'owner' | 'admin' | 'viewer';

export const ROLES: readonly Role[] = ['owner', 'admin', 'viewer'];

/** A person or a script of the control plane. An owner belongs to the installation: no organization. */
@Entity({ name: 'users' })
export class UserEntity {
  @PrimaryColumn({ type: 'uuid' })
  id: UserId;

  /** Null exactly for an owner. */
  @Column({ name: 'organization_id', type: 'uuid', nullable: true })
  organizationId: OrganizationId | null;

  @Column({ type: 'text' })
  username: string;

  @Column({ type: 'text', nullable: true })
  email: string | null;

  @Column({ type: 'text' })
  role: Role;

  @Column({ type: 'boolean', default: true })
  enabled: boolean;

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz' })
  createdAt: Date;

  @UpdateDateColumn({ name: 'updated_at', type: 'timestamptz' })
  updatedAt: Date;
}
