import { Inject, Injectable } from '@nestjs/common';
import { parseId, type UpstreamId, WeirError } from '@weir/kernel';
import { DATA_SOURCE } from '@weir/platform';
import { parseUpstreamSecret, UpstreamKeyEntity, UpstreamKeyVault } from '@weir/vault';
import { DataSource, type EntityManager } from 'typeorm';
import { type AdminPrincipal } from '../access/admin-principal';
import { type Audit, AuditedTransactions } from '../audit/audited-transactions';
import { SECRET_MARK, toFieldChanges } from '../audit/to-field-changes';
import { type Page, readPage } from '../paging/page';
import { type PageQuery } from '../paging/page.query';
import { getUpstream } from './get-upstream';
import { parseBaseUrlField } from './parse-base-url-field';
import { type CreateUpstreamKey, toUpstreamKeyView, type UpdateUpstreamKey, type UpstreamKeyView } from './upstream-key.dto';

const COLLECTION = 'upstream_keys';

/** The providers' keys of one upstream. A secret goes in and never comes out. */
@Injectable()
export class UpstreamKeys {
  constructor(
    @Inject(DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly transactions: AuditedTransactions,
    private readonly vault: UpstreamKeyVault,
  ) {}

  async list(upstreamId: string, query: PageQuery): Promise<Page<UpstreamKeyView>> {
    await getUpstream(this.dataSource.manager, upstreamId);
    const rows = this.dataSource
      .getRepository(UpstreamKeyEntity)
      .createQueryBuilder('upstream_key')
      .where('upstream_key.upstreamId = :upstreamId', { upstreamId });
    return readPage(rows, query, toUpstreamKeyView);
  }

  async get(upstreamId: string, id: string): Promise<UpstreamKeyView> {
    return toUpstreamKeyView(await getUpstreamKey(this.dataSource.manager, upstreamId, id));
  }

  create(principal: AdminPrincipal, upstreamId: string, { secret, label = '' }: CreateUpstreamKey): Promise<UpstreamKeyView> {
    return this.transactions.run(principal, async (manager, audit) => {
      const upstream = await getUpstream(manager, upstreamId, true);
      const { origin } = parseBaseUrlField(upstream.baseUrl);
      const made = await this.vault
        .within(manager)
        .add({ upstreamId: parseId<UpstreamId>(upstream.id), origin, label, secret: parseUpstreamSecret(secret) });
      const view = toUpstreamKeyView(made);
      const changes = { ...toFieldChanges(null, view), secret: { old: null, new: SECRET_MARK } };
      await audit({ action: 'create', collection: COLLECTION, objectId: made.id, organizationId: null, changes });
      return view;
    });
  }

  update(principal: AdminPrincipal, upstreamId: string, id: string, change: UpdateUpstreamKey): Promise<UpstreamKeyView> {
    return this.transactions.run(principal, async (manager, audit) => {
      const upstream = await getUpstream(manager, upstreamId, true);
      const before = await getUpstreamKey(manager, upstreamId, id, true);
      const was = toUpstreamKeyView(before);
      const vault = this.vault.within(manager);
      const { secret, label, enabled } = change;
      if (secret !== undefined) await vault.replaceSecret(before.id, parseBaseUrlField(upstream.baseUrl).origin, parseUpstreamSecret(secret));
      const after = toUpstreamKeyView(await vault.update(before.id, { label, enabled }));
      await auditUpdate(audit, was, after, secret !== undefined);
      return after;
    });
  }

  delete(principal: AdminPrincipal, upstreamId: string, id: string): Promise<void> {
    return this.transactions.run(principal, async (manager, audit) => {
      await getUpstream(manager, upstreamId, true);
      const key = await getUpstreamKey(manager, upstreamId, id, true);
      await this.vault.within(manager).remove(key.id);
      const changes = { ...toFieldChanges(toUpstreamKeyView(key), null), secret: { old: SECRET_MARK, new: null } };
      await audit({ action: 'delete', collection: COLLECTION, objectId: id, organizationId: null, changes });
    });
  }
}

async function auditUpdate(audit: Audit, was: UpstreamKeyView, is: UpstreamKeyView, isSecretNew: boolean): Promise<void> {
  const changes = {
    ...toFieldChanges(was, is),
    ...(isSecretNew ? { secret: { old: SECRET_MARK, new: SECRET_MARK } } : {}),
  };
  if (Object.keys(changes).length === 0) return;
  await audit({ action: 'update', collection: COLLECTION, objectId: is.id, organizationId: null, changes });
}

async function getUpstreamKey(manager: EntityManager, upstreamId: string, id: string, toChange = false): Promise<UpstreamKeyEntity> {
  const query = manager
    .createQueryBuilder(UpstreamKeyEntity, 'upstream_key')
    .where('upstream_key.id = :id AND upstream_key.upstreamId = :upstreamId', { id, upstreamId });
  if (toChange) query.setLock('pessimistic_write');
  const key = await query.getOne();
  if (key === null) throw new WeirError('not_found');
  return key;
}
