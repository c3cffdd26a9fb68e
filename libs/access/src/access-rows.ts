import { type OrganizationId, type ProjectId, type ProxyKeyId } from '@weir/kernel';
import { type EntityManager } from 'typeorm';

/** What the snapshot reads of a proxy key, as PostgreSQL answers it. */
export interface ProxyKeyRow {
  readonly id: ProxyKeyId;
  readonly organization_id: OrganizationId;
  readonly project_id: ProjectId | null;
  readonly public_id: string;
  readonly secret_hash: Buffer;
  readonly models: string[];
  readonly limits: unknown;
  readonly budgets: unknown;
  readonly expires_at_ms: number | null;
  readonly revoked: boolean;
}

export interface TenantRow<Id> {
  readonly id: Id;
  readonly enabled: boolean;
  readonly limits: unknown;
  readonly budgets: unknown;
  /** Of organizations alone. */
  readonly queue_weight?: number;
}

/** A page is parsed in one go on the thread that serves requests: some 2 ms at this size. */
const PAGE_ROWS = 1000;
const LOWEST_ID = '00000000-0000-0000-0000-000000000000';

const SELECT_KEYS = `
  SELECT id, organization_id, project_id, public_id, secret_hash, models, limits, budgets,
    (extract(epoch FROM expires_at) * 1000)::float8 AS expires_at_ms, revoked_at IS NOT NULL AS revoked
  FROM proxy_keys`;

const SELECT_ORGANIZATIONS = 'SELECT id, enabled, limits, budgets, queue_weight FROM organizations';
const SELECT_PROJECTS = 'SELECT id, enabled, limits, budgets FROM projects';

/** Every proxy key, a page at a time, so that no more than a page is ever held as rows. */
export async function* readAllProxyKeys(manager: EntityManager): AsyncGenerator<readonly ProxyKeyRow[]> {
  let after: string = LOWEST_ID;
  for (;;) {
    const page = await manager.query<ProxyKeyRow[]>(`${SELECT_KEYS} WHERE id > $1 ORDER BY id LIMIT $2`, [after, PAGE_ROWS]);
    if (page.length > 0) yield page;
    if (page.length < PAGE_ROWS) return;
    after = page[page.length - 1].id;
  }
}

/** The named proxy keys, as many as there still are. */
export function readProxyKeys(manager: EntityManager, ids: readonly string[]): Promise<ProxyKeyRow[]> {
  return inPages(ids, (page) => manager.query(`${SELECT_KEYS} WHERE id = ANY($1::uuid[])`, [page]));
}

/** The named organizations, as many as there still are. */
export function readOrganizations(manager: EntityManager, ids: readonly string[]): Promise<TenantRow<OrganizationId>[]> {
  return inPages(ids, (page) => manager.query(`${SELECT_ORGANIZATIONS} WHERE id = ANY($1::uuid[])`, [page]));
}

/** The named projects, as many as there still are. */
export function readProjects(manager: EntityManager, ids: readonly string[]): Promise<TenantRow<ProjectId>[]> {
  return inPages(ids, (page) => manager.query(`${SELECT_PROJECTS} WHERE id = ANY($1::uuid[])`, [page]));
}

async function inPages<Row>(ids: readonly string[], read: (page: readonly string[]) => Promise<Row[]>): Promise<Row[]> {
  const rows: Row[] = [];
  for (let start = 0; start < ids.length; start += PAGE_ROWS) {
    for (const row of await read(ids.slice(start, start + PAGE_ROWS))) rows.push(row);
  }
  return rows;
}
