import {
  type Budget,
  type Clock,
  newId,
  type OrganizationId,
  parseScopeLimits,
  type ProjectId,
  type ProxyKeyId,
  Secret,
  toStoredScopeLimits,
  type UserId,
  WeirError,
} from '@weir/kernel';
import { type EntityManager, IsNull } from 'typeorm';
import { toWriteError } from './database-errors';
import { type GeneratedKey, generateProxyKey } from './key-format';
import { parseAllowedModels } from './model-allow-list';
import { parseBudgets, readStoredBudgets, resetBudget, toStoredBudgets } from './parse-budgets';
import { parseExpiry } from './parse-expiry';
import { parseName } from './parse-name';
import { ProxyKeyEntity } from './proxy-key.entity';

export interface NewProxyKey {
  organizationId: OrganizationId;
  projectId?: ProjectId | null;
  name: string;
  /** Empty or absent allows all. */
  models?: readonly string[];
  /** `{rpm, tpm, rpd, concurrency}`; see `parseScopeLimits`. */
  limits?: unknown;
  /** `[{amount_usd, period, model?, alerts?}]`; see `parseBudgets`. */
  budgets?: unknown;
  expiresAt?: Date | null;
  createdBy?: UserId | null;
}

/** What may be changed of a key; absent leaves it, `expiresAt: null` takes the expiry away. */
export interface ProxyKeyChanges {
  name?: string;
  models?: readonly string[];
  limits?: unknown;
  /** Replaces the list; a budget that stays keeps the moment of its reset. */
  budgets?: unknown;
  expiresAt?: Date | null;
}

export interface IssuedProxyKey {
  readonly row: ProxyKeyEntity;
  /** The key itself. It exists nowhere else: show it once. */
  readonly key: Secret;
}

/**
 * Whose keys an actor may touch: one organization's, or everybody's for an owner of the
 * installation. Required, so that no caller forgets it; another organization's key is "not found".
 */
export type OrganizationScope = OrganizationId | 'every organization';

const LONGEST_OVERLAP_SECONDS = 365 * 24 * 3600;

/** Issues, changes and ends the keys of callers. Every process follows within two seconds, through the change feed. */
export class ProxyKeys {
  constructor(
    private readonly manager: EntityManager,
    private readonly clock: Clock,
  ) {}

  /** The same service inside a transaction of the caller's, for writing an audit row with the change. */
  within(manager: EntityManager): ProxyKeys {
    return new ProxyKeys(manager, this.clock);
  }

  async create(input: NewProxyKey): Promise<IssuedProxyKey> {
    const settings = {
      organizationId: input.organizationId,
      projectId: input.projectId ?? null,
      name: parseName(input.name, 'name'),
      models: parseAllowedModels(input.models ?? []),
      limits: toStoredScopeLimits(parseScopeLimits(input.limits)),
      budgets: toStoredBudgets(parseBudgets(input.budgets ?? null, [])),
      expiresAt: parseExpiry(input.expiresAt ?? null, this.clock.nowMs()),
      rotatedFrom: null,
      createdBy: input.createdBy ?? null,
    };
    return this.issue(this.manager, settings).catch((error: unknown) => {
      throw toWriteError(error, { missing: 'There is no such organization or project.', taken: 'Try again.' });
    });
  }

  /**
   * Makes a new key with the same settings. The old one stays valid for `overlapSeconds`, never
   * longer than it would have been; with 0 it ends at once.
   */
  async rotate(
    id: ProxyKeyId,
    options: { overlapSeconds: number; rotatedBy?: UserId | null },
    scope: OrganizationScope,
  ): Promise<IssuedProxyKey> {
    const { overlapSeconds } = options;
    if (!Number.isInteger(overlapSeconds) || overlapSeconds < 0 || overlapSeconds > LONGEST_OVERLAP_SECONDS) {
      const message = `overlap_seconds must be a whole number from 0 to ${LONGEST_OVERLAP_SECONDS}.`;
      throw new WeirError('invalid_request', { message, param: 'overlap_seconds' });
    }
    return this.manager.transaction(async (manager) => {
      const old = await this.lock(manager, id, scope);
      const now = new Date(this.clock.nowMs());
      await refuseRotation(manager, old, now);
      const issued = await this.issue(manager, { ...toSettings(old), rotatedFrom: old.id, createdBy: options.rotatedBy ?? null });
      const overlapEnd = new Date(now.getTime() + overlapSeconds * 1000);
      await manager.update(ProxyKeyEntity, { id: old.id }, {
        expiresAt: old.expiresAt !== null && old.expiresAt < overlapEnd ? old.expiresAt : overlapEnd,
        // An end at once must not hang on how well the processes' clocks agree.
        ...(overlapSeconds === 0 ? { revokedAt: now } : {}),
      });
      return issued;
    });
  }

  /** Ends the key for good. Revoking it again changes nothing. */
  async revoke(id: ProxyKeyId, scope: OrganizationScope): Promise<void> {
    await this.manager.transaction(async (manager) => {
      await this.lock(manager, id, scope);
      await manager.update(ProxyKeyEntity, { id, revokedAt: IsNull() }, { revokedAt: new Date(this.clock.nowMs()) });
    });
  }

  async update(id: ProxyKeyId, changes: ProxyKeyChanges, scope: OrganizationScope): Promise<ProxyKeyEntity> {
    const written = {
      ...(changes.name === undefined ? {} : { name: parseName(changes.name, 'name') }),
      ...(changes.models === undefined ? {} : { models: parseAllowedModels(changes.models) }),
      ...(changes.limits === undefined ? {} : { limits: toStoredScopeLimits(parseScopeLimits(changes.limits)) }),
      ...(changes.expiresAt === undefined ? {} : { expiresAt: parseExpiry(changes.expiresAt, this.clock.nowMs()) }),
    };
    return this.manager.transaction(async (manager) => {
      const key = await this.lock(manager, id, scope);
      if (key.revokedAt !== null) throw new WeirError('conflict', { message: 'The key is revoked.' });
      const budgets = changes.budgets === undefined ? {} : { budgets: toStoredBudgets(parseBudgets(changes.budgets, key.budgets)) };
      const values = { ...written, ...budgets };
      if (Object.keys(values).length > 0) await manager.update(ProxyKeyEntity, { id }, values);
      return manager.findOneByOrFail(ProxyKeyEntity, { id });
    });
  }

  /** Begins one of its budgets anew: what was spent until now does not count in it any more. */
  async resetBudget(id: ProxyKeyId, which: Pick<Budget, 'period' | 'model'>, scope: OrganizationScope): Promise<ProxyKeyEntity> {
    return this.manager.transaction(async (manager) => {
      const key = await this.lock(manager, id, scope);
      if (key.revokedAt !== null) throw new WeirError('conflict', { message: 'The key is revoked.' });
      const budgets = resetBudget(readStoredBudgets(key.budgets), which, this.clock.nowMs());
      await manager.update(ProxyKeyEntity, { id }, { budgets: toStoredBudgets(budgets) });
      return manager.findOneByOrFail(ProxyKeyEntity, { id });
    });
  }

  /** Held until the transaction ends, so that two changes of one key come one after the other. */
  private async lock(manager: EntityManager, id: ProxyKeyId, scope: OrganizationScope): Promise<ProxyKeyEntity> {
    const where = scope === 'every organization' ? { id } : { id, organizationId: scope };
    const key = await manager.findOne(ProxyKeyEntity, { where, lock: { mode: 'pessimistic_write' } });
    if (key === null) throw new WeirError('not_found', { message: 'There is no such key.' });
    return key;
  }

  private async issue(manager: EntityManager, settings: Settings): Promise<IssuedProxyKey> {
    const { key, publicId, secretHash }: GeneratedKey = generateProxyKey();
    const id = newId<ProxyKeyId>();
    await manager.insert(ProxyKeyEntity, { ...settings, id, publicId, secretHash });
    return { row: await manager.findOneByOrFail(ProxyKeyEntity, { id }), key: new Secret(key) };
  }
}

type Settings = ReturnType<typeof toSettings> & Pick<ProxyKeyEntity, 'rotatedFrom' | 'createdBy'>;

function toSettings({ organizationId, projectId, name, models, limits, budgets, expiresAt }: ProxyKeyEntity) {
  return { organizationId, projectId, name, models, limits, budgets, expiresAt };
}

/** A key that no longer works has no holder to move over, and a second successor would outlive a revocation of the first. */
async function refuseRotation(manager: EntityManager, key: ProxyKeyEntity, now: Date): Promise<void> {
  if (key.revokedAt !== null) throw new WeirError('conflict', { message: 'The key is revoked.' });
  if (key.expiresAt !== null && key.expiresAt <= now) throw new WeirError('conflict', { message: 'The key has expired.' });
  if (await manager.existsBy(ProxyKeyEntity, { rotatedFrom: key.id })) {
    throw new WeirError('conflict', { message: 'The key was rotated already: rotate its successor.' });
  }
}
