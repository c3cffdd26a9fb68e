import { Inject, Injectable } from '@nestjs/common';
import { OrganizationEntity, parseBudgets, readStoredBudgets, resetBudget, toStoredBudgets } from '@weir/access';
import { type Clock, newId, type OrganizationId } from '@weir/kernel';
import { CLOCK, DATA_SOURCE } from '@weir/platform';
import { UpstreamPool } from '@weir/upstreams';
import { DataSource } from 'typeorm';
import { type AdminPrincipal } from '../access/admin-principal';
import { toScope } from '../access/scope';
import { AuditedTransactions } from '../audit/audited-transactions';
import { toFieldChanges } from '../audit/to-field-changes';
import { updateAudited, type UpdatedObject } from '../audit/update-audited';
import { type ResetBudget } from '../limits/budget.dto';
import { refuseUnknownBudgetModels } from '../limits/refuse-unknown-budget-models';
import { mergeScopeLimits } from '../limits/scope-limits.dto';
import { type Page, readPage, search } from '../paging/page';
import { type SearchQuery } from '../paging/page.query';
import { getOrganization } from './get-organization';
import { type CreateOrganization, type OrganizationView, toOrganizationView, type UpdateOrganization } from './organization.dto';

const COLLECTION = 'organizations';

/** The tenants, as admins see and change them. */
@Injectable()
export class Organizations {
  constructor(
    @Inject(DATA_SOURCE) private readonly dataSource: DataSource,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly transactions: AuditedTransactions,
    private readonly pool: UpstreamPool,
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

  create(principal: AdminPrincipal, input: CreateOrganization): Promise<OrganizationView> {
    return this.transactions.run(principal, async (manager, audit) => {
      await refuseUnknownBudgetModels(manager, this.pool, input.budgets, []);
      const { name, enabled = true, queue_weight: queueWeight = 1 } = input;
      const limits = mergeScopeLimits({}, input.limits) ?? {};
      const budgets = toStoredBudgets(parseBudgets(input.budgets ?? null, []));
      const made = await manager.save(manager.create(OrganizationEntity, { id: newId<OrganizationId>(), name, enabled, queueWeight, limits, budgets }));
      const view = toOrganizationView(made);
      await audit({ action: 'create', collection: COLLECTION, objectId: made.id, organizationId: made.id, changes: toFieldChanges(null, view) });
      return view;
    });
  }

  update(principal: AdminPrincipal, id: string, change: UpdateOrganization): Promise<OrganizationView> {
    return this.transactions.run(principal, async (manager, audit) => {
      const organization = await getOrganization(manager, principal, id, true);
      await refuseUnknownBudgetModels(manager, this.pool, change.budgets, organization.budgets);
      const { name, enabled, queue_weight: queueWeight } = change;
      const limits = mergeScopeLimits(organization.limits, change.limits);
      const budgets = change.budgets === undefined ? undefined : toStoredBudgets(parseBudgets(change.budgets, organization.budgets));
      return toOrganizationView(await updateAudited(manager, audit, organization, { name, enabled, queueWeight, limits, budgets }, toUpdated(organization)));
    });
  }

  /** What was spent until now does not count in the budget any more. */
  resetBudget(principal: AdminPrincipal, id: string, { period, model = null }: ResetBudget): Promise<OrganizationView> {
    return this.transactions.run(principal, async (manager, audit) => {
      const organization = await getOrganization(manager, principal, id, true);
      const budgets = toStoredBudgets(resetBudget(readStoredBudgets(organization.budgets), { period, model }, this.clock.nowMs()));
      return toOrganizationView(await updateAudited(manager, audit, organization, { budgets }, toUpdated(organization)));
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

function toUpdated({ id }: OrganizationEntity): UpdatedObject<OrganizationEntity> {
  return { collection: COLLECTION, organizationId: id, toView: toOrganizationView };
}
