import { type EntityManager, type ObjectLiteral } from 'typeorm';
import { type Audit } from './audited-transactions';
import { toFieldChanges } from './to-field-changes';

export interface UpdatedObject<Entity> {
  readonly collection: string;
  readonly organizationId: string | null;
  readonly toView: (entity: Entity) => object;
}

/**
 * Changes a row that was read in this transaction and writes down the fields that differ.
 * A change that changes nothing writes nothing.
 */
export async function updateAudited<Entity extends ObjectLiteral & { id: string }>(
  manager: EntityManager,
  audit: Audit,
  entity: Entity,
  change: Partial<Entity>,
  { collection, organizationId, toView }: UpdatedObject<Entity>,
): Promise<Entity> {
  const before = toView(entity);
  const wanted = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
  const changed = Object.assign(entity, wanted);
  const changes = toFieldChanges(before, toView(changed));
  if (Object.keys(changes).length === 0) return entity;
  const saved = await manager.save(changed);
  await audit({ action: 'update', collection, objectId: entity.id, organizationId, changes });
  return saved;
}
