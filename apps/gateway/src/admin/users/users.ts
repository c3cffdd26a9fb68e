import { Inject, Injectable } from '@nestjs/common';
import { UserEntity } from '@weir/access';
import { newId, type OrganizationId, type UserId, WeirError } from '@weir/kernel';
import { DATA_SOURCE } from '@weir/platform';
import { DataSource, type EntityManager } from 'typeorm';
import { type AdminPrincipal } from '../access/admin-principal';
import { confine, isInScope, toScope } from '../access/scope';
import { AuditedTransactions } from '../audit/audited-transactions';
import { toFieldChanges } from '../audit/to-field-changes';
import { updateAudited } from '../audit/update-audited';
import { getTargetOrganization } from '../organizations/get-target-organization';
import { type Page, readPage, search } from '../paging/page';
import { type OrganizationSearchQuery } from '../paging/page.query';
import { keepLastOwner, lockUsers } from './keep-last-owner';
import { refuseExcessGrant, refuseMisplacedRole } from './refuse-excess-grant';
import { type CreateUser, toUserView, type UpdateUser, type UserView } from './user.dto';

const COLLECTION = 'users';

/** The people and scripts of the control plane, as admins see and change them. */
@Injectable()
export class Users {
  constructor(
    @Inject(DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly transactions: AuditedTransactions,
  ) {}

  list(principal: AdminPrincipal, query: OrganizationSearchQuery): Promise<Page<UserView>> {
    const rows = this.dataSource.getRepository(UserEntity).createQueryBuilder('user');
    return readPage(search(confine(rows, principal, query.organization_id), 'username', query.search), query, toUserView);
  }

  async get(principal: AdminPrincipal, id: string): Promise<UserView> {
    return toUserView(await getUser(this.dataSource.manager, principal, id));
  }

  create(principal: AdminPrincipal, input: CreateUser): Promise<UserView> {
    return this.transactions.run(principal, async (manager, audit) => {
      const { username, role, email = null, enabled = true } = input;
      refuseExcessGrant(principal, role);
      // Whoever is confined to an organization means it, whether they say so or not.
      const named = input.organization_id ?? (role === 'owner' ? null : toScope(principal));
      const organizationId = await placeUser(manager, principal, role, named);
      const made = await manager.save(
        manager.create(UserEntity, { id: newId<UserId>(), organizationId, username, email, role, enabled }),
      );
      const view = toUserView(made);
      await audit({ action: 'create', collection: COLLECTION, objectId: made.id, organizationId, changes: toFieldChanges(null, view) });
      return view;
    });
  }

  update(principal: AdminPrincipal, id: string, change: UpdateUser): Promise<UserView> {
    return this.transactions.run(principal, async (manager, audit) => {
      await lockUsers(manager);
      const user = await getUser(manager, principal, id, true);
      const role = change.role ?? user.role;
      refuseExcessGrant(principal, role);
      const wanted = change.organization_id === undefined ? user.organizationId : change.organization_id;
      const organizationId =
        role === user.role && wanted === user.organizationId ? user.organizationId : await placeUser(manager, principal, role, wanted);
      if (isWorkingOwner(user) && (role !== 'owner' || change.enabled === false)) await keepLastOwner(manager, user.id);
      const { username, email, enabled } = change;
      return toUserView(
        await updateAudited(
          manager,
          audit,
          user,
          { username, email, enabled, role, organizationId },
          { collection: COLLECTION, organizationId: organizationId ?? user.organizationId, toView: toUserView },
        ),
      );
    });
  }

  /** The user's keys and sessions end with the user. */
  delete(principal: AdminPrincipal, id: string): Promise<void> {
    return this.transactions.run(principal, async (manager, audit) => {
      await lockUsers(manager);
      const user = await getUser(manager, principal, id, true);
      const { organizationId } = user;
      if (isWorkingOwner(user)) await keepLastOwner(manager, user.id);
      const changes = toFieldChanges(toUserView(user), null);
      await manager.remove(user);
      await audit({ action: 'delete', collection: COLLECTION, objectId: id, organizationId, changes });
    });
  }
}

function isWorkingOwner(user: UserEntity): boolean {
  return user.role === 'owner' && user.enabled;
}

async function placeUser(
  manager: EntityManager,
  principal: AdminPrincipal,
  role: UserEntity['role'],
  organizationId: string | null,
): Promise<OrganizationId | null> {
  refuseMisplacedRole(role, organizationId);
  return organizationId === null ? null : getTargetOrganization(manager, principal, organizationId);
}

/** @throws WeirError not_found, for another organization's user and for owners too. */
export async function getUser(manager: EntityManager, principal: AdminPrincipal, id: string, toChange = false): Promise<UserEntity> {
  const query = manager.createQueryBuilder(UserEntity, 'user').where('user.id = :id', { id });
  if (toChange) query.setLock('pessimistic_write');
  const user = await query.getOne();
  if (user === null || !isInScope(principal, user.organizationId)) throw new WeirError('not_found');
  return user;
}
