import { createHash, randomUUID } from 'node:crypto';
import { newId, type OrganizationId, type ProjectId, type ProxyKeyId, type UpstreamId, type ModelId } from '@weir/kernel';

/** Anything that runs one statement: a TypeORM DataSource, or a test database. */
export interface RowStore {
  query(sql: string, parameters: unknown[]): Promise<unknown>;
}

const unique = (prefix: string): string => `${prefix}-${randomUUID().slice(0, 8)}`;

/** Puts in rows that a test needs and does not care about; what it cares about it says. */
export const insertRow = {
  async organization(store: RowStore, row: { name?: string; enabled?: boolean } = {}): Promise<OrganizationId> {
    const id = newId<OrganizationId>();
    const values = [id, row.name ?? unique('organization'), row.enabled ?? true];
    await store.query('INSERT INTO organizations (id, name, enabled) VALUES ($1, $2, $3)', values);
    return id;
  },

  async project(store: RowStore, row: { organizationId: OrganizationId; name?: string; enabled?: boolean }): Promise<ProjectId> {
    const id = newId<ProjectId>();
    const values = [id, row.organizationId, row.name ?? unique('project'), row.enabled ?? true];
    await store.query('INSERT INTO projects (id, organization_id, name, enabled) VALUES ($1, $2, $3, $4)', values);
    return id;
  },

  /** `key` is the whole key as a caller presents it; only its SHA-256 is stored. */
  async proxyKey(
    store: RowStore,
    row: {
      organizationId: OrganizationId;
      publicId: string;
      key: string;
      projectId?: ProjectId;
      models?: string[];
      limits?: object;
      expiresAt?: Date;
    },
  ): Promise<ProxyKeyId> {
    const id = newId<ProxyKeyId>();
    await store.query(
      `INSERT INTO proxy_keys (id, organization_id, project_id, name, public_id, secret_hash, models, limits, expires_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
      [
        id,
        row.organizationId,
        row.projectId ?? null,
        unique('key'),
        row.publicId,
        createHash('sha256').update(row.key).digest(),
        row.models ?? [],
        JSON.stringify(row.limits ?? {}),
        row.expiresAt ?? null,
      ],
    );
    return id;
  },

  async upstream(
    store: RowStore,
    row: { baseUrl: string; name?: string; provider?: string; options?: object; weight?: number; concurrency?: number; enabled?: boolean },
  ): Promise<UpstreamId> {
    const id = newId<UpstreamId>();
    await store.query(
      `INSERT INTO upstreams (id, name, provider, base_url, options, weight, concurrency, enabled)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
      [
        id,
        row.name ?? unique('upstream'),
        row.provider ?? 'openai',
        row.baseUrl,
        JSON.stringify(row.options ?? {}),
        row.weight ?? 100,
        row.concurrency ?? null,
        row.enabled ?? true,
      ],
    );
    return id;
  },

  /** A model and its targets, in the order given. */
  async model(
    store: RowStore,
    row: {
      name: string;
      targets: readonly { upstreamId: UpstreamId; upstreamModel: string; weight?: number; priority?: number }[];
      operation?: string;
      price?: object;
    },
  ): Promise<ModelId> {
    const id = newId<ModelId>();
    const price = row.price === undefined ? null : JSON.stringify(row.price);
    await store.query('INSERT INTO models (id, name, operation, price) VALUES ($1, $2, $3, $4)', [id, row.name, row.operation ?? 'chat', price]);
    for (const [position, target] of row.targets.entries()) {
      await store.query(
        `INSERT INTO model_targets (id, model_id, upstream_id, upstream_model, weight, priority, position)
         VALUES ($1, $2, $3, $4, $5, $6, $7)`,
        [newId<ModelId>(), id, target.upstreamId, target.upstreamModel, target.weight ?? 100, target.priority ?? 0, position],
      );
    }
    return id;
  },
};
