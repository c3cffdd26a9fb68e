import { type Budget, NO_LIMITS, type OrganizationId, type ProjectId, type ProxyKeyId, readStoredScopeLimits, type ScopeLimits } from '@weir/kernel';
import { type ProxyKeyRow, type TenantRow } from './access-rows';
import { type Caller } from './caller';
import { Interner } from './interner';
import { type LimitedScope } from './limited-scope';
import { NO_BUDGETS, readStoredBudgets } from './parse-budgets';
import { DUMMY_SLOT, type HashSlot, SecretHashTable } from './secret-hash-table';

/**
 * `unknown` until its row is read, and again when the row is gone; `unreadable` when its limits or
 * budgets cannot be understood. The keys of both do not work: not even without limits.
 */
export type TenantState = 'enabled' | 'disabled' | 'unknown' | 'unreadable';

/** What was read of organizations or projects: a row that was asked for and is missing is gone. */
export interface TenantReading<Id extends string> {
  readonly askedIds: readonly string[];
  readonly rows: readonly TenantRow<Id>[];
}

export interface TenantReadings {
  readonly organizations: TenantReading<OrganizationId>;
  readonly projects: TenantReading<ProjectId>;
}

/** A table whose rows may turn out unreadable. */
export type RowKind = 'proxy_key' | 'organization' | 'project';

/** Told of a row that cannot be understood; its key, or all of its keys, do not work until it is put right. */
export type UnreadableRowListener = (kind: RowKind, id: string, error: unknown) => void;

/** One object an organization or project, shared by its keys: switching it off reaches all of them at once. */
export interface Tenant<Id extends string> {
  queueWeight: number;
  state: TenantState;
  /** Replaced, never changed, when limits or budgets are others: callers of old are known by it. */
  scope: LimitedScope<Id>;
}

/** A proxy key in memory. */
export interface ProxyKeyEntry {
  readonly keyId: ProxyKeyId;
  readonly publicId: string;
  readonly hashSlot: HashSlot;
  readonly organization: Tenant<OrganizationId>;
  readonly project: Tenant<ProjectId> | null;
  readonly models: ReadonlySet<string> | null;
  readonly limits: ScopeLimits;
  readonly budgets: readonly Budget[];
  readonly expiresAtMs: number | null;
  readonly revoked: boolean;
  /** Made at the key's first request: most keys of a large installation are not in use in one process. */
  caller: Caller | null;
}

/** All proxy keys with the state of what they belong to. Some 320 bytes a key, 470 with its caller; two budgets that no other key has add 390 (measured). */
export class ProxyKeyTable {
  private readonly hashes = new SecretHashTable();
  private readonly byPublicId = new Map<string, ProxyKeyEntry>();
  private readonly byId = new Map<string, ProxyKeyEntry>();
  private readonly organizations = new Map<string, Tenant<OrganizationId>>();
  private readonly projects = new Map<string, Tenant<ProjectId>>();
  private readonly modelLists = new Interner<ReadonlySet<string>>();
  private readonly limits = new Interner<ScopeLimits>();
  private readonly budgetLists = new Interner<readonly Budget[]>();

  constructor(private readonly onUnreadableRow: UnreadableRowListener) {}

  get size(): number {
    return this.byId.size;
  }

  get organizationIds(): string[] {
    return [...this.organizations.keys()];
  }

  /** An organization's share when calls wait for an upstream; 1 where nothing is known of it. */
  findQueueWeight(organizationId: string): number {
    return this.organizations.get(organizationId)?.queueWeight ?? 1;
  }

  get projectIds(): string[] {
    return [...this.projects.keys()];
  }

  /**
   * The entry of a public id, if the hash is its key's. An unknown public id costs the same
   * comparison, so that the time taken does not tell which ids exist.
   */
  findMatch(publicId: string, secretHash: Buffer): ProxyKeyEntry | null {
    const entry = this.byPublicId.get(publicId) ?? null;
    const matches = this.hashes.matches(entry === null ? DUMMY_SLOT : entry.hashSlot, secretHash);
    return matches ? entry : null;
  }

  find(id: ProxyKeyId): ProxyKeyEntry | null {
    return this.byId.get(id) ?? null;
  }

  /** Replaces the key with what its row says now. When it cannot be understood the key is gone, and does not work. */
  putKey(row: ProxyKeyRow): void {
    this.removeKey(row.id);
    try {
      this.addKey(row);
    } catch (error) {
      // One broken row must not keep every other caller out; without limits it must not work either.
      this.onUnreadableRow('proxy_key', row.id, error);
    }
  }

  removeKey(id: string): void {
    const entry = this.byId.get(id);
    if (entry === undefined) return;
    this.byId.delete(id);
    if (this.byPublicId.get(entry.publicId) === entry) this.byPublicId.delete(entry.publicId);
    this.hashes.remove(entry.hashSlot);
  }

  setTenants({ organizations, projects }: TenantReadings): void {
    this.setRead('organization', this.organizations, organizations);
    this.setRead('project', this.projects, projects);
  }

  private addKey(row: ProxyKeyRow): void {
    const limits = this.internLimits(row.limits);
    const budgets = this.internBudgets(row.budgets);
    const entry: ProxyKeyEntry = {
      keyId: row.id,
      publicId: row.public_id,
      hashSlot: this.hashes.add(row.secret_hash),
      organization: getTenant(this.organizations, row.organization_id),
      project: row.project_id === null ? null : getTenant(this.projects, row.project_id),
      models: row.models.length === 0 ? null : this.internModels(row.models),
      limits,
      budgets,
      expiresAtMs: row.expires_at_ms,
      revoked: row.revoked,
      caller: null,
    };
    this.byId.set(entry.keyId, entry);
    this.byPublicId.set(entry.publicId, entry);
  }

  /** Tenants without keys are not kept: there is nobody to refuse. */
  private setRead<Id extends string>(kind: RowKind, tenants: ReadonlyMap<string, Tenant<Id>>, { askedIds, rows }: TenantReading<Id>): void {
    const rowsById = new Map<string, TenantRow<Id>>(rows.map((row) => [row.id, row]));
    for (const id of askedIds) {
      const tenant = tenants.get(id);
      const row = rowsById.get(id);
      if (tenant === undefined) continue;
      if (row === undefined) tenant.state = 'unknown';
      else this.setTenant(kind, tenant, row);
    }
  }

  private setTenant<Id extends string>(kind: RowKind, tenant: Tenant<Id>, row: TenantRow<Id>): void {
    try {
      const limits = this.internLimits(row.limits);
      const budgets = this.internBudgets(row.budgets);
      // A row that was written for another reason leaves its callers, and what was worked out for them, as they are.
      if (tenant.scope.limits !== limits || tenant.scope.budgets !== budgets) tenant.scope = { id: tenant.scope.id, limits, budgets };
      tenant.queueWeight = row.queue_weight ?? 1;
      tenant.state = row.enabled ? 'enabled' : 'disabled';
    } catch (error) {
      tenant.state = 'unreadable';
      this.onUnreadableRow(kind, row.id, error);
    }
  }

  private internLimits(stored: unknown): ScopeLimits {
    const limits = readStoredScopeLimits(stored);
    const { requestsPerMinute, requestsPerDay, tokensPerMinute, concurrency } = limits;
    return this.limits.intern(`${requestsPerMinute}|${requestsPerDay}|${tokensPerMinute}|${concurrency}`, () => limits);
  }

  private internBudgets(stored: unknown): readonly Budget[] {
    const budgets = readStoredBudgets(stored);
    return budgets.length === 0 ? NO_BUDGETS : this.budgetLists.intern(JSON.stringify(budgets), () => budgets);
  }

  private internModels(models: readonly string[]): ReadonlySet<string> {
    const sorted = [...models].sort();
    return this.modelLists.intern(JSON.stringify(sorted), () => new Set(sorted));
  }
}

function getTenant<Id extends string>(tenants: Map<string, Tenant<Id>>, id: Id): Tenant<Id> {
  let tenant = tenants.get(id);
  if (tenant === undefined) {
    tenant = { state: 'unknown', scope: { id, limits: NO_LIMITS, budgets: NO_BUDGETS }, queueWeight: 1 };
    tenants.set(id, tenant);
  }
  return tenant;
}
