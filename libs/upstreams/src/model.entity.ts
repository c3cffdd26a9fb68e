import { type ModelId, type StoredScopeLimits } from '@weir/kernel';
import { Column, CreateDateColumn, Entity, PrimaryColumn, UpdateDateColumn } from 'typeorm';

/** A row of `models`: a name that callers ask for. Its targets are rows of their own. */
@Entity('models')
export class ModelEntity {
  @PrimaryColumn('uuid')
  id: ModelId;

  @Column('text')
  name: string;

  @Column('text')
  operation: string;

  @Column('text', { default: 'weighted' })
  strategy: string;

  @Column('text', { default: 'none' })
  affinity: string;

  /** Names of models that may answer in its place, the first one first. */
  @Column('text', { array: true, default: () => "'{}'" })
  fallbacks: string[];

  /** May hold more fields than are known here, if a newer version wrote it. */
  @Column('jsonb', { default: () => "'{}'" })
  limits: StoredScopeLimits;

  /** What the ledger parses; null takes the price table's. */
  @Column('jsonb', { nullable: true })
  price: Record<string, unknown> | null;

  @CreateDateColumn({ type: 'timestamptz', name: 'created_at' })
  createdAt: Date;

  @UpdateDateColumn({ type: 'timestamptz', name: 'updated_at' })
  updatedAt: Date;
}
