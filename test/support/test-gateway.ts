import { type UpstreamId } from '@weir/kernel';
import { insertRow, type RowStore, UpstreamSimulator } from '@weir/testing';
import { randomBytes } from 'node:crypto';
import { createTestDatabase, type TestDatabase } from './postgres';
import { createTestRedis, type TestRedis } from './redis';
import { waitFor } from './wait-for';
import { addKey, waitForModel, Weir } from './weir';

/** A usage row as the database holds it; counts come as text, because PostgreSQL's bigint does. */
export interface UsageRow {
  readonly request_id: string;
  readonly attempt: number;
  readonly key_id: string;
  readonly operation: string;
  readonly model: string;
  readonly upstream_id: string | null;
  readonly upstream_key_id: string | null;
  readonly upstream_model: string | null;
  readonly status: string;
  readonly http_status: number | null;
  readonly error_code: string | null;
  readonly input_tokens: string;
  readonly output_tokens: string;
  readonly estimated: boolean;
  readonly cost_nanos: string | null;
}

type Environment = Readonly<Record<string, string>>;

export interface UpstreamSetup {
  readonly provider?: string;
  readonly baseUrl?: string;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly secrets?: readonly string[];
  readonly timeoutMs?: number;
  readonly streamTimeoutMs?: number;
}

export interface ModelSetup extends UpstreamSetup {
  readonly operation?: string;
  readonly upstreamModel?: string;
  readonly price?: object;
  /** Names of models, which must be there. */
  readonly fallbacks?: readonly string[];
}

export interface TestModel {
  readonly name: string;
  readonly upstreamId: string;
  readonly keyIds: readonly string[];
  readonly secret: string;
}

/** A built Weir with a database and a Redis of its own, in front of a simulated provider. */
export class TestGateway {
  private constructor(
    readonly weir: Weir,
    readonly simulator: UpstreamSimulator,
    readonly database: TestDatabase,
    private readonly redis: TestRedis,
    /** A key of an organization of its own that may use every model. */
    readonly key: string,
    readonly keyId: string,
  ) {}

  /** @param toEnvironment settings, which may say where the simulator is: it stands before Weir starts */
  static async start(toEnvironment: Environment | ((simulator: UpstreamSimulator) => Environment) = {}): Promise<TestGateway> {
    const [database, redis, simulator] = await Promise.all([createTestDatabase(), createTestRedis(), new UpstreamSimulator().start()]);
    const environment = typeof toEnvironment === 'function' ? toEnvironment(simulator) : toEnvironment;
    const weir = await Weir.start({ databaseUrl: database.url, redisUrl: redis.url, environment });
    const issued = await addKey(weir);
    return new TestGateway(weir, simulator, database, redis, issued.key, issued.id);
  }

  async stop(): Promise<void> {
    await this.weir.stop();
    await this.simulator.stop();
    await Promise.all([this.database.drop(), this.redis.close()]);
  }

  /** A model with an upstream of its own, so that what one test breaks opens no other test's breaker. */
  async addModel(name: string, setup: ModelSetup = {}): Promise<TestModel> {
    const { operation = 'chat', upstreamModel = `upstream-${name}`, price, secrets = [newProviderKey()] } = setup;
    const upstream = await this.addUpstream(`upstream of ${name}`, { ...setup, secrets });
    await this.addRoute(name, [upstream.id], { operation, upstreamModel, price });
    return { name, upstreamId: upstream.id, keyIds: upstream.keyIds, secret: secrets[0] ?? '' };
  }

  /**
   * Straight into the database, because the admin API takes 120 writes a minute; only keys go through
   * it, which seals them.
   */
  async addUpstream(name: string, setup: UpstreamSetup = {}): Promise<{ id: UpstreamId; keyIds: string[] }> {
    const { provider = 'openai', baseUrl = this.simulator.baseUrl, options = {}, secrets = [], timeoutMs = null, streamTimeoutMs = null } = setup;
    const id = await insertRow.upstream(this.rowStore, { name, provider, baseUrl, options });
    await this.database.query('UPDATE upstreams SET timeout_ms = $2, stream_timeout_ms = $3 WHERE id = $1', [id, timeoutMs, streamTimeoutMs]);
    const keyIds: string[] = [];
    for (const secret of secrets) {
      const key = await this.weir.admin<{ id: string }>('POST', `/upstreams/${id}/keys`, { secret });
      keyIds.push(key.id);
    }
    return { id, keyIds };
  }

  get rowStore(): RowStore {
    return { query: (sql, parameters) => this.database.query(sql, parameters) };
  }

  /** Resolves when the process offers it. The upstreams are tried in the order given. */
  async addRoute(name: string, upstreamIds: readonly string[], { operation = 'chat', upstreamModel = 'm', price, fallbacks = [] }: ModelSetup = {}): Promise<void> {
    // One statement, as the admin API's is one transaction: nobody sees a model with half of its targets.
    await this.database.query(
      `WITH model AS (INSERT INTO models (id, name, operation, price, fallbacks) VALUES (gen_random_uuid(), $1, $2, $3, $6) RETURNING id)
       INSERT INTO model_targets (id, model_id, upstream_id, upstream_model, priority, position)
       SELECT gen_random_uuid(), model.id, target.upstream_id, $5, target.position, target.position
       FROM model, unnest($4::uuid[]) WITH ORDINALITY AS target (upstream_id, position)`,
      [name, operation, price === undefined ? null : JSON.stringify(price), upstreamIds, upstreamModel, fallbacks],
    );
    await waitForModel(this.weir, this.key, name);
  }

  /** The usage rows of a request, in the order of its attempts, once all of them are written. */
  async rows(requestId: string | null, count = 1): Promise<UsageRow[]> {
    if (requestId === null) throw new Error('the answer had no x-request-id');
    return waitFor(
      async () => {
        const rows = await this.database.query<UsageRow>('SELECT * FROM usage_records WHERE request_id = $1 ORDER BY attempt', [requestId]);
        return rows.length >= count ? rows : null;
      },
      { what: `${count} usage rows` },
    );
  }

  async rowCount(): Promise<number> {
    const [{ count }] = await this.database.query<{ count: string }>('SELECT count(*) FROM usage_records');
    return Number(count);
  }

  /** The key of a provider as the pool knows it. */
  async upstreamKey(model: TestModel, index = 0): Promise<{ status: string; failure_count: number }> {
    const page = await this.weir.admin<{ data: { id: string; status: string; failure_count: number }[] }>('GET', `/upstreams/${model.upstreamId}/keys`);
    const found = page.data.find(({ id }) => id === model.keyIds[index]);
    if (found === undefined) throw new Error('the upstream has no such key');
    return found;
  }
}

export function newProviderKey(): string {
  return `sk-provider-${randomBytes(18).toString('hex')}`;
}
