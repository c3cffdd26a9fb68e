import { type ProxyKeyId, WeirError } from '@weir/kernel';
import { type ChangeKind, type SnapshotChange } from '@weir/platform';
import { type EntityManager } from 'typeorm';
import { readAllProxyKeys, readOrganizations, readProjects, readProxyKeys } from './access-rows';
import { type Caller } from './caller';
import { hashKey, looksMistyped, parseKey } from './key-format';
import { type ProxyKeyEntry, ProxyKeyTable, type TenantReadings, type TenantState, type UnreadableRowListener } from './proxy-key-table';

/**
 * Every proxy key in memory, so that a caller is known without the database. Reads come one after
 * another, never side by side: a slow old one cannot overwrite what a newer one has seen.
 */
export class AccessSnapshot {
  private table: ProxyKeyTable | null = null;
  private lastRead: Promise<void> = Promise.resolve();

  constructor(
    private readonly manager: EntityManager,
    private readonly onUnreadableRow: UnreadableRowListener,
  ) {}

  /** The number of keys held, revoked and expired ones included. */
  get size(): number {
    return this.table?.size ?? 0;
  }

  /** Reads everything. The keys held before serve until the new ones are complete. */
  load(): Promise<void> {
    return this.inTurn(() => this.loadTable());
  }

  /** Reads the changed rows again; kinds that are not ours are passed over. When it fails, nothing has changed, and it can be called again. */
  apply(changes: readonly SnapshotChange[] | 'everything'): Promise<void> {
    return this.inTurn(async () => {
      if (changes === 'everything' || this.table === null) await this.loadTable();
      else await this.readAgain(this.table, changes);
    });
  }

  /**
   * Whose key this is. Touches nothing but memory.
   * @throws WeirError invalid_api_key, key_expired or permission_denied. Whether a key is revoked,
   * expired or switched off is told only to who presents its right secret.
   */
  authenticate(presented: string, nowMs: number): Caller {
    // Before the first load every key would look wrong: better an error that a client tries again.
    if (this.table === null) throw new WeirError('database_unavailable', { message: 'The keys are not loaded yet.' });
    const parsed = parseKey(presented);
    if (parsed === null) throw toFormatRefusal(presented);
    if (parsed.kind === 'admin') throw refusal('This is an admin key. Calls to models need a proxy key.');
    const entry = this.table.findMatch(parsed.publicId, hashKey(presented));
    if (entry === null) throw refusal();
    return toUsableCaller(entry, nowMs);
  }

  /**
   * Who a key belongs to that was presented before, for work that goes on without its caller.
   * @returns null when this process does not know the key (yet)
   * @throws WeirError as `authenticate`, when the key may not be used any more
   */
  findCaller(keyId: ProxyKeyId, nowMs: number): Caller | null {
    const entry = this.table?.find(keyId) ?? null;
    return entry === null ? null : toUsableCaller(entry, nowMs);
  }

  /** An organization's share of an upstream's places when calls wait for it; ordinarily 1. */
  findQueueWeight(organizationId: string): number {
    return this.table?.findQueueWeight(organizationId) ?? 1;
  }

  private async loadTable(): Promise<void> {
    const table = new ProxyKeyTable(this.onUnreadableRow);
    for await (const page of readAllProxyKeys(this.manager)) for (const row of page) table.putKey(row);
    table.setTenants(await this.readTenants(table.organizationIds, table.projectIds));
    this.table = table;
  }

  private async readAgain(table: ProxyKeyTable, changes: readonly SnapshotChange[]): Promise<void> {
    const keyIds = toObjectIds(changes, 'proxy_key');
    const keys = await readProxyKeys(this.manager, keyIds);
    // Tenants after the keys that name them: a key's organization is then sure to be among what is read.
    const organizationIds = new Set([...toObjectIds(changes, 'organization'), ...keys.map((key) => key.organization_id)]);
    const projectIds = new Set([...toObjectIds(changes, 'project'), ...keys.flatMap((key) => key.project_id ?? [])]);
    const tenants = await this.readTenants([...organizationIds], [...projectIds]);
    // From here to the end nothing waits: no request sees a key without its organization.
    for (const id of keyIds) table.removeKey(id);
    for (const row of keys) table.putKey(row);
    table.setTenants(tenants);
  }

  private async readTenants(organizationIds: readonly string[], projectIds: readonly string[]): Promise<TenantReadings> {
    const projects = await readProjects(this.manager, projectIds);
    const organizations = await readOrganizations(this.manager, organizationIds);
    return {
      organizations: { askedIds: organizationIds, rows: organizations },
      projects: { askedIds: projectIds, rows: projects },
    };
  }

  private inTurn(read: () => Promise<void>): Promise<void> {
    const turn = this.lastRead.then(read);
    // A failed read is its caller's to try again; the next one runs all the same.
    this.lastRead = turn.catch(() => undefined);
    return turn;
  }
}

/** @throws WeirError for a key that may not be used */
function toUsableCaller(entry: ProxyKeyEntry, nowMs: number): Caller {
  refuseUnusable(entry, nowMs);
  const { caller, organization, project } = entry;
  // New limits of a tenant are a new caller to all of its keys, at their next request.
  if (caller !== null && caller.organization === organization.scope && caller.project === (project === null ? null : project.scope)) return caller;
  return (entry.caller = toCaller(entry));
}

function toCaller({ keyId, publicId, organization, project, models, limits, budgets, expiresAtMs }: ProxyKeyEntry): Caller {
  return {
    keyId,
    publicId,
    organizationId: organization.scope.id,
    projectId: project === null ? null : project.scope.id,
    models,
    key: { id: keyId, limits, budgets },
    project: project === null ? null : project.scope,
    organization: organization.scope,
    expiresAtMs,
  };
}

/** Only for an entry whose secret was presented. */
function refuseUnusable(entry: ProxyKeyEntry, nowMs: number): void {
  const { organization, project } = entry;
  if (organization.state === 'unknown' || project?.state === 'unknown') throw refusal();
  if (entry.revoked) throw refusal('The API key has been revoked.');
  if (entry.expiresAtMs !== null && nowMs >= entry.expiresAtMs) throw new WeirError('key_expired');
  refuseUnreadable(organization.state, 'organization');
  if (project !== null) refuseUnreadable(project.state, 'project');
  if (organization.state === 'disabled') throw new WeirError('permission_denied', { message: "The key's organization is disabled." });
  if (project?.state === 'disabled') throw new WeirError('permission_denied', { message: "The key's project is disabled." });
}

/** No fault of the caller's and none of the key's: "invalid key" would make a client throw a good key away. */
function refuseUnreadable(state: TenantState, whose: string): void {
  if (state === 'unreadable') throw new WeirError('permission_denied', { message: `The limits or budgets of the key's ${whose} cannot be read.` });
}

function toFormatRefusal(presented: string): WeirError {
  return looksMistyped(presented) ? refusal('The API key is mistyped: its checksum does not match.') : refusal();
}

function refusal(message?: string): WeirError {
  return new WeirError('invalid_api_key', { message });
}

function toObjectIds(changes: readonly SnapshotChange[], kind: ChangeKind): string[] {
  return [...new Set(changes.filter((change) => change.kind === kind).map((change) => change.objectId))];
}
