import { type ModelId, type UpstreamId } from '@weir/kernel';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A row of `model_targets`: one place where a model can be answered. */
@Entity('model_targets')
export class ModelTargetEntity {
  @PrimaryColumn('uuid')
  id: string;

  @Column('uuid', { name: 'model_id' })
  modelId: ModelId;

  @Column('uuid', { name: 'upstream_id' })
  upstreamId: UpstreamId;

  @Column('text', { name: 'upstream_model' })
  upstreamModel: string;

  @Column('integer', { default: 100 })
  weight: number;

  /** The lowest is tried first. */
  @Column('integer', { default: 0 })
  priority: number;

  /** The order in which the admin wrote the targets; it decides nothing. */
  @Column('integer', { default: 0 })
  position: number;
}
