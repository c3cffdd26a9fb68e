import { type ModelId, parseId } from '@weir/kernel';
import { ConfigurationError } from '@weir/platform';
import { ModelEntity, ModelTargetEntity, UpstreamEntity } from '@weir/upstreams';
import { toShownField } from '../admin/errors/to-validation-error';
import { type CreateModel, type TargetInput, toModelView, toTargetView } from '../admin/models/model.dto';
import { APPLIER, type ApplyRun } from './apply-run';
import { findUpstream } from './apply-upstreams';
import { type DeclaredModel, type DeclaredTarget } from './declaration';
import { isEmpty, toChange, toCreation } from './to-change';
import { placed } from './to-dto';
import { toWholeLimits } from './to-whole-limits';

/** A model whose targets have ids. */
interface PlacedModel {
  readonly model: DeclaredModel;
  readonly targets: readonly TargetInput[];
}

/**
 * Makes each model as it is declared. First all of them, then what they say of one another: a model
 * may fall back to one that stands below it in the file.
 */
export async function applyModels(run: ApplyRun, models: readonly DeclaredModel[]): Promise<void> {
  const rest: { id: string; placedModel: PlacedModel }[] = [];
  for (const model of models) {
    const placedModel = { model, targets: await placeTargets(run, model) };
    const held = await run.manager.findOneBy(ModelEntity, { name: model.fields.name });
    const id = held?.id ?? (await makeModel(run, placedModel));
    run.named.add(id);
    if (held !== null && model.manner === 'offered') await offerModel(run, held, placedModel);
    else rest.push({ id, placedModel });
  }
  const made = new Set(run.differences.filter(({ action, kind }) => action === 'create' && kind === 'model').map(({ name }) => name));
  for (const { id, placedModel } of rest) await changeModel(run, id, placedModel, made.has(placedModel.model.fields.name));
}

/** Names of other models: they may not be there yet when this one is made. */
function withoutNames(fields: DeclaredModel['fields']): DeclaredModel['fields'] {
  const { fallbacks: _, ...others } = fields;
  return others;
}

async function makeModel(run: ApplyRun, { model, targets }: PlacedModel): Promise<string> {
  const input: CreateModel = { ...withoutNames(model.fields), targets: [...targets] };
  const { id } = await placed(model.place, () => run.models.create(APPLIER, input));
  await run.markMade('models', id, model.origin);
  const changes = toCreation({ ...model.fields, targets: await toShownTargets(run, targets) });
  run.record({ action: 'create', kind: 'model', name: model.fields.name, changes });
  return id;
}

/** @param isMade in this run: then the difference is told already */
async function changeModel(run: ApplyRun, id: string, { model, targets }: PlacedModel, isMade: boolean): Promise<void> {
  const current = await readView(run, id);
  const { limits, ...fields } = model.fields;
  const wanted = { ...fields, ...(limits === undefined ? {} : { limits: toWholeLimits(limits) }), targets: targets.map(toTargetView) };
  const { fields: change, changes } = toChange(current, wanted);
  if (isEmpty(changes)) return;
  await placed(model.place, () => run.models.update(APPLIER, id, change));
  if (isMade) return;
  if (changes.targets !== undefined) changes.targets = { old: await toShownTargets(run, current.targets), new: await toShownTargets(run, targets) };
  run.record({ action: 'update', kind: 'model', name: model.fields.name, changes });
}

/** A model that is there already only gets a target on the backend, if it has none. */
async function offerModel(run: ApplyRun, held: ModelEntity, { model, targets }: PlacedModel): Promise<void> {
  if (held.operation !== model.fields.operation) {
    const message = `there is a model ${toShownField(held.name)} for other work (${toShownField(held.operation)}): rename or delete it`;
    throw new ConfigurationError(`${model.place(null)}: ${message}`);
  }
  const current = await readView(run, held.id);
  const missing = targets.filter(({ upstream_id }) => current.targets.every((target) => target.upstream_id !== upstream_id));
  if (missing.length === 0) return;
  const all = [...current.targets, ...missing];
  await placed(model.place, () => run.models.update(APPLIER, held.id, { targets: all }));
  const changes = { targets: { old: await toShownTargets(run, current.targets), new: await toShownTargets(run, all) } };
  run.record({ action: 'update', kind: 'model', name: held.name, changes });
}

async function readView({ manager }: ApplyRun, id: string) {
  const model = await manager.findOneByOrFail(ModelEntity, { id: parseId<ModelId>(id) });
  return toModelView(model, await manager.findBy(ModelTargetEntity, { modelId: model.id }));
}

async function placeTargets(run: ApplyRun, { targets, place }: DeclaredModel): Promise<TargetInput[]> {
  const inputs: TargetInput[] = [];
  for (const [index, { upstream, upstreamModel, weight, priority }] of targets.entries()) {
    const found = await findUpstream(run, upstream);
    if (found === null) throw new ConfigurationError(`${place(`targets[${index}].upstream`)}: there is no upstream called ${toShownField(upstream)}`);
    inputs.push({ upstream_id: found.id, upstream_model: upstreamModel, weight, priority });
  }
  return inputs;
}

/** With the upstreams' names, which is how people know them. */
async function toShownTargets({ manager }: ApplyRun, targets: readonly TargetInput[]): Promise<(Omit<DeclaredTarget, 'upstreamModel'> & { upstream_model: string })[]> {
  const rows = await manager.find(UpstreamEntity, { select: { id: true, name: true } });
  const names = new Map<string, string>(rows.map(({ id, name }) => [id, name]));
  return targets.map(toTargetView).map(({ upstream_id, ...target }) => ({ upstream: names.get(upstream_id) ?? upstream_id, ...target }));
}
