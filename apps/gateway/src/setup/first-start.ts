import { AdminIdentities, OrganizationEntity, ProxyKeys } from '@weir/access';
import { newId, type OrganizationId, type Secret, type UpstreamId } from '@weir/kernel';
import { UpstreamEntity } from '@weir/upstreams';
import { type UpstreamKeyVault } from '@weir/vault';
import { type DataSource, type EntityManager } from 'typeorm';
import { importUpstreamKeys, offerModel, type ImportReport } from './import-upstream-keys';

/** What was made at the first start; null where it was there already. Keys are shown once, here. */
export interface FirstStart {
  readonly adminKey: Secret | null;
  readonly proxyKey: Secret | null;
  readonly imports: readonly ImportReport[];
}

/** Names the in-process upstream; the transport connects it to the demo server's port. */
export const DEMO_HOST = 'demo.weir.internal';

const FIRST_ORGANIZATION = 'default';

/**
 * Makes an empty installation usable: the first admin, an organization with a key, the built-in
 * model `demo/echo`, and the provider keys that the environment holds. For the embedded database;
 * with a database of one's own the scripts do each of these on demand.
 */
export async function prepareFirstStart(
  environment: NodeJS.ProcessEnv,
  dataSource: DataSource,
  identities: AdminIdentities,
  proxyKeys: ProxyKeys,
  vault: UpstreamKeyVault,
): Promise<FirstStart> {
  const imports = await importUpstreamKeys(environment, dataSource, vault);
  if (await identities.hasOwner()) return { adminKey: null, proxyKey: null, imports };
  return dataSource.transaction(async (manager) => {
    await offerDemo(manager);
    const organizationId = await makeOrganization(manager);
    const issued = await proxyKeys.within(manager).create({ organizationId, projectId: null, name: 'first key' });
    const admin = await identities.within(manager).createAdmin({ username: 'admin', email: null });
    return { adminKey: admin.issued?.key ?? null, proxyKey: issued.key, imports };
  });
}

/** A `weir.yaml` may have made it already. */
async function makeOrganization(manager: EntityManager): Promise<OrganizationId> {
  const held = await manager.findOneBy(OrganizationEntity, { name: FIRST_ORGANIZATION });
  if (held !== null) return held.id;
  const id = newId<OrganizationId>();
  await manager.insert(OrganizationEntity, { id, name: FIRST_ORGANIZATION });
  return id;
}

/** Said aloud: a model without a price cannot be used under a budget. */
const FREE = { per_request_usd: 0 };

async function offerDemo(manager: EntityManager): Promise<void> {
  if ((await manager.findOneBy(UpstreamEntity, { name: 'demo' })) !== null) return;
  const upstreamId = newId<UpstreamId>();
  await manager.insert(UpstreamEntity, {
    id: upstreamId,
    name: 'demo',
    provider: 'openai-compatible',
    baseUrl: `http://${DEMO_HOST}/v1`,
    options: { no_key: true },
  });
  await offerModel('demo/echo', 'chat', 'demo/echo', upstreamId, manager, FREE);
  await offerModel('demo/embedding', 'embeddings', 'demo/echo', upstreamId, manager, FREE);
}
