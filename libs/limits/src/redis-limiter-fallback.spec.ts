import { systemClock } from '@weir/kernel';
import { Redis, type RedisOptions } from 'ioredis';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { createTestRedis, startPrivateRedis, type TestRedis, type TestRedisServer } from '../../../test/support/redis';
import { waitFor } from '../../../test/support/wait-for';
import { type Admission } from './admission';
import { type LimitPlan, makeLimitPlan, MINUTE_MS } from './limit-plan';
import { RedisLimiterStore, type RedisLimiterOptions } from './redis-limiter-store';

/** Closed in this order: a client whose server goes first keeps a timer of two seconds. */
const closing: Record<'stores' | 'clients' | 'servers', (() => unknown)[]> = { stores: [], clients: [], servers: [] };

async function connectTo(url: string, options: RedisOptions = {}): Promise<Redis> {
  const redis = new Redis(url, { enableOfflineQueue: false, retryStrategy: () => 20, ...options });
  redis.on('error', () => undefined);
  closing.clients.push(() => redis.disconnect());
  if (redis.status !== 'ready') await once(redis, 'ready');
  return redis;
}

function open(redis: Redis, options: Partial<RedisLimiterOptions> = {}): RedisLimiterStore {
  const store = new RedisLimiterStore({ redis, clock: systemClock, ...options });
  closing.stores.push(() => store.close());
  return store;
}

function planFor(subject: string, limit = 10): LimitPlan {
  return makeLimitPlan('organization', [{ scope: 'key', name: 'requests_per_minute', subject, windowMs: MINUTE_MS, limit }]);
}

const countAdmitted = (answers: readonly Admission[]): number => answers.filter((answer) => answer.admitted).length;

let shared: TestRedis;
let redis: Redis;

beforeAll(async () => {
  shared = await createTestRedis();
  redis = await connectTo(shared.url);
});

afterAll(async () => {
  for (const close of [...closing.stores, ...closing.clients, ...closing.servers]) await close();
  await shared.close();
});

describe('RedisLimiterStore while the first connection is being made', () => {
  let own: TestRedis;
  let client: Redis;
  let store: RedisLimiterStore;
  const events: string[] = [];
  beforeEach(async () => {
    own = await createTestRedis();
    events.length = 0;
    client = new Redis(own.url, { enableOfflineQueue: false });
    store = new RedisLimiterStore({ redis: client, clock: systemClock, onAvailability: (available, reason) => events.push(`${available} ${reason}`) });
  });
  afterEach(async () => {
    await store.close();
    client.disconnect();
    await own.close();
  });

  it('takes that for no outage', async () => {
    await once(client, 'ready');
    // The first heartbeat is the probe that follows the connection.
    await waitFor(async () => (await client.zcard('weir:processes')) === 1);
    expect(store.admit(planFor('started'))).toBeInstanceOf(Promise);
    expect(events).toEqual([]);
  });

  it('says so when a request comes before it', async () => {
    expect(store.admit(planFor('early'))).toMatchObject({ admitted: true });
    expect(events).toEqual(['false connection']);
    await waitFor(() => events.length === 2);
    expect(events[1]).toBe('true probe');
  });
});

describe('RedisLimiterStore when Redis forgets or goes away', () => {
  let server: TestRedisServer;
  beforeAll(async () => {
    server = await startPrivateRedis();
    closing.servers.push(() => server.stop());
  });

  it('goes on by itself after SCRIPT FLUSH and FLUSHALL under load', async () => {
    const client = await connectTo(server.url);
    const events: string[] = [];
    const store = open(client, { withoutRedis: 'refuse', onAvailability: (available, reason) => events.push(`${available} ${reason}`) });
    const limits = planFor('flushed', 1_000_000);
    const asked: Promise<Admission>[] = [];
    for (let round = 0; round < 60; round++) {
      for (let count = 0; count < 10; count++) asked.push(Promise.resolve(store.admit(limits)));
      if (round % 10 === 3) await client.script('FLUSH');
      else if (round % 10 === 7) await client.flushall();
      else await new Promise(setImmediate);
    }
    expect(countAdmitted(await Promise.all(asked))).toBe(600);
    expect(events).toEqual([]);
  });

  it('answers from this process while Redis is stopped, and from Redis again when it is back', async () => {
    const client = await connectTo(server.url);
    const events: boolean[] = [];
    const store = open(client, { onAvailability: (available) => events.push(available) });
    const limits = planFor('stopped', 5);
    expect((await store.admit(limits)).windows[0].used).toBe(1);
    await server.stop();
    const answers: Admission[] = [];
    for (let count = 0; count < 20; count++) answers.push(await store.admit(limits));
    expect(countAdmitted(answers)).toBe(5);
    expect(store.admit(limits)).toMatchObject({ admitted: false });
    await server.start();
    await waitFor(() => events.at(-1) === true);
    expect((await store.admit(limits)).windows[0]).toMatchObject({ used: 1, remaining: 4 });
    expect(await client.exists(limits.keys[0])).toBe(1);
    expect(events).toEqual([false, true]);
  });

  it('loses no request when the connection is cut under load', async () => {
    const client = await connectTo(server.url);
    const store = open(client);
    const limits = planFor('cut', 1_000_000);
    const killer = await connectTo(server.url);
    const asked: Promise<Admission>[] = [];
    for (let round = 0; round < 40; round++) {
      for (let count = 0; count < 5; count++) asked.push(Promise.resolve(store.admit(limits)));
      if (round % 10 === 5) await killer.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      else await new Promise(setImmediate);
    }
    expect(countAdmitted(await Promise.all(asked))).toBe(200);
  });
});

describe('RedisLimiterStore when Redis hangs', () => {
  /** Accepts and never answers. */
  async function startSilentServer(): Promise<{ url: string; accepted: () => number }> {
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      sockets.push(socket);
    });
    await listen(server);
    closing.servers.push(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return { url: toUrl(server), accepted: () => sockets.length };
  }

  /** Without the client's own handshake questions it takes the silent server for ready. */
  const UNASKING: RedisOptions = { enableReadyCheck: false, disableClientInfo: true };

  it('waits once, for 200 ms, and after that for nothing', async () => {
    const silent = await startSilentServer();
    const client = await connectTo(silent.url, UNASKING);
    const store = open(client);
    const setTimer = jest.spyOn(globalThis, 'setTimeout');
    const first = Array.from({ length: 10 }, () => store.admit(planFor('hanging', 3)));
    expect(first.every((answer) => answer instanceof Promise)).toBe(true);
    expect(countAdmitted(await Promise.all(first.map(async (answer) => answer)))).toBe(3);
    expect(setTimer.mock.calls.filter(([, delayMs]) => delayMs === 200)).toHaveLength(1);
    setTimer.mockRestore();
    expect(store.admit(planFor('hanging', 3))).not.toBeInstanceOf(Promise);
    expect(store.admit(planFor('hanging-other', 3))).toMatchObject({ admitted: true });
  });

  it('refuses with a time to come back when that is what is configured', async () => {
    const silent = await startSilentServer();
    const store = open(await connectTo(silent.url, UNASKING), { withoutRedis: 'refuse', timeoutMs: 20 });
    for (let count = 0; count < 3; count++) {
      await expect(store.admit(planFor('refused'))).rejects.toMatchObject({ code: 'limits_unavailable', retryAfterMs: 1_000 });
    }
  });

  it('replaces the silent connection and uses Redis again without a restart', async () => {
    const proxy = await startProxy(shared.url);
    const client = await connectTo(proxy.url);
    const events: boolean[] = [];
    const store = open(client, { timeoutMs: 50, onAvailability: (available) => events.push(available) });
    const limits = planFor('proxied', 100);
    expect((await store.admit(limits)).windows[0].used).toBe(1);
    proxy.silenceConnections();
    expect((await store.admit(limits)).windows[0].used).toBe(1);
    expect(events).toEqual([false]);
    await waitFor(() => events.at(-1) === true);
    // What timed out may have been taken when the client sent it again: never less than what was admitted.
    expect((await store.admit(limits)).windows[0].used).toBeGreaterThanOrEqual(2);
    expect(await redis.exists(limits.keys[0])).toBe(1);
  });

  it('keeps to its share of the limit, among the processes that it last saw', async () => {
    const own = await createTestRedis();
    closing.servers.push(() => own.close());
    for (let count = 0; count < 3; count++) open(await connectTo(own.url));
    const counter = await connectTo(own.url);
    await waitFor(async () => (await counter.zcard('weir:processes')) === 3);
    const proxy = await startProxy(own.url);
    const store = open(await connectTo(proxy.url), { timeoutMs: 50 });
    await waitFor(() => store.processCount === 4);
    proxy.silenceConnections();
    const answers = await Promise.all(Array.from({ length: 30 }, async () => store.admit(planFor('shared', 30))));
    expect(countAdmitted(answers)).toBe(7);
    expect(answers[0].windows[0].window.limit).toBe(7);
    expect(countAdmitted([await store.admit(planFor('small', 2)), await store.admit(planFor('small', 2))])).toBe(1);
  });
});

interface Proxy {
  readonly url: string;
  /** Those that are open now carry nothing more, in either direction, and stay open. */
  silenceConnections(): void;
}

async function startProxy(targetUrl: string): Promise<Proxy> {
  const target = new URL(targetUrl);
  const pairs: [Socket, Socket][] = [];
  const server = createServer((near) => {
    const far = connect(Number(target.port), target.hostname);
    near.on('error', () => far.destroy());
    far.on('error', () => near.destroy());
    near.pipe(far).pipe(near);
    pairs.push([near, far]);
  });
  await listen(server);
  closing.servers.push(() => {
    for (const socket of pairs.flat()) socket.destroy();
    server.close();
  });
  return {
    url: toUrl(server) + target.pathname,
    silenceConnections: () => {
      for (const [near, far] of pairs) {
        near.unpipe(far);
        far.unpipe(near);
        near.pause();
        far.pause();
      }
    },
  };
}

async function listen(server: Server): Promise<void> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
}

function toUrl(server: Server): string {
  return `redis://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
