import { type OrganizationId, type StoredScopeLimits } from '@weir/kernel';
import { Column, CreateDateColumn, Entity, PrimaryColumn, UpdateDateColumn } from 'typeorm';
import { type StoredBudget } from './parse-budgets';

/** A tenant. */
@Entity({ name: 'organizations' })
export class OrganizationEntity {
  @PrimaryColumn({ type: 'uuid' })
  id: OrganizationId;

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

  /** Its share of an upstream's places when calls wait for it: 1 to 100, beside the others'. */
  @Column({ name: 'queue_weight', type: 'integer', default: 1 })
  queueWeight: number;

  /** Where alerts of its budgets go; null when nobody asked for them. */
  @Column({ name: 'alert_webhook_url', type: 'text', nullable: true })
  alertWebhookUrl: string | null;

  /** What signs them, encrypted; null exactly without a URL. Never read unless asked for. */
  @Column({ name: 'alert_webhook_secret', type: 'bytea', nullable: true, select: false })
  alertWebhookSecret: Buffer | null;

  /** An owner said that the URL may lead into a private network. */
  @Column({ name: 'alert_webhook_allow_private', type: 'boolean', default: false })
  alertWebhookAllowPrivate: boolean;

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz' })
  createdAt: Date;

  @UpdateDateColumn({ name: 'updated_at', type: 'timestamptz' })
  updatedAt: Date;
}
