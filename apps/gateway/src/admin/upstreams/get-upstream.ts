import { parseId, type UpstreamId, WeirError } from '@weir/kernel';
import { UpstreamEntity } from '@weir/upstreams';
import { type EntityManager } from 'typeorm';

/** `toChange` holds the row until the transaction ends: its keys are bound to the host that stands in it. */
export async function getUpstream(manager: EntityManager, id: string, toChange = false): Promise<UpstreamEntity> {
  const upstream = await manager.findOne(UpstreamEntity, { where: { id: parseId<UpstreamId>(id) }, ...(toChange ? { lock: { mode: 'pessimistic_write' } } : {}) });
  if (upstream === null) throw new WeirError('not_found');
  return upstream;
}
