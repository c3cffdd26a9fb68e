import { type ProxyKeyId, WeirError } from '@weir/kernel';
import { type ChangeKind, type SnapshotChange } from '@weir/platform';
import { type EntityManager } from 'typeorm';
import { type ProxyKeyRow, readAllProxyKeys, readOrganizations, readProjects, readProxyKeys, type TenantRow } from './access-rows';
import { type Caller } from './caller';
import { hashKey, looksMistyped, parseKey } from './key-format';
import { type ProxyKeyEntry, ProxyKeyTable, type TenantState, type TenantStates } from './proxy-key-table';

/** Told of a row that cannot be understood; its key does not work until the row is put right. */
export type UnreadableKeyListener = (keyId: ProxyKeyId, error: unknown) => void;

/**
 * Every proxy key in memory, so that a caller is known without the database. Reads come one after
 * another, never side by side: a slow old one cannot overwrite what a newer one has seen.
 */
export class AccessSnapshot {
  private table: ProxyKeyTable | null = null;
  private lastRead: Promise<void> = Promise.resolve();

  constructor(
    private readonly manager: EntityManager,
    private readonly onUnreadableKey: UnreadableKeyListener,
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
    refuseUnusable(entry, nowMs);
    return (entry.caller ??= toCaller(entry));
  }

  private async loadTable(): Promise<void> {
    const table = new ProxyKeyTable();
    for await (const page of readAllProxyKeys(this.manager)) this.putKeys(table, page);
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
    this.putKeys(table, keys);
    table.setTenants(tenants);
  }

  private async readTenants(organizationIds: readonly string[], projectIds: readonly string[]): Promise<TenantStates> {
    const projects = await readProjects(this.manager, projectIds);
    const organizations = await readOrganizations(this.manager, organizationIds);
    return { organizations: toStates(organizationIds, organizations), projects: toStates(projectIds, projects) };
  }

  private putKeys(table: ProxyKeyTable, rows: readonly ProxyKeyRow[]): void {
    for (const row of rows) {
      try {
        table.putKey(row);
      } catch (error) {
        // One broken row must not keep every other caller out; without limits it must not work either.
        this.onUnreadableKey(row.id, error);
      }
    }
  }

  private inTurn(read: () => Promise<void>): Promise<void> {
    const turn = this.lastRead.then(read);
    // A failed read is its caller's to try again; the next one runs all the same.
    this.lastRead = turn.catch(() => undefined);
    return turn;
  }
}

function toCaller(entry: ProxyKeyEntry): Caller {
  return {
    keyId: entry.keyId,
    publicId: entry.publicId,
    organizationId: entry.organization.id,
    projectId: entry.project === null ? null : entry.project.id,
    models: entry.models,
    requestsPerMinute: entry.limits.requestsPerMinute,
    requestsPerDay: entry.limits.requestsPerDay,
    expiresAtMs: entry.expiresAtMs,
  };
}

/** Only for an entry whose secret was presented. */
function refuseUnusable(entry: ProxyKeyEntry, nowMs: number): void {
  const { organization, project } = entry;
  if (organization.state === 'unknown' || project?.state === 'unknown') throw refusal();
  if (entry.revoked) throw refusal('The API key has been revoked.');
  if (entry.expiresAtMs !== null && nowMs >= entry.expiresAtMs) throw new WeirError('key_expired');
  if (organization.state === 'disabled') throw new WeirError('permission_denied', { message: "The key's organization is disabled." });
  if (project?.state === 'disabled') throw new WeirError('permission_denied', { message: "The key's project is disabled." });
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

function toStates(ids: readonly string[], rows: readonly TenantRow<string>[]): ReadonlyMap<string, TenantState> {
  const states = new Map<string, TenantState>(ids.map((id) => [id, 'unknown']));
  for (const { id, enabled } of rows) states.set(id, enabled ? 'enabled' : 'disabled');
  return states;
}
