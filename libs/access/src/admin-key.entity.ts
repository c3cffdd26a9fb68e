import { type UserId } from '@weir/kernel';
import { Column, CreateDateColumn, Entity, PrimaryColumn } from 'typeorm';

/** A key of the control plane; acts as its user. */
@Entity({ name: 'admin_keys' })
export class AdminKeyEntity {
  @PrimaryColumn({ type: 'uuid' })
  id: string;

  @Column({ name: 'user_id', type: 'uuid' })
  userId: UserId;

  @Column({ name: 'public_id', type: 'text' })
  publicId: string;

  /** SHA-256 of the whole key. Never read unless asked for, so that no listing can leak it. */
  @Column({ name: 'secret_hash', type: 'bytea', select: false })
  secretHash: Buffer;

  @Column({ name: 'expires_at', type: 'timestamptz', nullable: true })
  expiresAt: Date | null;

  @Column({ name: 'revoked_at', type: 'timestamptz', nullable: true })
  revokedAt: Date | null;

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz' })
  createdAt: Date;
}
