import { OrganizationEntity, ProjectEntity } from '@weir/access';
import { type ModelId, type OrganizationId, parseId, type ProjectId, type UpstreamId, WeirError } from '@weir/kernel';
import { ModelEntity, UpstreamEntity } from '@weir/upstreams';
import { APPLIER, type ApplyRun } from './apply-run';

/**
 * Deletes what a file made and this one does not name any more. An organization or project that holds
 * keys or people stays: they were made by somebody else, and would go with it.
 */
export async function prune(run: ApplyRun): Promise<void> {
  await pruneModels(run);
  await pruneUpstreams(run);
  await pruneProjects(run);
  await pruneOrganizations(run);
}

async function pruneModels(run: ApplyRun): Promise<void> {
  const ids = await run.findUnnamed('models');
  const models: ModelEntity[] = [];
  for (const id of ids) models.push(await run.manager.findOneByOrFail(ModelEntity, { id: parseId<ModelId>(id) }));
  // Those that go may fall back to one another: in no order could one be deleted before the other.
  for (const { id, fallbacks } of models) if (fallbacks.length > 0) await run.models.update(APPLIER, id, { fallbacks: [] });
  for (const { id, name } of models) {
    try {
      await run.models.delete(APPLIER, id);
    } catch (error) {
      if (!(error instanceof WeirError) || error.status >= 500) throw error;
      run.kept.push({ kind: 'model', name, reason: error.message });
      continue;
    }
    run.record({ action: 'delete', kind: 'model', name, changes: {} });
  }
}

async function pruneUpstreams(run: ApplyRun): Promise<void> {
  for (const id of await run.findUnnamed('upstreams')) {
    const { name } = await run.manager.findOneByOrFail(UpstreamEntity, { id: parseId<UpstreamId>(id) });
    const users = await count(run, 'SELECT count(DISTINCT model_id)::int AS count FROM model_targets WHERE upstream_id = $1', id);
    if (users > 0) {
      run.kept.push({ kind: 'upstream', name, reason: 'models that the file does not name use it' });
      continue;
    }
    await run.upstreams.delete(APPLIER, id);
    run.record({ action: 'delete', kind: 'upstream', name, changes: {} });
  }
}

async function pruneProjects(run: ApplyRun): Promise<void> {
  for (const id of await run.findUnnamed('projects')) {
    const { name, organizationId } = await run.manager.findOneByOrFail(ProjectEntity, { id: parseId<ProjectId>(id) });
    const organization = await run.manager.findOneByOrFail(OrganizationEntity, { id: organizationId });
    const shown = `${organization.name} / ${name}`;
    if ((await count(run, 'SELECT count(*)::int AS count FROM proxy_keys WHERE project_id = $1', id)) > 0) {
      run.kept.push({ kind: 'project', name: shown, reason: 'it holds keys' });
      continue;
    }
    await run.projects.delete(APPLIER, id);
    run.record({ action: 'delete', kind: 'project', name: shown, changes: {} });
  }
}

const HELD_BY_ORGANIZATION = `
  SELECT ((SELECT count(*) FROM proxy_keys WHERE organization_id = $1) + (SELECT count(*) FROM users WHERE organization_id = $1)
    + (SELECT count(*) FROM projects WHERE organization_id = $1))::int AS count`;

async function pruneOrganizations(run: ApplyRun): Promise<void> {
  for (const id of await run.findUnnamed('organizations')) {
    const { name } = await run.manager.findOneByOrFail(OrganizationEntity, { id: parseId<OrganizationId>(id) });
    if ((await count(run, HELD_BY_ORGANIZATION, id)) > 0) {
      run.kept.push({ kind: 'organization', name, reason: 'it holds keys, users or projects' });
      continue;
    }
    await run.organizations.delete(APPLIER, id);
    run.record({ action: 'delete', kind: 'organization', name, changes: {} });
  }
}

async function count({ manager }: ApplyRun, sql: string, id: string): Promise<number> {
  const [row] = await manager.query<{ count: number }[]>(sql, [id]);
  return row.count;
}
