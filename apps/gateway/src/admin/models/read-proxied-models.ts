import { toProxyNames, UpstreamEntity } from '@weir/upstreams';
import { type EntityManager } from 'typeorm';

/**
 * What keys may be allowed of the models that are asked for under `/proxy`: any name behind that of the
 * place. Weir cannot know which of them the provider has.
 */
export async function readProxiedModels(manager: EntityManager): Promise<string[]> {
  const upstreams = await manager.find(UpstreamEntity, { select: { id: true, name: true, provider: true } });
  return toProxyNames(upstreams).map((name) => `${name}/*`);
}
