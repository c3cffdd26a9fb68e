import { respond, UpstreamSimulator } from '@weir/testing';
import Redis from 'ioredis';
import { Client } from 'pg';
import { chat, type ChatAnswer, chatUntil, repeat } from './support/chat';
import { type JsonValue } from './support/control-plane';
import { createTestDatabase, startPrivatePostgres, type TestDatabase, type TestPostgres } from './support/postgres';
import { startPrivateRedis, type TestRedisServer } from './support/redis';
import { waitFor } from './support/wait-for';
import { addKey, addModel, addUpstream, waitForModel, Weir } from './support/weir';

const MODEL = 'echo';
/** More than a busy machine takes for one question to a Redis that is well. */
const DEPENDENCY_TIMEOUT_MS = '1000';
/** Nobody waits longer than this for a Redis that hangs, on however busy a machine. */
const BOUNDED_MS = 10_000;

let simulator: UpstreamSimulator;

beforeAll(async () => {
  simulator = await new UpstreamSimulator().start();
});

afterAll(() => simulator.stop());

beforeEach(() => simulator.reset());

async function makeModel(weir: Weir, fields: Readonly<Record<string, unknown>>): Promise<{ id: string; key: string }> {
  const { id } = await addUpstream(weir, { name: 'simulator', baseUrl: simulator.baseUrl, secrets: ['sk-simulated'] });
  await addModel(weir, MODEL, [id]);
  const made = await addKey(weir, fields);
  await waitForModel(weir, made.key, MODEL);
  return made;
}

async function health(weir: Weir, path = '/health'): Promise<{ status: number; body: JsonValue }> {
  const response = await fetch(weir.url + path);
  return { status: response.status, body: await response.json() };
}

const statuses = (answers: readonly ChatAnswer[]): number[] => [...new Set(answers.map(({ status }) => status))];
const idsOf = (answers: readonly ChatAnswer[]): (string | null)[] => answers.map(({ headers }) => headers.get('x-request-id'));

describe('without PostgreSQL', () => {
  let postgres: TestPostgres;
  let weir: Weir;
  let made: { id: string; key: string };

  beforeAll(async () => {
    postgres = await startPrivatePostgres({ migrated: true });
    weir = await Weir.start({ databaseUrl: postgres.url });
    made = await makeModel(weir, {});
  });
  afterAll(async () => {
    await weir.stop();
    await postgres.destroy();
  });

  async function storedRequests(): Promise<string[]> {
    const client = new Client({ connectionString: postgres.url });
    await client.connect();
    try {
      const { rows } = await client.query<{ request_id: string }>('SELECT request_id FROM usage_records WHERE key_id = $1', [made.id]);
      return rows.map(({ request_id }) => request_id);
    } finally {
      await client.end();
    }
  }

  it('callers are served as before, and every row of that time is written once it is back', async () => {
    const before = await repeat(10, () => chat(weir, made.key, MODEL));
    await postgres.stop();
    const during = await repeat(100, (index) => chat(weir, made.key, MODEL, { stream: index % 2 === 0 }));
    expect(statuses([...before, ...during])).toEqual([200]);
    const altered = made.key.slice(0, -1) + (made.key.endsWith('x') ? 'y' : 'x');
    expect((await chat(weir, altered, MODEL)).status).toBe(401);

    expect(await health(weir)).toMatchObject({ status: 503, body: { status: 'unhealthy', services: { database: 'unhealthy', redis: 'not_configured' } } });
    expect(await health(weir, '/readyz')).toEqual({ status: 200, body: { status: 'ready' } });
    expect(await health(weir, '/livez')).toEqual({ status: 200, body: { status: 'alive' } });
    expect((await health(weir, '/health/all')).status).toBe(200);
    for (const [method, path, body] of [['GET', '/organizations'], ['GET', '/usage'], ['POST', '/organizations', { name: 'nowhere to go' }]] as const) {
      const refused = await weir.adminResponse(method, path, body);
      expect(refused.status).toBe(503);
      expect(refused.headers.get('retry-after')).toEqual(expect.any(String));
      expect(await refused.json()).toMatchObject({ error: { code: 'database_unavailable' } });
    }

    await postgres.start();
    const after = await repeat(10, () => chat(weir, made.key, MODEL));
    expect(statuses(after)).toEqual([200]);
    const asked = idsOf([...before, ...during, ...after]).sort();
    const stored = await waitFor(
      async () => {
        const rows = await storedRequests();
        return rows.length >= asked.length ? rows : null;
      },
      { what: 'all usage rows' },
    );
    expect(stored.sort()).toEqual(asked);
    await waitFor(async () => (await health(weir)).status === 200, { what: 'health' });
    expect((await weir.adminResponse('GET', '/organizations')).status).toBe(200);
  });

  it('the pool goes on judging by itself: a key refused at the provider while it is away shows so after', async () => {
    const upstream = await addUpstream(weir, { name: 'two keys', baseUrl: simulator.baseUrl, secrets: ['sk-good', 'sk-bad'] });
    await addModel(weir, 'two-keys', [upstream.id]);
    await waitForModel(weir, made.key, 'two-keys');
    await postgres.stop();
    simulator.forKey('sk-bad', respond.openAiError('invalid_api_key'));
    const answers: ChatAnswer[] = [];
    for (let index = 0; index < 10; index += 1) answers.push(await chat(weir, made.key, 'two-keys'));
    expect(statuses(answers)).toEqual([200]);
    expect(simulator.calls.filter((call) => call.key === 'sk-bad')).toHaveLength(1);
    await postgres.start();
    // The snapshot that is read anew does not bring the refused key back.
    await waitFor(async () => (await weir.adminResponse('GET', '/organizations')).status === 200, { what: 'the database' });
    await weir.admin('PATCH', `/upstreams/${upstream.id}`, { weight: 50 });
    await waitFor(async () => (await weir.admin<JsonValue>('GET', `/upstreams/${upstream.id}`)).state.keys.disabled === 1, { what: 'the state in memory' });
    for (let index = 0; index < 6; index += 1) await chat(weir, made.key, 'two-keys');
    expect(simulator.calls.filter((call) => call.key === 'sk-bad')).toHaveLength(1);
    // What could not be stored then is stored now: people see it, and so does the next start.
    await waitFor(
      async () => {
        const view = await weir.admin<JsonValue>('GET', `/upstreams/${upstream.id}/keys/${upstream.keyIds[1]}`);
        return view.status === 'disabled' && view.failure_count === 1;
      },
      { what: 'the status in the database' },
    );
  });

  it('a revocation made right after it is back works within two seconds', async () => {
    const doomed = await addKey(weir);
    await postgres.stop();
    expect((await chat(weir, doomed.key, MODEL)).status).toBe(200);
    await postgres.start();
    const revoked = await waitFor(async () => {
      const response = await weir.adminResponse('DELETE', `/keys/${doomed.id}`);
      return response.ok ? response : null;
    });
    expect(revoked.status).toBe(200);
    await waitFor(async () => (await chat(weir, doomed.key, MODEL)).status === 401, { what: 'the revocation' });
    expect((await chat(weir, made.key, MODEL)).status).toBe(200);
  });
});

describe('without Redis', () => {
  let database: TestDatabase;
  let redis: TestRedisServer;
  let weir: Weir;
  let strict: Weir;
  let made: { id: string; key: string };

  beforeAll(async () => {
    [database, redis] = await Promise.all([createTestDatabase(), startPrivateRedis()]);
    const options = { databaseUrl: database.url, redisUrl: redis.url };
    weir = await Weir.start({ ...options, environment: { DEPENDENCY_TIMEOUT_MS } });
    strict = await Weir.start({ ...options, environment: { DEPENDENCY_TIMEOUT_MS, LIMITS_WITHOUT_REDIS: 'refuse' } });
    made = await makeModel(weir, { limits: { rpm: 100_000, rpd: 0 } });
    await waitForModel(strict, made.key, MODEL);
  });
  afterAll(async () => {
    await Promise.all([weir.stop(), strict.stop()]);
    await redis.stop();
    await database.drop();
  });

  async function onRedis<Value>(use: (client: Redis) => Promise<Value>): Promise<Value> {
    const client = new Redis(redis.url, { retryStrategy: null, lazyConnect: true });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return await use(client);
    } finally {
      client.disconnect();
    }
  }

  /** Each process counts the others at its heartbeat, every five seconds. */
  async function waitUntilBothCountBoth(): Promise<void> {
    const readBeats = async (): Promise<number[]> => {
      const pairs = await onRedis((client) => client.zrange('weir:processes', 0, -1, 'WITHSCORES'));
      return pairs.filter((_, index) => index % 2 === 1).map(Number);
    };
    const lastBeat = await waitFor(async () => {
      const beats = await readBeats();
      return beats.length === 2 ? Math.max(...beats) : null;
    });
    await waitFor(async () => Math.min(...(await readBeats())) >= lastBeat, { what: 'a heartbeat of each process', intervalMs: 100 });
  }

  /** Windows in Redis count again: another process's use is seen. */
  async function waitForSharedWindows(): Promise<void> {
    await waitFor(
      async () => {
        const seen = await Promise.all([weir, strict].map(async (each) => (await chat(each, made.key, MODEL)).headers.get('x-ratelimit-limit-requests')));
        return seen.every((limit) => limit === '100000');
      },
      { what: 'the shared windows' },
    );
  }

  it('requests are answered by windows of the process, and it is used again without a restart', async () => {
    const small = await addKey(weir, { limits: { rpm: 10, rpd: 0 } });
    await waitUntilBothCountBoth();
    await redis.stop();
    expect(statuses(await repeat(50, () => chat(weir, made.key, MODEL)))).toEqual([200]);
    // Two processes share the limit, so each has half of it.
    const answers = await repeat(20, () => chat(weir, small.key, MODEL));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(5);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(15);
    expect(await health(weir)).toMatchObject({ status: 503, body: { services: { database: 'healthy', redis: 'unhealthy' } } });
    expect((await health(weir, '/readyz')).status).toBe(200);
    expect((await weir.adminResponse('GET', '/organizations')).status).toBe(200);
    expect((await weir.adminResponse('POST', '/organizations', { name: 'made without Redis' })).status).toBe(201);
    await redis.start();
    await waitForSharedWindows();
    await waitFor(async () => (await health(weir)).status === 200, { what: 'health' });
    const key = await onRedis((client) => client.keys('rate_limit:*'));
    expect(key.length).toBeGreaterThan(0);
  });

  it('LIMITS_WITHOUT_REDIS=refuse answers 503 limits_unavailable instead, and goes on when it is back', async () => {
    await redis.stop();
    await waitFor(async () => (await chat(strict, made.key, MODEL)).status === 503, { what: 'the refusal' });
    simulator.calls.length = 0;
    const answers = await repeat(10, () => chat(strict, made.key, MODEL));
    expect(statuses(answers)).toEqual([503]);
    expect(answers[0].body.error.code).toBe('limits_unavailable');
    expect(answers[0].headers.get('retry-after')).toBe('1');
    expect(simulator.calls).toHaveLength(0);
    await redis.start();
    await chatUntil(strict, made.key, MODEL, 200);
  });

  it('no request waits long for a Redis that hangs, and it is used again when it goes on', async () => {
    await waitForSharedWindows();
    const pid = Number(/process_id:(\d+)/.exec(await onRedis((client) => client.info('server')))?.[1]);
    process.kill(pid, 'SIGSTOP');
    try {
      const slowest = async (at: Weir, status: number): Promise<number> => {
        const times = await repeat(40, async () => {
          const startedMs = performance.now();
          expect((await chat(at, made.key, MODEL)).status).toBe(status);
          return performance.now() - startedMs;
        });
        return Math.max(...times);
      };
      expect(await slowest(weir, 200)).toBeLessThan(BOUNDED_MS);
      expect(await slowest(strict, 503)).toBeLessThan(BOUNDED_MS);
      expect(await slowest(weir, 200)).toBeLessThan(BOUNDED_MS);
      expect(await health(weir)).toMatchObject({ status: 503, body: { services: { redis: 'unhealthy' } } });
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await chatUntil(strict, made.key, MODEL, 200);
    await waitForSharedWindows();
  });

  it('loses its scripts and all its keys under load, and nobody notices', async () => {
    await waitForSharedWindows();
    let done = false;
    let flushes = 0;
    const flushing = onRedis(async (client) => {
      while (!done) {
        await client.script('FLUSH');
        await client.flushall();
        flushes += 1;
      }
    });
    const answers: ChatAnswer[] = [];
    for (let round = 0; round < 10; round += 1) answers.push(...(await repeat(20, (index) => chat(index % 2 === 0 ? weir : strict, made.key, MODEL))));
    done = true;
    await flushing;
    expect(flushes).toBeGreaterThan(10);
    expect(statuses(answers)).toEqual([200]);
    // Never fell back: the strict process would have refused, and the other shown its share.
    expect(new Set(answers.map(({ headers }) => headers.get('x-ratelimit-limit-requests')))).toEqual(new Set(['100000']));
  });
});
