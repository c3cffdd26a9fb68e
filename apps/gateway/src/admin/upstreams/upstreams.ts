import { Inject, Injectable } from '@nestjs/common';
import { isUuid, newId, parseId, type Secret, type UpstreamId, type UpstreamKeyId, WeirError } from '@weir/kernel';
import { DATA_SOURCE } from '@weir/platform';
import { isProviderName, type ProviderName } from '@weir/providers';
import { ModelEntity, ModelTargetEntity, type UpstreamDescription, UpstreamEntity, UpstreamPool } from '@weir/upstreams';
import { parseUpstreamSecret, UpstreamKeyVault } from '@weir/vault';
import { DataSource, type EntityManager } from 'typeorm';
import { type AdminPrincipal } from '../access/admin-principal';
import { AuditedTransactions } from '../audit/audited-transactions';
import { SECRET_MARK, toFieldChanges } from '../audit/to-field-changes';
import { toShownField } from '../errors/to-validation-error';
import { type Page, readPage, search } from '../paging/page';
import { type SearchQuery } from '../paging/page.query';
import { getUpstream } from './get-upstream';
import { findOrigin, parseBaseUrlField } from './parse-base-url-field';
import { parseUpstreamOptions } from './parse-upstream-options';
import { type CreateUpstream, toUpstreamFieldsView, toUpstreamStateView, type UpdateUpstream, type UpstreamView } from './upstream.dto';

const COLLECTION = 'upstreams';
const DEFAULT_WEIGHT = 100;
const MOST_MODELS_NAMED = 10;

/** The callable places, as owners see and change them. */
@Injectable()
export class Upstreams {
  constructor(
    @Inject(DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly transactions: AuditedTransactions,
    private readonly pool: UpstreamPool,
    private readonly vault: UpstreamKeyVault,
  ) {}

  list(query: SearchQuery): Promise<Page<UpstreamView>> {
    const rows = search(this.dataSource.getRepository(UpstreamEntity).createQueryBuilder('upstream'), 'name', query.search);
    const states = this.describe();
    return readPage(rows, query, (upstream) => toUpstreamView(upstream, states));
  }

  async get(id: string): Promise<UpstreamView> {
    return toUpstreamView(await getUpstream(this.dataSource.manager, id), this.describe());
  }

  create(principal: AdminPrincipal, input: CreateUpstream): Promise<UpstreamView> {
    return this.transactions.run(principal, async (manager, audit) => {
      parseBaseUrlField(input.base_url);
      const made = await manager.save(
        manager.create(UpstreamEntity, {
          id: newId<UpstreamId>(),
          name: input.name,
          provider: input.provider,
          baseUrl: input.base_url,
          timeoutMs: input.timeout_ms ?? null,
          streamTimeoutMs: input.stream_timeout_ms ?? null,
          concurrency: input.concurrency ?? null,
          weight: input.weight ?? DEFAULT_WEIGHT,
          enabled: input.enabled ?? true,
          options: parseUpstreamOptions(input.provider, input.options ?? {}),
        }),
      );
      const changes = toFieldChanges(null, toUpstreamFieldsView(made));
      await audit({ action: 'create', collection: COLLECTION, objectId: made.id, organizationId: null, changes });
      return toUpstreamView(made, this.describe());
    });
  }

  update(principal: AdminPrincipal, id: string, change: UpdateUpstream): Promise<UpstreamView> {
    return this.transactions.run(principal, async (manager, audit) => {
      const upstream = await getUpstream(manager, id, true);
      const before = toUpstreamFieldsView(upstream);
      const isMoved = await this.move(manager, upstream, change);
      assignFields(upstream, change);
      const changes = {
        ...toFieldChanges(before, toUpstreamFieldsView(upstream)),
        ...(isMoved ? { secrets: { old: SECRET_MARK, new: SECRET_MARK } } : {}),
      };
      if (Object.keys(changes).length === 0) return toUpstreamView(upstream, this.describe());
      const saved = await manager.save(upstream);
      await audit({ action: 'update', collection: COLLECTION, objectId: id, organizationId: null, changes });
      return toUpstreamView(saved, this.describe());
    });
  }

  /** Its keys go with it. A model that uses it stands in the way: it would be left with fewer targets than written. */
  delete(principal: AdminPrincipal, id: string): Promise<void> {
    return this.transactions.run(principal, async (manager, audit) => {
      const upstream = await getUpstream(manager, id, true);
      await refuseWhileUsed(manager, id);
      const changes = toFieldChanges(toUpstreamFieldsView(upstream), null);
      await manager.remove(upstream);
      await audit({ action: 'delete', collection: COLLECTION, objectId: id, organizationId: null, changes });
    });
  }

  /** @returns whether secrets were given anew, because the upstream moves to another host. */
  private async move(manager: EntityManager, upstream: UpstreamEntity, { base_url, secrets }: UpdateUpstream): Promise<boolean> {
    const origin = base_url === undefined ? null : parseBaseUrlField(base_url).origin;
    if (origin === null || origin === findOrigin(upstream.baseUrl)) {
      if (secrets === undefined) return false;
      const message = 'The field secrets is only for a base_url with another scheme, host or port.';
      throw new WeirError('invalid_request', { message, param: 'secrets' });
    }
    const given = parseSecrets(secrets ?? {});
    const upstreamId = parseId<UpstreamId>(upstream.id);
    const vault = this.vault.within(manager);
    await refuseUnknownKeys(vault, upstreamId, given);
    await vault.rebind(upstreamId, origin, given);
    return given.size > 0;
  }

  private describe(): ReadonlyMap<string, UpstreamDescription> {
    return new Map(this.pool.describe().map((description) => [description.id, description]));
  }
}

function toUpstreamView(upstream: UpstreamEntity, states: ReadonlyMap<string, UpstreamDescription>): UpstreamView {
  const state = states.get(upstream.id);
  return { ...toUpstreamFieldsView(upstream), state: state === undefined ? null : toUpstreamStateView(state) };
}

function assignFields(upstream: UpstreamEntity, change: UpdateUpstream): void {
  if (change.name !== undefined) upstream.name = change.name;
  if (change.base_url !== undefined) upstream.baseUrl = change.base_url;
  if (change.timeout_ms !== undefined) upstream.timeoutMs = change.timeout_ms;
  if (change.stream_timeout_ms !== undefined) upstream.streamTimeoutMs = change.stream_timeout_ms;
  if (change.concurrency !== undefined) upstream.concurrency = change.concurrency;
  if (change.weight !== undefined) upstream.weight = change.weight;
  if (change.enabled !== undefined) upstream.enabled = change.enabled;
  if (change.options !== undefined) upstream.options = parseUpstreamOptions(getProviderName(upstream), change.options);
}

function getProviderName({ provider }: UpstreamEntity): ProviderName {
  if (isProviderName(provider)) return provider;
  throw new WeirError('conflict', { message: 'This version does not know the upstream’s provider.' });
}

/** @throws WeirError invalid_request naming `secrets.<key id>`; a secret is never repeated. */
function parseSecrets(secrets: Readonly<Record<string, unknown>>): Map<UpstreamKeyId, Secret> {
  return new Map(
    Object.entries(secrets).map(([id, secret]) => {
      if (!isUuid(id)) throw unknownKey(id);
      return [parseId<UpstreamKeyId>(id), parseSecretOf(id, secret)];
    }),
  );
}

function parseSecretOf(id: string, secret: unknown): Secret {
  try {
    return parseUpstreamSecret(secret);
  } catch (error) {
    if (error instanceof WeirError) throw new WeirError(error.code, { message: error.message, param: `secrets.${id}` });
    throw error;
  }
}

async function refuseUnknownKeys(vault: UpstreamKeyVault, upstreamId: UpstreamId, given: ReadonlyMap<UpstreamKeyId, Secret>): Promise<void> {
  const held = new Set((await vault.list(upstreamId)).map(({ id }) => id));
  for (const id of given.keys()) if (!held.has(id)) throw unknownKey(id);
}

function unknownKey(id: string): WeirError {
  const param = toShownField(`secrets.${id}`);
  return new WeirError('invalid_request', { message: `The field ${param} names no key of this upstream.`, param });
}

async function refuseWhileUsed(manager: EntityManager, upstreamId: string): Promise<void> {
  const users = await manager
    .createQueryBuilder(ModelEntity, 'model')
    .innerJoin(ModelTargetEntity, 'target', 'target.modelId = model.id')
    .where('target.upstreamId = :upstreamId', { upstreamId })
    .orderBy('model.name')
    .getMany();
  if (users.length === 0) return;
  const names = users.slice(0, MOST_MODELS_NAMED).map(({ name }) => name);
  const more = users.length > names.length ? ` and ${users.length - names.length} more` : '';
  throw new WeirError('conflict', { message: `Models use this upstream: ${names.join(', ')}${more}. Change or delete them first.` });
}
