import { Inject, Injectable } from '@nestjs/common';
import { AdminIdentities, AdminKeyEntity } from '@weir/access';
import { WeirError } from '@weir/kernel';
import { DATA_SOURCE } from '@weir/platform';
import { DataSource, type EntityManager } from 'typeorm';
import { type AdminPrincipal } from '../access/admin-principal';
import { AuditedTransactions } from '../audit/audited-transactions';
import { SECRET_MARK, toFieldChanges } from '../audit/to-field-changes';
import { type Page, readPage } from '../paging/page';
import { type PageQuery } from '../paging/page.query';
import { refuseExcessGrant } from './refuse-excess-grant';
import { type AdminKeyView, type CreateAdminKey, type IssuedAdminKeyView, toAdminKeyView } from './user.dto';
import { getUser } from './users';

const COLLECTION = 'admin_keys';

/** The admin keys of a user: each acts as the user. */
@Injectable()
export class UserKeys {
  constructor(
    @Inject(DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly transactions: AuditedTransactions,
    private readonly identities: AdminIdentities,
  ) {}

  async list(principal: AdminPrincipal, userId: string, query: PageQuery): Promise<Page<AdminKeyView>> {
    const user = await getUser(this.dataSource.manager, principal, userId);
    const rows = this.dataSource
      .getRepository(AdminKeyEntity)
      .createQueryBuilder('admin_key')
      .where('admin_key.userId = :userId', { userId: user.id });
    return readPage(rows, query, toAdminKeyView);
  }

  create(principal: AdminPrincipal, userId: string, { expires_at }: CreateAdminKey): Promise<IssuedAdminKeyView> {
    return this.transactions.run(principal, async (manager, audit) => {
      const user = await getUser(manager, principal, userId, true);
      // A key acts as its user: making one is a grant of the user's role.
      refuseExcessGrant(principal, user.role);
      const expiresAt = expires_at === null || expires_at === undefined ? null : new Date(expires_at);
      const { id, key } = await this.identities.within(manager).issueKey(user.id, { expiresAt });
      const view = toAdminKeyView(await getAdminKey(manager, user.id, id));
      const changes = { ...toFieldChanges(null, view), key: { old: null, new: SECRET_MARK } };
      await audit({ action: 'create', collection: COLLECTION, objectId: id, organizationId: user.organizationId, changes });
      return { ...view, key: key.expose() };
    });
  }

  /** The key and the sessions it opened end within a second. */
  revoke(principal: AdminPrincipal, userId: string, keyId: string): Promise<void> {
    return this.transactions.run(principal, async (manager, audit) => {
      const user = await getUser(manager, principal, userId, true);
      const before = await getAdminKey(manager, user.id, keyId);
      // Revoking twice is no second event.
      if (before.revokedAt !== null) return;
      await this.identities.within(manager).revokeKey(user.id, keyId);
      const changes = toFieldChanges(toAdminKeyView(before), toAdminKeyView(await getAdminKey(manager, user.id, keyId)));
      await audit({ action: 'revoke', collection: COLLECTION, objectId: keyId, organizationId: user.organizationId, changes });
    });
  }
}

async function getAdminKey(manager: EntityManager, userId: string, id: string): Promise<AdminKeyEntity> {
  const key = await manager
    .createQueryBuilder(AdminKeyEntity, 'admin_key')
    .where('admin_key.id = :id AND admin_key.userId = :userId', { id, userId })
    .getOne();
  if (key === null) throw new WeirError('not_found');
  return key;
}
