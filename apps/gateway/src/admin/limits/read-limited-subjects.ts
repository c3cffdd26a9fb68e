import { OrganizationEntity, ProjectEntity } from '@weir/access';
import { WeirError } from '@weir/kernel';
import { ModelEntity } from '@weir/upstreams';
import { type DataSource, type ObjectLiteral, type SelectQueryBuilder } from 'typeorm';
import { type AdminPrincipal } from '../access/admin-principal';
import { confine, isInScope, toOrganization, toScope } from '../access/scope';
import { type Keys } from '../keys/keys';
import { type Page, readPage, search } from '../paging/page';
import { type LimitsQuery } from './limits.dto';
import { type UseScope } from './to-scope-plan';

/** A row that has limits, with its columns as they are stored. */
export interface LimitedSubject {
  readonly scope: UseScope;
  readonly id: string;
  readonly name: string;
  readonly organizationId: string;
  readonly projectId: string | null;
  readonly limits: unknown;
  readonly budgets: unknown;
}

/** Which parameters narrow the list of a scope, beyond `organization_id`. */
const NARROWED_BY: Readonly<Record<UseScope, readonly (keyof LimitsQuery)[]>> = {
  key: ['key_id', 'project_id'],
  project: ['project_id'],
  organization: [],
  model: ['model_id'],
};

/**
 * One page of what a principal may look at.
 * @throws WeirError invalid_request naming a parameter that does not fit the scope: passed over, it would show more than was asked for.
 */
export function readLimitedSubjects(dataSource: DataSource, keys: Keys, principal: AdminPrincipal, query: LimitsQuery): Promise<Page<LimitedSubject>> {
  const scope = query.scope ?? 'key';
  for (const param of ['key_id', 'project_id', 'model_id'] as const) {
    if (query[param] !== undefined && !NARROWED_BY[scope].includes(param)) {
      throw new WeirError('invalid_request', { message: `The field ${param} does not fit the scope ${scope}.`, param });
    }
  }
  switch (scope) {
    case 'key':
      return readKeys(keys, principal, query);
    case 'project':
      return readProjects(dataSource, principal, query);
    case 'organization':
      return readOrganizations(dataSource, principal, query);
    case 'model':
      return readModels(dataSource, principal, query);
  }
}

function readKeys(keys: Keys, principal: AdminPrincipal, query: LimitsQuery): Promise<Page<LimitedSubject>> {
  const rows = withId(keys.select(principal, query).andWhere('key.revokedAt IS NULL'), query.key_id);
  return readPage(rows, query, ({ id, name, organizationId, projectId, limits, budgets }) => ({ scope: 'key', id, name, organizationId, projectId, limits, budgets }));
}

function readProjects(dataSource: DataSource, principal: AdminPrincipal, query: LimitsQuery): Promise<Page<LimitedSubject>> {
  const all = confine(dataSource.getRepository(ProjectEntity).createQueryBuilder('project'), principal, query.organization_id);
  return readPage(withId(search(all, 'name', query.search), query.project_id), query, ({ id, name, organizationId, limits, budgets }) => ({
    scope: 'project',
    id,
    name,
    organizationId,
    projectId: id,
    limits,
    budgets,
  }));
}

function readOrganizations(dataSource: DataSource, principal: AdminPrincipal, query: LimitsQuery): Promise<Page<LimitedSubject>> {
  const all = search(dataSource.getRepository(OrganizationEntity).createQueryBuilder('organization'), 'name', query.search);
  const confined = withId(withId(all, toScope(principal) ?? undefined, 'ownId'), query.organization_id);
  return readPage(confined, query, ({ id, name, limits, budgets }) => ({ scope: 'organization', id, name, organizationId: id, projectId: null, limits, budgets }));
}

/** Each organization has as much of a model as its limits say, so the use is always one organization's. */
async function readModels(dataSource: DataSource, principal: AdminPrincipal, query: LimitsQuery): Promise<Page<LimitedSubject>> {
  // Elsewhere a list of another organization's is empty, and does not say whether there is one.
  if (query.organization_id !== undefined && !isInScope(principal, query.organization_id)) return { data: [], has_more: false, next_cursor: null };
  const organizationId = toOrganization(principal, query.organization_id);
  const all = search(dataSource.getRepository(ModelEntity).createQueryBuilder('model'), 'name', query.search);
  return readPage(withId(all, query.model_id), query, ({ id, name, limits }) => ({ scope: 'model', id, name, organizationId, projectId: null, limits, budgets: [] }));
}

/** @param name tells conditions on the id apart from each other */
function withId<Entity extends ObjectLiteral>(query: SelectQueryBuilder<Entity>, id: string | undefined, name = 'onlyId'): SelectQueryBuilder<Entity> {
  return id === undefined ? query : query.andWhere(`${query.alias}.id = :${name}`, { [name]: id });
}
