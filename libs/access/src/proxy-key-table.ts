import { type OrganizationId, type ProjectId, type ProxyKeyId } from '@weir/kernel';
import { type ProxyKeyRow } from './access-rows';
import { type Caller } from './caller';
import { Interner } from './interner';
import { type KeyLimits, readStoredKeyLimits } from './key-limits';
import { DUMMY_SLOT, type HashSlot, SecretHashTable } from './secret-hash-table';

/** `unknown` until its row is read, and again when the row is gone: such a tenant's keys do not work. */
export type TenantState = 'enabled' | 'disabled' | 'unknown';

/** States by id, as they were read; `unknown` for a row that is gone. */
export interface TenantStates {
  readonly organizations: ReadonlyMap<string, TenantState>;
  readonly projects: ReadonlyMap<string, TenantState>;
}

/** One object an organization or project, shared by its keys: switching it off reaches all of them at once. */
export interface Tenant<Id> {
  readonly id: Id;
  state: TenantState;
}

/** A proxy key in memory. */
export interface ProxyKeyEntry {
  readonly keyId: ProxyKeyId;
  readonly publicId: string;
  readonly hashSlot: HashSlot;
  readonly organization: Tenant<OrganizationId>;
  readonly project: Tenant<ProjectId> | null;
  readonly models: ReadonlySet<string> | null;
  readonly limits: KeyLimits;
  readonly expiresAtMs: number | null;
  readonly revoked: boolean;
  /** Made at the key's first request: most keys of a large installation are not in use in one process. */
  caller: Caller | null;
}

/** All proxy keys with the state of what they belong to. Some 320 bytes a key, 430 with its caller (measured). */
export class ProxyKeyTable {
  private readonly hashes = new SecretHashTable();
  private readonly byPublicId = new Map<string, ProxyKeyEntry>();
  private readonly byId = new Map<string, ProxyKeyEntry>();
  private readonly organizations = new Map<string, Tenant<OrganizationId>>();
  private readonly projects = new Map<string, Tenant<ProjectId>>();
  private readonly modelLists = new Interner<ReadonlySet<string>>();
  private readonly limits = new Interner<KeyLimits>();

  get size(): number {
    return this.byId.size;
  }

  get organizationIds(): string[] {
    return [...this.organizations.keys()];
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

  /**
   * Replaces the key with what its row says now.
   * @throws when the row cannot be understood; the key is then gone, and does not work.
   */
  putKey(row: ProxyKeyRow): void {
    this.removeKey(row.id);
    const limits = readStoredKeyLimits(row.limits);
    const entry: ProxyKeyEntry = {
      keyId: row.id,
      publicId: row.public_id,
      hashSlot: this.hashes.add(row.secret_hash),
      organization: getTenant(this.organizations, row.organization_id),
      project: row.project_id === null ? null : getTenant(this.projects, row.project_id),
      models: row.models.length === 0 ? null : this.internModels(row.models),
      limits: this.limits.intern(`${limits.requestsPerMinute}|${limits.requestsPerDay}`, () => limits),
      expiresAtMs: row.expires_at_ms,
      revoked: row.revoked,
      caller: null,
    };
    this.byId.set(entry.keyId, entry);
    this.byPublicId.set(entry.publicId, entry);
  }

  removeKey(id: string): void {
    const entry = this.byId.get(id);
    if (entry === undefined) return;
    this.byId.delete(id);
    if (this.byPublicId.get(entry.publicId) === entry) this.byPublicId.delete(entry.publicId);
    this.hashes.remove(entry.hashSlot);
  }

  setTenants({ organizations, projects }: TenantStates): void {
    setStates(this.organizations, organizations);
    setStates(this.projects, projects);
  }

  private internModels(models: readonly string[]): ReadonlySet<string> {
    const sorted = [...models].sort();
    return this.modelLists.intern(JSON.stringify(sorted), () => new Set(sorted));
  }
}

function getTenant<Id extends string>(tenants: Map<string, Tenant<Id>>, id: Id): Tenant<Id> {
  let tenant = tenants.get(id);
  if (tenant === undefined) {
    tenant = { id, state: 'unknown' };
    tenants.set(id, tenant);
  }
  return tenant;
}

/** Tenants without keys are not kept: there is nobody to refuse. */
function setStates(tenants: ReadonlyMap<string, { state: TenantState }>, states: ReadonlyMap<string, TenantState>): void {
  for (const [id, state] of states) {
    const tenant = tenants.get(id);
    if (tenant !== undefined) tenant.state = state;
  }
}
