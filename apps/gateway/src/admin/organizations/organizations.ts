import { Inject, Injectable } from '@nestjs/common';
import { OrganizationEntity } from '@weir/access';
import { newId, type OrganizationId, WeirError } from '@weir/kernel';
import { DATA_SOURCE } from '@weir/platform';
import { DataSource, type EntityManager } from 'typeorm';
import { type AdminPrincipal } from '../access/admin-principal';
import { isInScope, toScope } from '../access/scope';
import { AuditedTransactions } from '../audit/audited-transactions';
import { toFieldChanges } from '../audit/to-field-changes';
import { updateAudited } from '../audit/update-audited';
import { type Page, readPage, search } from '../paging/page';
import { type SearchQuery } from '../paging/page.query';
import { type CreateOrganization, type OrganizationView, toOrganizationView, type UpdateOrganization } from './organization.dto';

const COLLECTION = 'organizations';

/** The tenants, as admins see and change them. */
@Injectable()
export class Organizations {
  constructor(
    @Inject(DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly transactions: AuditedTransactions,
  ) {}

  list(principal: AdminPrincipal, query: SearchQuery): Promise<Page<OrganizationView>> {
    const rows = this.dataSource.getRepository(OrganizationEntity).createQueryBuilder('organization');
    const scope = toScope(principal);
    if (scope !== null) rows.andWhere('organization.id = :scope', { scope });
    return readPage(search(rows, 'name', query.search), query, toOrganizationView);
  }

  async get(principal: AdminPrincipal, id: string): Promise<OrganizationView> {
    return toOrganizationView(await getOrganization(this.dataSource.manager, principal, id));
  }

  create(principal: AdminPrincipal, { name, enabled = true }: CreateOrganization): Promise<OrganizationView> {
    return this.transactions.run(principal, async (manager, audit) => {
      const made = await manager.save(manager.create(OrganizationEntity, { id: newId<OrganizationId>(), name, enabled }));
      const view = toOrganizationView(made);
      await audit({ action: 'create', collection: COLLECTION, objectId: made.id, organizationId: made.id, changes: toFieldChanges(null, view) });
      return view;
    });
  }

  update(principal: AdminPrincipal, id: string, change: UpdateOrganization): Promise<OrganizationView> {
    return this.transactions.run(principal, async (manager, audit) => {
      const organization = await getOrganization(manager, principal, id, true);
      const { name, enabled } = change;
      return toOrganizationView(
        await updateAudited(manager, audit, organization, { name, enabled }, { collection: COLLECTION, organizationId: id, toView: toOrganizationView }),
      );
    });
  }

  /** Its projects, keys and users go with it; its rows in the ledger and the audit log stay. */
  delete(principal: AdminPrincipal, id: string): Promise<void> {
    return this.transactions.run(principal, async (manager, audit) => {
      const organization = await getOrganization(manager, principal, id, true);
      const changes = toFieldChanges(toOrganizationView(organization), null);
      await manager.remove(organization);
      await audit({ action: 'delete', collection: COLLECTION, objectId: id, organizationId: id, changes });
    });
  }
}

/** @throws WeirError not_found, for another's organization too. */
async function getOrganization(manager: EntityManager, principal: AdminPrincipal, id: string, toChange = false): Promise<OrganizationEntity> {
  const query = manager.createQueryBuilder(OrganizationEntity, 'organization').where('organization.id = :id', { id });
  if (toChange) query.setLock('pessimistic_write');
  const organization = await query.getOne();
  if (organization === null || !isInScope(principal, organization.id)) throw new WeirError('not_found');
  return organization;
}
