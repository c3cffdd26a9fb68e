import { ModelEntity, type UpstreamPool } from '@weir/upstreams';
import { type EntityManager } from 'typeorm';

/** The names of all models: as the database has them, and as they are served at this moment. */
export async function readKnownModels(manager: EntityManager, pool: UpstreamPool): Promise<string[]> {
  const rows = await manager.find(ModelEntity, { select: { id: true, name: true } });
  return [...rows.map(({ name }) => name), ...pool.modelNames()];
}
