import { parseId, type UpstreamId } from '@weir/kernel';
import { ConfigurationError } from '@weir/platform';
import { UpstreamEntity } from '@weir/upstreams';
import { toShownField } from '../admin/errors/to-validation-error';
import { findOrigin, parseBaseUrlField } from '../admin/upstreams/parse-base-url-field';
import { toUpstreamFieldsView, type UpdateUpstream } from '../admin/upstreams/upstream.dto';
import { addKeys, applyKeys, pruneKeys, readKeyPlan, type UpstreamKeyPlan } from './apply-upstream-keys';
import { APPLIER, type ApplyRun } from './apply-run';
import { type DeclaredUpstream } from './declaration';
import { isEmpty, toChange, toCreation } from './to-change';
import { placed } from './to-dto';

/** Makes each upstream as it is declared, with its keys. */
export async function applyUpstreams(run: ApplyRun, upstreams: readonly DeclaredUpstream[]): Promise<void> {
  for (const upstream of upstreams) {
    const held = await findUpstream(run, upstream.fields.name);
    if (held !== null) await changeUpstream(run, upstream, held);
    else if (upstream.isWanted) await makeUpstream(run, upstream);
  }
}

/** By its name, as the database compares names: letters in any case. */
export function findUpstream({ manager }: ApplyRun, name: string): Promise<UpstreamEntity | null> {
  return manager.createQueryBuilder(UpstreamEntity, 'upstream').where('lower(upstream.name) = lower(:name)', { name }).getOne();
}

async function makeUpstream(run: ApplyRun, { fields, keys, origin, place }: DeclaredUpstream): Promise<void> {
  const { id } = await placed(place, () => run.upstreams.create(APPLIER, fields));
  await run.markMade('upstreams', id, origin);
  run.named.add(id);
  run.record({ action: 'create', kind: 'upstream', name: fields.name, changes: toCreation(fields) });
  await addKeys(run, { upstreamId: id, upstreamName: fields.name, origin, keys });
}

async function changeUpstream(run: ApplyRun, upstream: DeclaredUpstream, held: UpstreamEntity): Promise<void> {
  const { fields, place } = upstream;
  run.named.add(held.id);
  if (fields.provider !== held.provider) {
    const message = `the provider of an upstream stays what it is (${toShownField(held.provider)}): give the new one another name, or delete this one`;
    throw new ConfigurationError(`${place('provider')}: ${message}`);
  }
  const { provider: _, ...wanted } = fields;
  const { fields: change, changes } = toChange(toUpstreamFieldsView(held), wanted);
  const isMoved = change.base_url !== undefined && findOrigin(held.baseUrl) !== (await placed(place, async () => parseBaseUrlField(change.base_url ?? '').origin));
  const upstreamId = parseId<UpstreamId>(held.id);
  const plan = await readKeyPlan(run, upstreamId, upstream.keys);
  const keys = { upstreamId: held.id, upstreamName: fields.name, origin: upstream.origin, keys: upstream.keys };
  await pruneKeys(run, keys, plan);
  const secrets = isMoved ? toSecrets(upstream, plan) : {};
  if (!isEmpty(changes)) {
    const update: UpdateUpstream = { ...change, ...(isEmpty(secrets) ? {} : { secrets }) };
    await placed(place, () => run.upstreams.update(APPLIER, held.id, update));
    run.record({ action: 'update', kind: 'upstream', name: fields.name, changes });
  }
  await applyKeys(run, keys, plan, isMoved);
}

/** A secret is bound to the host it was given for: another host needs every one of them again, and the file has them. */
function toSecrets({ place, keys }: DeclaredUpstream, { steps, unnamed, staying }: UpstreamKeyPlan): Record<string, unknown> {
  const missing = unnamed.filter(({ id }) => staying.has(id));
  if (missing.length > 0) {
    const labels = missing.map(({ label, id }) => toShownField(label === '' ? id : label)).join(', ');
    const message = `another host needs the secret of each key again; not among ${keys.length === 0 ? 'its keys, which are none' : 'its keys'} in the file: ${labels}`;
    throw new ConfigurationError(`${place('base_url')}: ${message}`);
  }
  return Object.fromEntries(steps.flatMap((step) => (step.action === 'add' ? [] : [[step.id, step.key.secret.expose()]])));
}
