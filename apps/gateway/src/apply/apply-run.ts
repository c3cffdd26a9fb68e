import { type Clock } from '@weir/kernel';
import { UpstreamPool } from '@weir/upstreams';
import { type UpstreamKeyVault } from '@weir/vault';
import { type DataSource, type EntityManager } from 'typeorm';
import { type AdminPrincipal } from '../admin/access/admin-principal';
import { AuditedTransactions } from '../admin/audit/audited-transactions';
import { Models } from '../admin/models/models';
import { Organizations } from '../admin/organizations/organizations';
import { Projects } from '../admin/projects/projects';
import { UpstreamKeys } from '../admin/upstreams/upstream-keys';
import { Upstreams } from '../admin/upstreams/upstreams';
import { type Origin } from './declaration';
import { type Difference, type Kept } from './difference';

/** Who stands in the audit log. It may what an owner may. */
export const APPLIER: AdminPrincipal = { userId: null, username: 'apply', role: 'owner', organizationId: null, remoteAddress: null, session: null };

export const MANAGED_TABLES = ['organizations', 'projects', 'upstreams', 'upstream_keys', 'models'] as const;
export type ManagedTable = (typeof MANAGED_TABLES)[number];

export interface ApplyParts {
  readonly dataSource: DataSource;
  readonly vault: UpstreamKeyVault;
  readonly clock: Clock;
}

/**
 * One application of a declaration, inside one transaction: the admin API's own writers, bound to it,
 * and what they have been asked to do so far.
 */
export class ApplyRun {
  readonly upstreams: Upstreams;
  readonly upstreamKeys: UpstreamKeys;
  readonly models: Models;
  readonly organizations: Organizations;
  readonly projects: Projects;
  readonly vault: UpstreamKeyVault;
  readonly differences: Difference[] = [];
  readonly kept: Kept[] = [];
  /** What was declared: pruning leaves it. */
  readonly named = new Set<string>();

  constructor(
    { dataSource, vault, clock }: ApplyParts,
    readonly manager: EntityManager,
    readonly prunes: boolean,
  ) {
    const transactions = new AuditedTransactions(dataSource, clock).within(manager);
    // Nothing is served here: what there is, is what the database holds.
    const pool = new UpstreamPool({ sink: { keyChanged: () => undefined }, clock });
    this.vault = vault.within(manager);
    this.upstreams = new Upstreams(dataSource, transactions, pool, this.vault);
    this.upstreamKeys = new UpstreamKeys(dataSource, transactions, this.vault);
    this.models = new Models(dataSource, transactions);
    this.organizations = new Organizations(dataSource, clock, transactions, pool);
    this.projects = new Projects(dataSource, clock, transactions, pool);
  }

  record(difference: Difference): void {
    this.differences.push(difference);
  }

  /** Only what was made by a file may be taken away by one. */
  async markMade(table: ManagedTable, id: string, origin: Origin): Promise<void> {
    await this.manager.query(`UPDATE ${table} SET managed_by = $2 WHERE id = $1`, [id, origin]);
  }

  /** The rows of a table that a file made and this declaration does not name. */
  async findUnnamed(table: ManagedTable): Promise<string[]> {
    const rows = await this.manager.query<{ id: string }[]>(`SELECT id FROM ${table} WHERE managed_by = 'file' ORDER BY id`);
    return rows.map(({ id }) => id).filter((id) => !this.named.has(id));
  }
}
