import { Inject, Injectable } from '@nestjs/common';
import { ProjectEntity } from '@weir/access';
import { newId, type ProjectId, WeirError } from '@weir/kernel';
import { DATA_SOURCE } from '@weir/platform';
import { DataSource, type EntityManager } from 'typeorm';
import { type AdminPrincipal } from '../access/admin-principal';
import { confine, isInScope } from '../access/scope';
import { AuditedTransactions } from '../audit/audited-transactions';
import { toFieldChanges } from '../audit/to-field-changes';
import { updateAudited } from '../audit/update-audited';
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
    private readonly transactions: AuditedTransactions,
  ) {}

  list(principal: AdminPrincipal, query: OrganizationSearchQuery): Promise<Page<ProjectView>> {
    const rows = this.dataSource.getRepository(ProjectEntity).createQueryBuilder('project');
    return readPage(search(confine(rows, principal, query.organization_id), 'name', query.search), query, toProjectView);
  }

  async get(principal: AdminPrincipal, id: string): Promise<ProjectView> {
    return toProjectView(await getProject(this.dataSource.manager, principal, id));
  }

  create(principal: AdminPrincipal, { organization_id, name, enabled = true }: CreateProject): Promise<ProjectView> {
    return this.transactions.run(principal, async (manager, audit) => {
      const organizationId = await getTargetOrganization(manager, principal, organization_id);
      const made = await manager.save(manager.create(ProjectEntity, { id: newId<ProjectId>(), organizationId, name, enabled }));
      const view = toProjectView(made);
      await audit({ action: 'create', collection: COLLECTION, objectId: made.id, organizationId, changes: toFieldChanges(null, view) });
      return view;
    });
  }

  update(principal: AdminPrincipal, id: string, { name, enabled }: UpdateProject): Promise<ProjectView> {
    return this.transactions.run(principal, async (manager, audit) => {
      const project = await getProject(manager, principal, id, true);
      const { organizationId } = project;
      return toProjectView(
        await updateAudited(manager, audit, project, { name, enabled }, { collection: COLLECTION, organizationId, toView: toProjectView }),
      );
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

/** @throws WeirError not_found, for another organization's project too. */
async function getProject(manager: EntityManager, principal: AdminPrincipal, id: string, toChange = false): Promise<ProjectEntity> {
  const query = manager.createQueryBuilder(ProjectEntity, 'project').where('project.id = :id', { id });
  if (toChange) query.setLock('pessimistic_write');
  const project = await query.getOne();
  if (project === null || !isInScope(principal, project.organizationId)) throw new WeirError('not_found');
  return project;
}
