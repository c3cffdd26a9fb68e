import { UpstreamSimulator } from '@weir/testing';
import { Redis } from 'ioredis';
import { Client } from 'pg';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type JsonValue } from './control-plane';
import { createTestDatabase, type TestDatabase } from './postgres';
import { createTestRedis, type TestRedis } from './redis';
import { waitFor } from './wait-for';
import { addKey, addModel, addUpstream, waitForModel, Weir, type WeirOptions } from './weir';

/** A dollar in nano-dollars. */
export const USD = 1_000_000_000;

/** What the ledger has of a key, summed by PostgreSQL. */
export interface LedgerSum {
  readonly rows: number;
  readonly requests: number;
  readonly costNanos: number;
}

/** Some Weirs on one database, with or without one Redis, in front of a simulated provider. */
export class MeterScene {
  readonly weirs: Weir[] = [];
  /** Each Weir has its own spool in here; one that is started again finds what it left. */
  readonly dataDirectory = mkdtempSync(join(tmpdir(), 'weir-meter-'));

  private constructor(
    readonly database: Pick<TestDatabase, 'url'>,
    readonly redis: Pick<TestRedis, 'url'> | null,
    readonly simulator: UpstreamSimulator,
    private readonly closers: (() => Promise<unknown>)[],
  ) {}

  /** @param options `diskEach`: as on several machines, none sees the data folder of another */
  static async start(options: { readonly processes?: number; readonly withRedis?: boolean; readonly environment?: WeirOptions['environment']; readonly diskEach?: boolean } = {}): Promise<MeterScene> {
    const database = await createTestDatabase();
    const redis = options.withRedis === false ? null : await createTestRedis();
    const simulator = await new UpstreamSimulator().start();
    const closers = [() => simulator.stop(), () => database.drop(), () => redis?.close() ?? Promise.resolve()];
    const scene = new MeterScene(database, redis, simulator, closers);
    for (let index = 0; index < (options.processes ?? 1); index++) {
      const disk = join(scene.dataDirectory, options.diskEach === true ? String(index) : '');
      await scene.startWeir({ ...options.environment, WEIR_DATA_DIR: disk });
    }
    await scene.whenRedisIsTrusted();
    return scene;
  }

  /** On servers that the test stops and starts. */
  static async startOn(database: { url: string }, redis: { url: string } | null, processes: number, environment: WeirOptions['environment'] = {}): Promise<MeterScene> {
    const simulator = await new UpstreamSimulator().start();
    const scene = new MeterScene(database, redis, simulator, [() => simulator.stop()]);
    for (let index = 0; index < processes; index++) await scene.startWeir(environment);
    await scene.whenRedisIsTrusted();
    return scene;
  }

  /** While its data is young, Redis is not trusted with budgets: another process may not have put back yet what it holds. */
  private async whenRedisIsTrusted(): Promise<void> {
    if (this.redis === null) return;
    const client = new Redis(this.redis.url);
    try {
      await waitFor(
        async () => {
          const [seconds] = await client.time();
          const epochMs = await client.get('weir:epoch');
          return epochMs !== null && Number(seconds) * 1000 - Number(epochMs) > 3_000;
        },
        { what: 'the data of Redis to be old enough' },
      );
    } finally {
      client.disconnect();
    }
  }

  get weir(): Weir {
    return this.weirs[0];
  }

  async startWeir(environment: WeirOptions['environment'] = {}): Promise<Weir> {
    const weir = await Weir.start({ databaseUrl: this.database.url, redisUrl: this.redis?.url, dataDirectory: this.dataDirectory, environment });
    this.weirs.push(weir);
    return weir;
  }

  async stop(): Promise<void> {
    for (const weir of this.weirs) await weir.stop();
    for (const close of this.closers) await close();
    rmSync(this.dataDirectory, { recursive: true, force: true });
  }

  /**
   * A model at the simulator that every Weir offers to the key.
   * @param options of its upstream
   */
  async makeModel(
    name: string,
    price: Readonly<Record<string, unknown>> | null,
    fields: Readonly<Record<string, unknown>> = {},
    options: Readonly<Record<string, unknown>> = {},
  ): Promise<string> {
    const upstream = { name: `upstream of ${name}`, provider: 'openai-compatible', baseUrl: this.simulator.baseUrl, options };
    const { id } = await addUpstream(this.weir, { ...upstream, secrets: ['sk-simulated-0123456789'] });
    return addModel(this.weir, name, [id], { price, ...fields });
  }

  /** A key that every Weir knows, in an organization of its own. */
  async makeKey(model: string, fields: Readonly<Record<string, unknown>> = {}): Promise<{ id: string; key: string; organizationId: string }> {
    const made = await addKey(this.weir, fields);
    for (const weir of this.weirs) await waitForModel(weir, made.key, model);
    return made;
  }

  async query<Row extends object>(sql: string, parameters: unknown[] = []): Promise<Row[]> {
    const client = new Client({ connectionString: this.database.url });
    await client.connect();
    try {
      return (await client.query<Row>(sql, parameters)).rows;
    } finally {
      await client.end();
    }
  }

  /** Every key of Redis, and what is in it. */
  async readRedis(): Promise<string[]> {
    if (this.redis === null) return [];
    const client = new Redis(this.redis.url);
    try {
      const keys = await client.keys('*');
      const values = await Promise.all(keys.map(async (key) => (await client.dumpBuffer(key))?.toString('latin1') ?? ''));
      return [...keys, ...values];
    } finally {
      client.disconnect();
    }
  }

  async sumLedger(keyId: string): Promise<LedgerSum> {
    const [sum] = await this.query<Record<'rows' | 'requests' | 'cost', string>>(
      'SELECT count(*) AS rows, count(DISTINCT request_id) AS requests, coalesce(sum(cost_nanos), 0) AS cost FROM usage_records WHERE key_id = $1',
      [keyId],
    );
    return { rows: Number(sum.rows), requests: Number(sum.requests), costNanos: Number(sum.cost) };
  }

  /** The budgets of a key as `/admin/limits` shows them. */
  async readBudgets(keyId: string): Promise<JsonValue[]> {
    const page = await this.weirs[this.weirs.length - 1].admin<{ data: JsonValue[] }>('GET', `/limits?key_id=${keyId}`);
    return page.data[0]?.budgets ?? [];
  }

  /** Waits until nothing is held any more, and answers what the counter of the key's first budget says is spent. */
  async settledNanos(keyId: string): Promise<number> {
    const budget = await waitFor(
      async () => {
        const [first] = await this.readBudgets(keyId);
        return first !== undefined && Number(first.held_usd) === 0 ? first : null;
      },
      { what: 'nothing to be held any more' },
    );
    return Math.round(Number(budget.spent_usd) * USD);
  }
}
