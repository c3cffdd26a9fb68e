import { systemClock } from '@weir/kernel';
import { Redis } from 'ioredis';
import { once } from 'node:events';
import { createTestRedis, type TestRedis } from '../../../test/support/redis';
import { waitFor } from '../../../test/support/wait-for';
import { type Admission } from './admission';
import { DAY_MS, type LimitPlan, makeLimitPlan, MINUTE_MS } from './limit-plan';
import { describeLimiterContract } from './limiter-contract';
import { RedisLimiterStore, type RedisLimiterOptions } from './redis-limiter-store';
import { toLimitPlan } from './to-limit-plan';

/** Closed in this order: a client whose server goes first keeps a timer of two seconds. */
const closing: Record<'stores' | 'clients' | 'servers', (() => unknown)[]> = { stores: [], clients: [], servers: [] };

async function connectTo(url: string): Promise<Redis> {
  const redis = new Redis(url, { enableOfflineQueue: false });
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

describe('RedisLimiterStore', () => {
  let nowMs = 0;
  let first: RedisLimiterStore;
  let second: RedisLimiterStore;
  beforeAll(async () => {
    first = open(redis, { scriptNowMs: () => nowMs });
    second = open(await connectTo(shared.url), { scriptNowMs: () => nowMs });
  });

  describeLimiterContract('Redis', () => ({
    first,
    second,
    setNowMs: (value) => {
      nowMs = value;
    },
  }));
});

describe('RedisLimiterStore on a healthy Redis', () => {
  it('goes by the clock of Redis when no other is given', async () => {
    const limits = planFor('redis-clock');
    const before = Date.now();
    const answer = await open(redis).admit(limits);
    const head = Number(await redis.hget(limits.keys[0], 'h'));
    expect(answer.admitted).toBe(true);
    expect(Math.abs(head * 1_000 - before)).toBeLessThan(10_000);
  });

  it('puts an organization into one slot of a cluster, under the documented names', async () => {
    const limits = toLimitPlan({ organizationId: '0193-org', keyId: '0193-key', requestsPerMinute: null, requestsPerDay: 5, defaultRpm: 60, defaultRpd: 1000 });
    expect(limits.keys).toEqual(['rate_limit:{0193-org}:key:0193-key:requests_per_minute', 'rate_limit:{0193-org}:key:0193-key:requests_per_day']);
    const others = makeLimitPlan('0193-org', [{ scope: 'model', name: 'requests_per_day', subject: 'a{b}c', windowMs: DAY_MS, limit: 1 }]);
    expect(new Set([...limits.keys, ...others.keys].map(toClusterSlot)).size).toBe(1);
    expect(toClusterSlot('rate_limit:{another}:key:k:requests_per_minute')).not.toBe(toClusterSlot(limits.keys[0]));
  });

  it('leaves keys that expire by themselves, soon after the window has passed', async () => {
    const limits = planFor('expiry');
    await open(redis).admit(limits);
    const expiresInMs = await redis.pttl(limits.keys[0]);
    expect(expiresInMs).toBeGreaterThan(MINUTE_MS);
    expect(expiresInMs).toBeLessThanOrEqual(MINUTE_MS + 2 * 1_000);
  });

  it('keeps a saturated window in the compact encoding', async () => {
    let nowMs = 1_763_600_000_000;
    const store = open(redis, { scriptNowMs: () => nowMs });
    const limits = planFor('compact', 1_000_000);
    for (let count = 0; count < 200; count++, nowMs += 1_000) await store.admit(limits, 7);
    expect(await redis.hlen(limits.keys[0])).toBe(64);
    expect(await redis.object('ENCODING', limits.keys[0])).toMatch(/listpack|ziplist/);
  });

  it('sends what one turn of the event loop asks as one command', async () => {
    const store = open(redis);
    await store.admit(planFor('warm'));
    const evalsha = jest.spyOn(redis, 'evalsha');
    try {
      const answers = await Promise.all(Array.from({ length: 50 }, async (_, index) => store.admit(planFor(`turn-${index % 5}`, 4))));
      expect(countAdmitted(answers)).toBe(20);
      expect(evalsha).toHaveBeenCalledTimes(1);
    } finally {
      evalsha.mockRestore();
    }
  });

  it('lets a broken key fail alone: the others of the same command are decided by Redis', async () => {
    const store = open(redis);
    const broken = planFor('broken', 5);
    const sound = planFor('sound', 5);
    await redis.set(broken.keys[0], 'not a hash');
    const answers = await Promise.all([store.admit(sound), store.admit(broken), store.admit(sound)]);
    expect(answers.map((answer) => answer.windows[0].used)).toEqual([1, 1, 2]);
    expect(await redis.hget(sound.keys[0], 's')).toBe('2');
    expect((await store.peek(sound)).windows[0].used).toBe(2);
  });

  it('counts the processes that share it, and no longer those that left', async () => {
    const own = await createTestRedis();
    closing.servers.push(() => own.close());
    const stores = [];
    for (let count = 0; count < 3; count++) stores.push(open(await connectTo(own.url)));
    const counter = await connectTo(own.url);
    await waitFor(async () => (await counter.zcard('weir:processes')) === 3);
    await stores[0].close();
    expect(await counter.zcard('weir:processes')).toBe(2);
    await counter.zadd('weir:processes', 1, 'died-long-ago', Date.now() + 3_600_000, 'wrote-before-the-clock-went-back');
    const last = open(await connectTo(own.url));
    await waitFor(() => last.processCount === 3);
    expect(await counter.zcard('weir:processes')).toBe(3);
  });
});

/** The slot of a key as the cluster specification computes it: CRC16 (XMODEM) of the hash tag. */
function toClusterSlot(key: string): number {
  const tag = /\{([^}]+)\}/.exec(key);
  let crc = 0;
  for (const byte of Buffer.from(tag === null ? key : tag[1])) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
  }
  return crc % 16_384;
}
