import { Inject, Injectable } from '@nestjs/common';
import { parseBudgets, ProjectEntity, readStoredBudgets, resetBudget, toStoredBudgets } from '@weir/access';
import { type Clock, newId, type ProjectId, WeirError } from '@weir/kernel';
import { CLOCK, DATA_SOURCE } from '@weir/platform';
import { UpstreamPool } from '@weir/upstreams';
import { DataSource, type EntityManager } from 'typeorm';
import { type AdminPrincipal } from '../access/admin-principal';
import { confine, isInScope } from '../access/scope';
import { AuditedTransactions } from '../audit/audited-transactions';
import { toFieldChanges } from '../audit/to-field-changes';
import { updateAudited, type UpdatedObject } from '../audit/update-audited';
import { type ResetBudget } from '../limits/budget.dto';
import { refuseUnknownBudgetModels } from '../limits/refuse-unknown-budget-models';
import { mergeScopeLimits } from '../limits/scope-limits.dto';
import { getTargetOrganization } from '../organizations/get-target-organization';
import { type Page, readPage, search } from '../paging/page';
import { type OrganizationSearchQuery } from '../paging/page.query';
import { type CreateProject, type ProjectView, toProjectView, type UpdateProject } from './project.dto';

const COLLECTION = 'projects';

/** The parts of organizations, as admins see and change them. */
@Injectable()
export class Projects {
  constructor(
    @Inject(DATA_SOURCE) private readonly dataSource: DataSource,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly transactions: AuditedTransactions,
    private readonly pool: UpstreamPool,
  ) {}

  list(principal: AdminPrincipal, query: OrganizationSearchQuery): Promise<Page<ProjectView>> {
    const rows = this.dataSource.getRepository(ProjectEntity).createQueryBuilder('project');
    return readPage(search(confine(rows, principal, query.organization_id), 'name', query.search), query, toProjectView);
  }

  async get(principal: AdminPrincipal, id: string): Promise<ProjectView> {
    return toProjectView(await getProject(this.dataSource.manager, principal, id));
  }

  create(principal: AdminPrincipal, input: CreateProject): Promise<ProjectView> {
    return this.transactions.run(principal, async (manager, audit) => {
      const organizationId = await getTargetOrganization(manager, principal, input.organization_id);
      await refuseUnknownBudgetModels(manager, this.pool, input.budgets, []);
      const { name, enabled = true } = input;
      const limits = mergeScopeLimits({}, input.limits) ?? {};
      const budgets = toStoredBudgets(parseBudgets(input.budgets ?? null, []));
      const made = await manager.save(manager.create(ProjectEntity, { id: newId<ProjectId>(), organizationId, name, enabled, limits, budgets }));
      const view = toProjectView(made);
      await audit({ action: 'create', collection: COLLECTION, objectId: made.id, organizationId, changes: toFieldChanges(null, view) });
      return view;
    });
  }

  update(principal: AdminPrincipal, id: string, { name, enabled, ...change }: UpdateProject): Promise<ProjectView> {
    return this.transactions.run(principal, async (manager, audit) => {
      const project = await getProject(manager, principal, id, true);
      await refuseUnknownBudgetModels(manager, this.pool, change.budgets, project.budgets);
      const limits = mergeScopeLimits(project.limits, change.limits);
      const budgets = change.budgets === undefined ? undefined : toStoredBudgets(parseBudgets(change.budgets, project.budgets));
      return toProjectView(await updateAudited(manager, audit, project, { name, enabled, limits, budgets }, toUpdated(project)));
    });
  }

  /** What was spent until now does not count in the budget any more. */
  resetBudget(principal: AdminPrincipal, id: string, { period, model = null }: ResetBudget): Promise<ProjectView> {
    return this.transactions.run(principal, async (manager, audit) => {
      const project = await getProject(manager, principal, id, true);
      const budgets = toStoredBudgets(resetBudget(readStoredBudgets(project.budgets), { period, model }, this.clock.nowMs()));
      return toProjectView(await updateAudited(manager, audit, project, { budgets }, toUpdated(project)));
    });
  }

  /** Its keys go with it. */
  delete(principal: AdminPrincipal, id: string): Promise<void> {
    return this.transactions.run(principal, async (manager, audit) => {
      const project = await getProject(manager, principal, id, true);
      const { organizationId } = project;
      const changes = toFieldChanges(toProjectView(project), null);
      await manager.remove(project);
      await audit({ action: 'delete', collection: COLLECTION, objectId: id, organizationId, changes });
    });
  }
}

function toUpdated({ organizationId }: ProjectEntity): UpdatedObject<ProjectEntity> {
  return { collection: COLLECTION, organizationId, toView: toProjectView };
}

/** @throws WeirError not_found, for another organization's project too. */
async function getProject(manager: EntityManager, principal: AdminPrincipal, id: string, toChange = false): Promise<ProjectEntity> {
  const query = manager.createQueryBuilder(ProjectEntity, 'project').where('project.id = :id', { id });
  if (toChange) query.setLock('pessimistic_write');
  const project = await query.getOne();
  if (project === null || !isInScope(principal, project.organizationId)) throw new WeirError('not_found');
  return project;
}
