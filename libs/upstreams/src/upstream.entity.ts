import { type UpstreamId } from '@weir/kernel';
import { Column, CreateDateColumn, Entity, PrimaryColumn, UpdateDateColumn } from 'typeorm';

/** A row of `upstreams`, as the control plane writes it. The pool reads it through the snapshot loader. */
@Entity('upstreams')
export class UpstreamEntity {
  @PrimaryColumn('uuid')
  id: UpstreamId;

  @Column('text')
  name: string;

  @Column('text')
  provider: string;

  @Column('text', { name: 'base_url' })
  baseUrl: string;

  @Column('integer', { name: 'timeout_ms', nullable: true })
  timeoutMs: number | null;

  @Column('integer', { name: 'stream_timeout_ms', nullable: true })
  streamTimeoutMs: number | null;

  @Column('integer', { nullable: true })
  concurrency: number | null;

  @Column('integer', { default: 100 })
  weight: number;

  @Column('boolean', { default: true })
  enabled: boolean;

  @Column('jsonb', { default: {} })
  options: Record<string, unknown>;

  @CreateDateColumn({ type: 'timestamptz', name: 'created_at' })
  createdAt: Date;

  @UpdateDateColumn({ type: 'timestamptz', name: 'updated_at' })
  updatedAt: Date;
}
