import { OrganizationEntity, parseBudgets, ProjectEntity, toStoredBudgets } from '@weir/access';
import { type OrganizationId, parseId } from '@weir/kernel';
import { type BudgetInput, type BudgetView, toBudgetViews } from '../admin/limits/budget.dto';
import { toOrganizationView } from '../admin/organizations/organization.dto';
import { toProjectView } from '../admin/projects/project.dto';
import { type ScopeLimitsInput } from '../admin/limits/scope-limits.dto';
import { APPLIER, type ApplyRun } from './apply-run';
import { type DeclaredOrganization, type DeclaredProject, type Place } from './declaration';
import { type Change, isEmpty, toChange, toCreation } from './to-change';
import { placed } from './to-dto';
import { toWholeLimits } from './to-whole-limits';

/** Makes each organization and its projects as they are declared. Keys are nobody's business here. */
export async function applyOrganizations(run: ApplyRun, organizations: readonly DeclaredOrganization[]): Promise<void> {
  for (const organization of organizations) {
    const id = await applyOrganization(run, organization);
    for (const project of organization.projects) await applyProject(run, organization.fields.name, id, project);
  }
}

async function applyOrganization(run: ApplyRun, { fields, origin, place }: DeclaredOrganization): Promise<string> {
  const { name } = fields;
  const held = await run.manager.createQueryBuilder(OrganizationEntity, 'organization').where('lower(organization.name) = lower(:name)', { name }).getOne();
  if (held === null) {
    const { id } = await placed(place, () => run.organizations.create(APPLIER, fields));
    await run.markMade('organizations', id, origin);
    run.named.add(id);
    run.record({ action: 'create', kind: 'organization', name, changes: toCreation(fields) });
    return id;
  }
  run.named.add(held.id);
  const { fields: change, changes } = await toScopeChange(toOrganizationView(held), fields, place);
  if (!isEmpty(changes)) {
    await placed(place, () => run.organizations.update(APPLIER, held.id, change));
    run.record({ action: 'update', kind: 'organization', name, changes });
  }
  return held.id;
}

async function applyProject(run: ApplyRun, organization: string, organizationId: string, { fields, origin, place }: DeclaredProject): Promise<void> {
  const held = await run.manager
    .createQueryBuilder(ProjectEntity, 'project')
    .where('project.organizationId = :id AND lower(project.name) = lower(:name)', { id: parseId<OrganizationId>(organizationId), name: fields.name })
    .getOne();
  const name = `${organization} / ${fields.name}`;
  if (held === null) {
    const { id } = await placed(place, () => run.projects.create(APPLIER, { ...fields, organization_id: organizationId }));
    await run.markMade('projects', id, origin);
    run.named.add(id);
    run.record({ action: 'create', kind: 'project', name, changes: toCreation(fields) });
    return;
  }
  run.named.add(held.id);
  const { fields: change, changes } = await toScopeChange(toProjectView(held), fields, place);
  if (isEmpty(changes)) return;
  await placed(place, () => run.projects.update(APPLIER, held.id, change));
  run.record({ action: 'update', kind: 'project', name, changes });
}

interface ScopeFields {
  readonly name: string;
  readonly enabled?: boolean;
  readonly limits?: ScopeLimitsInput | null;
  readonly budgets?: BudgetInput[] | null;
}

/** Budgets are compared as they would be kept: dollars to the nano-dollar, and without the moment of their last reset, which is no one's to declare. */
async function toScopeChange(
  current: { readonly budgets: BudgetView[] | null },
  { limits, budgets, ...fields }: ScopeFields,
  place: Place,
): Promise<Change<ScopeFields>> {
  const wanted = { ...fields, ...(limits === undefined ? {} : { limits: toWholeLimits(limits) }) };
  const { fields: change, changes } = toChange<ScopeFields>(current, wanted);
  if (budgets === undefined) return { fields: change, changes };
  const kept = await placed(place, async () => withoutResets(toBudgetViews(toStoredBudgets(parseBudgets(budgets, [])))));
  const compared = toChange({ budgets: current.budgets === null ? null : withoutResets(current.budgets) }, { budgets: kept });
  if (isEmpty(compared.changes)) return { fields: change, changes };
  return { fields: { ...change, budgets }, changes: { ...changes, ...compared.changes } };
}

function withoutResets(budgets: readonly BudgetView[] | null): Omit<BudgetView, 'reset_at'>[] {
  return (budgets ?? []).map(({ reset_at: _, ...budget }) => budget);
}
