import { Inject, Injectable } from '@nestjs/common';
import { type OrganizationScope, ProjectEntity, ProxyKeyEntity, ProxyKeys } from '@weir/access';
import { type OrganizationId, parseId, type ProjectId, type ProxyKeyId, WeirError } from '@weir/kernel';
import { DATA_SOURCE } from '@weir/platform';
import { UpstreamPool } from '@weir/upstreams';
import { DataSource, type EntityManager } from 'typeorm';
import { type AdminPrincipal } from '../access/admin-principal';
import { confine, isInScope, toScope } from '../access/scope';
import { type Audit, AuditedTransactions } from '../audit/audited-transactions';
import { SECRET_MARK, toFieldChanges } from '../audit/to-field-changes';
import { type ResetBudget } from '../limits/budget.dto';
import { refuseUnknownBudgetModels } from '../limits/refuse-unknown-budget-models';
import { mergeScopeLimits } from '../limits/scope-limits.dto';
import { findUnknownModel } from '../models/find-unknown-model';
import { readKnownModels } from '../models/read-known-models';
import { readProxiedModels } from '../models/read-proxied-models';
import { getTargetOrganization } from '../organizations/get-target-organization';
import { type Page, readPage, search } from '../paging/page';
import { type CreateKey, type IssuedKeyView, type KeyQuery, type KeyView, toKeyView, type UpdateKey } from './key.dto';

const COLLECTION = 'keys';

/** The keys of callers, as admins see and change them. */
@Injectable()
export class Keys {
  constructor(
    @Inject(DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly transactions: AuditedTransactions,
    private readonly proxyKeys: ProxyKeys,
    private readonly pool: UpstreamPool,
  ) {}

  list(principal: AdminPrincipal, query: KeyQuery): Promise<Page<KeyView>> {
    return readPage(this.select(principal, query), query, toKeyView);
  }

  /** For whoever shows keys in another way. */
  select(principal: AdminPrincipal, query: KeyQuery) {
    const rows = confine(this.dataSource.getRepository(ProxyKeyEntity).createQueryBuilder('key'), principal, query.organization_id);
    if (query.project_id !== undefined) rows.andWhere('key.projectId = :projectId', { projectId: query.project_id });
    return search(rows, 'name', query.search);
  }

  async get(principal: AdminPrincipal, id: string): Promise<KeyView> {
    return toKeyView(await getKey(this.dataSource.manager, principal, id));
  }

  create(principal: AdminPrincipal, input: CreateKey): Promise<IssuedKeyView> {
    return this.transactions.run(principal, async (manager, audit) => {
      const organizationId = await getTargetOrganization(manager, principal, input.organization_id);
      const projectId = await getProjectOf(manager, organizationId, input.project_id ?? null);
      await this.refuseUnknownModels(manager, input.models ?? []);
      await refuseUnknownBudgetModels(manager, this.pool, input.budgets, []);
      const { row, key } = await this.proxyKeys.within(manager).create({
        organizationId,
        projectId,
        name: input.name,
        models: input.models ?? [],
        limits: input.limits ?? {},
        budgets: input.budgets ?? [],
        expiresAt: toExpiry(input.expires_at) ?? null,
        createdBy: principal.userId,
      });
      await auditIssue(audit, 'create', row);
      return { ...toKeyView(row), key: key.expose() };
    });
  }

  update(principal: AdminPrincipal, id: string, change: UpdateKey): Promise<KeyView> {
    return this.transactions.run(principal, async (manager, audit) => {
      const before = await getKey(manager, principal, id, true);
      if (change.models !== undefined) await this.refuseUnknownModels(manager, change.models, before.models);
      await refuseUnknownBudgetModels(manager, this.pool, change.budgets, before.budgets);
      const after = await this.proxyKeys.within(manager).update(
        before.id,
        {
          name: change.name,
          models: change.models,
          limits: mergeScopeLimits(before.limits, change.limits),
          budgets: change.budgets,
          expiresAt: toExpiry(change.expires_at),
        },
        toOrganizationScope(principal),
      );
      return auditUpdate(audit, before, after);
    });
  }

  /** What was spent until now does not count in the budget any more. */
  resetBudget(principal: AdminPrincipal, id: string, { period, model = null }: ResetBudget): Promise<KeyView> {
    return this.transactions.run(principal, async (manager, audit) => {
      const before = await getKey(manager, principal, id, true);
      const after = await this.proxyKeys.within(manager).resetBudget(before.id, { period, model }, toOrganizationScope(principal));
      return auditUpdate(audit, before, after);
    });
  }

  /** Every process refuses the key within two seconds. The row stays: the ledger names it. */
  revoke(principal: AdminPrincipal, id: string): Promise<void> {
    return this.transactions.run(principal, async (manager, audit) => {
      const before = await getKey(manager, principal, id, true);
      await this.proxyKeys.within(manager).revoke(before.id, toOrganizationScope(principal));
      const after = await getKey(manager, principal, id);
      const changes = toFieldChanges(toKeyView(before), toKeyView(after));
      // Revoking twice is no second event.
      if (before.revokedAt !== null) return;
      await audit({ action: 'revoke', collection: COLLECTION, objectId: id, organizationId: before.organizationId, changes });
    });
  }

  rotate(principal: AdminPrincipal, id: string, overlapSeconds: number): Promise<IssuedKeyView> {
    return this.transactions.run(principal, async (manager, audit) => {
      const before = await getKey(manager, principal, id, true);
      const { row, key } = await this.proxyKeys
        .within(manager)
        .rotate(before.id, { overlapSeconds, rotatedBy: principal.userId }, toOrganizationScope(principal));
      const after = await getKey(manager, principal, id);
      const changes = toFieldChanges(toKeyView(before), toKeyView(after));
      await audit({ action: 'rotate', collection: COLLECTION, objectId: id, organizationId: before.organizationId, changes });
      await auditIssue(audit, 'create', row);
      return { ...toKeyView(row), key: key.expose() };
    });
  }

  /**
   * A list that names no model would lock its holder out without a word. What was allowed already may
   * stay; and behind `/proxy/{name}` any name of the provider's own may be allowed, as `{name}/{model}`.
   */
  private async refuseUnknownModels(manager: EntityManager, allowed: readonly string[], already: readonly string[] = []): Promise<void> {
    if (allowed.length === 0) return;
    const unknown = findUnknownModel(allowed, [...(await readKnownModels(manager, this.pool)), ...(await readProxiedModels(manager)), ...already]);
    if (unknown === null) return;
    const param = `models[${unknown}]`;
    throw new WeirError('invalid_request', { message: `The field ${param} names no model.`, param });
  }
}

/** Whether it has passed is for the keys' own lib to say. */
function toExpiry(text: string | null | undefined): Date | null | undefined {
  return text === null || text === undefined ? text : new Date(text);
}

async function auditUpdate(audit: Audit, before: ProxyKeyEntity, after: ProxyKeyEntity): Promise<KeyView> {
  const view = toKeyView(after);
  const changes = toFieldChanges(toKeyView(before), view);
  if (Object.keys(changes).length > 0) {
    await audit({ action: 'update', collection: COLLECTION, objectId: after.id, organizationId: after.organizationId, changes });
  }
  return view;
}

function auditIssue(audit: Audit, action: 'create', row: ProxyKeyEntity): Promise<void> {
  const changes = { ...toFieldChanges(null, toKeyView(row)), key: { old: null, new: SECRET_MARK } };
  return audit({ action, collection: COLLECTION, objectId: row.id, organizationId: row.organizationId, changes });
}

function toOrganizationScope(principal: AdminPrincipal): OrganizationScope {
  return toScope(principal) ?? 'every organization';
}

/** @throws WeirError not_found, for another organization's key too. */
async function getKey(manager: EntityManager, principal: AdminPrincipal, id: string, toChange = false): Promise<ProxyKeyEntity> {
  const query = manager.createQueryBuilder(ProxyKeyEntity, 'key').where('key.id = :id', { id: parseId<ProxyKeyId>(id) });
  if (toChange) query.setLock('pessimistic_write');
  const key = await query.getOne();
  if (key === null || !isInScope(principal, key.organizationId)) throw new WeirError('not_found');
  return key;
}

async function getProjectOf(manager: EntityManager, organizationId: OrganizationId, projectId: string | null): Promise<ProjectId | null> {
  if (projectId === null) return null;
  const project = await manager.findOneBy(ProjectEntity, { id: parseId<ProjectId>(projectId), organizationId });
  if (project === null) throw new WeirError('not_found', { message: 'There is no such project.', param: 'project_id' });
  return project.id;
}
