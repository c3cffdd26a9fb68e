import { type OrganizationId } from '@weir/kernel';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { bigintAsNumber } from './bigint-as-number';

/** A row of `budget_alerts`, to be read; AlertStore alone writes it. */
@Entity({ name: 'budget_alerts' })
export class BudgetAlertEntity {
  @PrimaryColumn({ type: 'uuid' })
  id: string;

  @Column({ name: 'organization_id', type: 'uuid' })
  organizationId: OrganizationId;

  @Column({ type: 'text' })
  scope: string;

  @Column({ name: 'subject_id', type: 'uuid' })
  subjectId: string;

  @Column({ type: 'text', nullable: true })
  model: string | null;

  @Column({ type: 'text' })
  period: string;

  @Column({ name: 'span_from', type: 'timestamptz' })
  spanFrom: Date;

  @Column({ name: 'span_to', type: 'timestamptz', nullable: true })
  spanTo: Date | null;

  @Column({ type: 'double precision' })
  percent: number;

  @Column({ name: 'amount_nanos', type: 'bigint', transformer: bigintAsNumber })
  amountNanos: number;

  @Column({ name: 'spent_nanos', type: 'bigint', transformer: bigintAsNumber })
  spentNanos: number;

  @Column({ name: 'held_nanos', type: 'bigint', transformer: bigintAsNumber })
  heldNanos: number;

  @Column({ type: 'timestamptz' })
  at: Date;

  @Column({ type: 'text' })
  delivery: string;

  @Column({ type: 'integer' })
  attempts: number;

  @Column({ name: 'next_attempt_at', type: 'timestamptz', nullable: true })
  nextAttemptAt: Date | null;

  @Column({ name: 'delivered_at', type: 'timestamptz', nullable: true })
  deliveredAt: Date | null;

  @Column({ name: 'last_status', type: 'smallint', nullable: true })
  lastStatus: number | null;

  @Column({ name: 'last_error', type: 'text', nullable: true })
  lastError: string | null;
}
