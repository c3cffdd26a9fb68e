import { Inject, Injectable } from '@nestjs/common';
import { newId, type ModelId, parseId, type UpstreamId, uuidV7, WeirError } from '@weir/kernel';
import { parseModelPrice } from '@weir/ledger';
import { DATA_SOURCE } from '@weir/platform';
import { ModelEntity, ModelTargetEntity, UpstreamEntity } from '@weir/upstreams';
import { DataSource, type EntityManager, In } from 'typeorm';
import { type AdminPrincipal } from '../access/admin-principal';
import { AuditedTransactions } from '../audit/audited-transactions';
import { toFieldChanges } from '../audit/to-field-changes';
import { mergeScopeLimits } from '../limits/scope-limits.dto';
import { type Page, readPage, search } from '../paging/page';
import { type SearchQuery } from '../paging/page.query';
import { lockModels, readFallbackFaults, refuseNewFallbackFaults } from './keep-fallbacks';
import { type CreateModel, type ModelView, type TargetInput, toModelView, toTargetView, type UpdateModel } from './model.dto';

const COLLECTION = 'models';
/** As in a key's allow-list: no spaces, and `*` only as the end. */
const MODEL_NAME = /^[^\s*\p{C}]*\*?$/u;

/** What callers may ask for, and where it is answered. Models belong to the installation. */
@Injectable()
export class Models {
  constructor(
    @Inject(DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly transactions: AuditedTransactions,
  ) {}

  async list(query: SearchQuery): Promise<Page<ModelView>> {
    const rows = search(this.dataSource.getRepository(ModelEntity).createQueryBuilder('model'), 'name', query.search);
    const page = await readPage(rows, query, (model) => model);
    const targets = await findTargets(this.dataSource.manager, page.data.map(({ id }) => id));
    return { ...page, data: page.data.map((model) => toModelView(model, targets.get(model.id) ?? [])) };
  }

  get(id: string): Promise<ModelView> {
    return readView(this.dataSource.manager, id);
  }

  create(principal: AdminPrincipal, input: CreateModel): Promise<ModelView> {
    return this.transactions.run(principal, async (manager, audit) => {
      const id = newId<ModelId>();
      const { operation, strategy = 'weighted', affinity = 'none', fallbacks = [] } = input;
      await lockModels(manager);
      const faults = await readFallbackFaults(manager);
      const model = manager.create(ModelEntity, { id, name: parseModelName(input.name), operation, strategy, affinity, fallbacks });
      model.limits = mergeScopeLimits({}, input.limits) ?? {};
      model.price = parsePriceField(input.price);
      await manager.save(model);
      await refuseNewFallbackFaults(manager, faults, model.name);
      await writeTargets(manager, id, input.targets);
      const view = await readView(manager, id);
      await audit({ action: 'create', collection: COLLECTION, objectId: id, organizationId: null, changes: toFieldChanges(null, view) });
      return view;
    });
  }

  update(principal: AdminPrincipal, id: string, change: UpdateModel): Promise<ModelView> {
    return this.transactions.run(principal, async (manager, audit) => {
      await lockModels(manager);
      const model = await lockModel(manager, id);
      const before = await readView(manager, id);
      const faults = await readFallbackFaults(manager);
      if (change.name !== undefined) model.name = parseModelName(change.name);
      if (change.operation !== undefined) model.operation = change.operation;
      if (change.strategy !== undefined) model.strategy = change.strategy;
      if (change.affinity !== undefined) model.affinity = change.affinity;
      if (change.fallbacks !== undefined) model.fallbacks = change.fallbacks;
      model.limits = mergeScopeLimits(model.limits, change.limits) ?? model.limits;
      if (change.price !== undefined) model.price = parsePriceField(change.price);
      await manager.save(model);
      await refuseNewFallbackFaults(manager, faults, model.name);
      if (change.targets !== undefined) await writeTargets(manager, model.id, change.targets);
      const after = await readView(manager, id);
      const changes = toFieldChanges(before, after);
      if (Object.keys(changes).length > 0) await audit({ action: 'update', collection: COLLECTION, objectId: id, organizationId: null, changes });
      return after;
    });
  }

  delete(principal: AdminPrincipal, id: string): Promise<void> {
    return this.transactions.run(principal, async (manager, audit) => {
      await lockModels(manager);
      const model = await lockModel(manager, id);
      const changes = toFieldChanges(await readView(manager, id), null);
      const faults = await readFallbackFaults(manager);
      await manager.remove(model);
      await refuseNewFallbackFaults(manager, faults, null);
      await audit({ action: 'delete', collection: COLLECTION, objectId: id, organizationId: null, changes });
    });
  }
}

function parseModelName(name: string): string {
  if (MODEL_NAME.test(name)) return name;
  throw new WeirError('invalid_request', { message: 'The field name may hold no spaces, and a * only at its end.', param: 'name' });
}

/** @throws WeirError invalid_request naming the price's field. */
function parsePriceField(price: Record<string, unknown> | null | undefined): Record<string, unknown> | null {
  if (price === null || price === undefined) return null;
  parseModelPrice(price);
  return price;
}

async function readView(manager: EntityManager, id: string): Promise<ModelView> {
  const model = await manager.findOneBy(ModelEntity, { id: parseId<ModelId>(id) });
  if (model === null) throw new WeirError('not_found');
  const targets = await findTargets(manager, [model.id]);
  return toModelView(model, targets.get(id) ?? []);
}

async function lockModel(manager: EntityManager, id: string): Promise<ModelEntity> {
  const model = await manager.findOne(ModelEntity, { where: { id: parseId<ModelId>(id) }, lock: { mode: 'pessimistic_write' } });
  if (model === null) throw new WeirError('not_found');
  return model;
}

async function findTargets(manager: EntityManager, modelIds: readonly ModelId[]): Promise<Map<string, ModelTargetEntity[]>> {
  if (modelIds.length === 0) return new Map();
  const targets = await manager.findBy(ModelTargetEntity, { modelId: In(modelIds) });
  return Map.groupBy(targets, ({ modelId }) => modelId);
}

async function writeTargets(manager: EntityManager, modelId: ModelId, inputs: readonly TargetInput[]): Promise<void> {
  await refuseBadTargets(manager, inputs);
  await manager.delete(ModelTargetEntity, { modelId });
  await manager.insert(
    ModelTargetEntity,
    inputs.map(toTargetView).map(({ upstream_id, upstream_model, weight, priority }, position) => ({
      id: uuidV7(Date.now()),
      modelId,
      upstreamId: parseId<UpstreamId>(upstream_id),
      upstreamModel: upstream_model,
      weight,
      priority,
      position,
    })),
  );
}

async function refuseBadTargets(manager: EntityManager, inputs: readonly TargetInput[]): Promise<void> {
  const upstreams = await manager.find(UpstreamEntity, { select: { id: true }, where: { id: In(inputs.map(({ upstream_id }) => parseId<UpstreamId>(upstream_id))) } });
  const known = new Set<string>(upstreams.map(({ id }) => id));
  const seen = new Set<string>();
  for (const [index, { upstream_id, upstream_model }] of inputs.entries()) {
    if (!known.has(upstream_id)) {
      throw new WeirError('not_found', { message: 'There is no such upstream.', param: `targets[${index}].upstream_id` });
    }
    const place = `${upstream_id} ${upstream_model}`;
    if (seen.has(place)) {
      throw new WeirError('invalid_request', { message: `The target targets[${index}] is there twice.`, param: `targets[${index}]` });
    }
    seen.add(place);
  }
}
