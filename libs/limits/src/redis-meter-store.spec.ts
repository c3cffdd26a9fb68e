import { Redis } from 'ioredis';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { createTestRedis, type TestRedis } from '../../../test/support/redis';
import { DAY_MS, MINUTE_MS } from './limit-plan';
import { describeMeterContract } from './meter-contract';
import { admit, budgetOf, demand, granted, leasesOf, newSubject, peek, planOf, requestsOf, seed, settled, tokensOf, totalOf, USD } from './meter-harness';
import { type Admission, type LimitPlan } from './meter-store';
import { RedisMeterStore, type RedisMeterOptions } from './redis-meter-store';

/** Closed in this order: a client whose server goes first keeps a timer of two seconds. */
const closing: Record<'clients' | 'servers', (() => unknown)[]> = { clients: [], servers: [] };

async function connectTo(url: string): Promise<Redis> {
  const redis = new Redis(url, { enableOfflineQueue: false });
  redis.on('error', () => undefined);
  closing.clients.push(() => redis.disconnect());
  if (redis.status !== 'ready') await once(redis, 'ready');
  return redis;
}

function open(options: Partial<RedisMeterOptions> = {}): RedisMeterStore {
  return new RedisMeterStore({ redis, timeoutMs: 10_000, ...options });
}

function planFor(subject: string, limit = 10): LimitPlan {
  return planOf(requestsOf(subject, limit));
}

/** Every kind of limit. */
function wholePlan(subject = newSubject()): LimitPlan {
  return planOf(requestsOf(subject, 100), requestsOf(subject, 100, DAY_MS), tokensOf(subject, 10_000), leasesOf(subject, 50), budgetOf(subject, 100 * USD));
}

/** How many keys each command of the script declared. */
function toKeyCounts(calls: readonly (readonly unknown[])[]): number[] {
  return calls.map(([, words]) => (Array.isArray(words) ? Number(words[1]) : NaN));
}

let shared: TestRedis;
let redis: Redis;

beforeAll(async () => {
  shared = await createTestRedis();
  redis = await connectTo(shared.url);
});

afterAll(async () => {
  for (const close of [...closing.clients, ...closing.servers]) await close();
  await shared.close();
});

describe('RedisMeterStore', () => {
  let nowMs = 0;
  let first: RedisMeterStore;
  let second: RedisMeterStore;
  beforeAll(async () => {
    first = open({ scriptNowMs: () => nowMs });
    second = open({ redis: await connectTo(shared.url), scriptNowMs: () => nowMs });
  });

  describeMeterContract('Redis', () => ({
    first,
    second,
    setNowMs: (value) => {
      nowMs = value;
    },
  }));
});

describe('RedisMeterStore in Redis', () => {
  it('goes by the clock of Redis when no other is given', async () => {
    const plan = wholePlan();
    await seed(open(), plan, 0);
    const before = Date.now();
    const grant = await granted(open(), plan, demand({ tokens: 5 }));
    const head = Number(await redis.hget(plan.keys[0], 'h'));
    expect(Math.abs(head * 1_000 - before)).toBeLessThan(10_000);
    expect(Math.abs(Number(await redis.zscore(plan.keys[3], grant.requestId)) - before - 30_000)).toBeLessThan(10_000);
    expect(Math.abs(Number(await redis.zscore(`${plan.keys[4]}:holds`, grant.requestId)) - before - 60_000)).toBeLessThan(10_000);
  });

  it('keeps a budget under the documented fields, in digits that stay exact', async () => {
    const store = open();
    const plan = planOf(totalOf(newSubject(), 4e15));
    await seed(store, plan, 3_000_000_000_000_000);
    const grant = await granted(store, plan, demand({ leastNanos: 999_999_999_999_999 }));
    expect(await redis.hgetall(plan.keys[0])).toEqual({ s: '3000000000000000', h: '999999999999999', [`@${grant.requestId}`]: '999999999999999' });
    await settled(store, grant, 999_999_999_999_999);
    expect(await redis.hgetall(plan.keys[0])).toEqual({ s: '3999999999999999', h: '0' });
    expect(await redis.exists(`${plan.keys[0]}:holds`)).toBe(0);
  });

  it('leaves nothing of an ended call but windows and what was spent', async () => {
    const store = open();
    const plan = wholePlan('ended');
    await seed(store, plan, 0);
    const grant = await granted(store, plan, demand({ tokens: 5, leastNanos: USD }));
    const during = await redis.keys('rate_limit:*:ended:*');
    expect(during.sort()).toEqual([...plan.wire.keys].sort());
    await settled(store, grant, USD);
    expect((await redis.keys('rate_limit:*:ended:*')).sort()).toEqual(plan.keys.filter((_, index) => index !== 3).sort());
  });

  it('leaves keys that expire by themselves: windows and leases soon, budgets two days after their span', async () => {
    const store = open();
    const toMs = Date.now() + DAY_MS;
    const subject = newSubject();
    const plan = planOf(
      requestsOf(subject, 5),
      tokensOf(subject, 5),
      leasesOf(subject, 5),
      budgetOf(subject, USD, { span: { name: 'day:x', fromMs: 0, toMs } }),
    );
    await seed(store, plan, 0);
    await granted(store, plan, demand({ tokens: 1 }));
    const [requests, tokens, open_, leases, budget, holds] = await Promise.all(plan.wire.keys.map((key) => redis.pttl(key)));
    for (const windowMs of [requests, tokens]) {
      expect(windowMs).toBeGreaterThan(MINUTE_MS);
      expect(windowMs).toBeLessThanOrEqual(MINUTE_MS + 2 * 1_000);
    }
    expect(open_).toBeLessThanOrEqual(3_600_000);
    expect(leases).toBeLessThanOrEqual(30_000);
    for (const budgetMs of [budget, holds]) expect(Math.abs(budgetMs - 3 * DAY_MS)).toBeLessThan(10_000);
    for (const ttlMs of [requests, tokens, open_, leases]) expect(ttlMs).toBeGreaterThan(0);
  });

  it('keeps a total for ever, also one whose hold was put back, and forgets a mere mark within a minute', async () => {
    const store = open();
    const plan = planOf(totalOf(newSubject(), USD));
    await store.listHolds('organization', plan.keys[0]);
    expect(await redis.pttl(plan.keys[0])).toBeLessThanOrEqual(60_000);
    expect(await redis.pttl(plan.keys[0])).toBeGreaterThan(0);
    await store.restore([{ plan, requestId: 'restored', tokens: 0, buckets: [0], heldNanos: 5 }]);
    expect(await redis.pttl(plan.keys[0])).toBe(-1);
    expect(await redis.pttl(`${plan.keys[0]}:holds`)).toBe(-1);
    await seed(store, plan, 0);
    expect(await redis.pttl(plan.keys[0])).toBe(-1);
  });

  it('keeps a saturated window in the compact encoding', async () => {
    let nowMs = 1_763_600_000_000;
    const store = open({ scriptNowMs: () => nowMs });
    const plan = planFor(newSubject(), 1_000_000);
    for (let count = 0; count < 200; count++, nowMs += 1_000) await admit(store, plan, demand({ requests: 7 }));
    expect(await redis.hlen(plan.keys[0])).toBe(64);
    expect(await redis.object('ENCODING', plan.keys[0])).toMatch(/listpack|ziplist/);
  });

  it('folds thousands of holds of dead processes', async () => {
    let nowMs = 1_763_600_000_000;
    const store = open({ scriptNowMs: () => nowMs });
    const plan = planOf(totalOf(newSubject(), 1_000_000));
    await seed(store, plan, 0);
    await Promise.all(Array.from({ length: 9_000 }, async () => granted(store, plan, demand({ leastNanos: 1 }))));
    nowMs += 61_000;
    expect(await store.readBudgets(plan)).toEqual([{ spentNanos: 9_000, heldNanos: 0 }]);
    expect((await store.listHolds('organization', plan.keys[0]))?.requestIds).toHaveLength(9_000);
    nowMs += 3_600_000;
    expect(await store.readBudgets(plan)).toEqual([{ spentNanos: 9_000, heldNanos: 0 }]);
    expect(await redis.hgetall(plan.keys[0])).toEqual({ s: '9000', h: '0' });
  });

  it('needs no key that it does not declare, so that a cluster can route it', async () => {
    const plan = planOf(...wholePlan().limits, tokensOf('a{b}c', 5, 'model'));
    expect(new Set(plan.wire.keys.map(toClusterSlot)).size).toBe(1);
    expect(toClusterSlot('rate_limit:{another}:key:k:requests_per_minute')).not.toBe(toClusterSlot(plan.keys[0]));
  });
});

describe('RedisMeterStore on the wire', () => {
  it('sends what one turn of the event loop asks as one command, in the order in which it was asked', async () => {
    const store = open();
    const plan = planOf(leasesOf(newSubject(), 1));
    const grant = await granted(store, plan);
    const evalsha = jest.spyOn(redis, 'callBuffer');
    try {
      const before = store.peek(plan, demand());
      const ended = store.settle(grant, { tokens: 0, nanos: 0 });
      const after = store.admit(plan, demand());
      expect(await before).toMatchObject({ admitted: false });
      expect(await ended).toEqual([]);
      expect(await after).toMatchObject({ admitted: true });
      expect(evalsha).toHaveBeenCalledTimes(1);
    } finally {
      evalsha.mockRestore();
    }
  });

  it('settles in the command of the next admission, and soon without one', async () => {
    const store = open();
    const plan = planOf(leasesOf(newSubject(), 2));
    const [one, other] = [await granted(store, plan), await granted(store, plan)];
    const evalsha = jest.spyOn(redis, 'callBuffer');
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'clearImmediate', 'queueMicrotask', 'Date', 'performance', 'hrtime', 'setInterval', 'clearInterval'] });
    try {
      const ended = store.settle(one, { tokens: 0, nanos: 0 });
      await new Promise(setImmediate);
      expect(evalsha).not.toHaveBeenCalled();
      expect((await admit(store, plan)).admitted).toBe(true);
      expect(await ended).toEqual([]);
      expect(evalsha).toHaveBeenCalledTimes(1);
      const alone = store.settle(other, { tokens: 0, nanos: 0 });
      jest.advanceTimersByTime(4);
      expect(await alone).toEqual([]);
      expect(evalsha).toHaveBeenCalledTimes(2);
    } finally {
      jest.useRealTimers();
      evalsha.mockRestore();
    }
  });

  it('shares limits among many of one turn exactly, in few commands', async () => {
    const store = open();
    await admit(store, planFor('warm'));
    const evalsha = jest.spyOn(redis, 'callBuffer');
    try {
      const answers = await Promise.all(Array.from({ length: 300 }, async (_, index) => admit(store, planFor(`turn-${index % 5}`, 4))));
      expect(answers.filter((answer) => answer.admitted)).toHaveLength(20);
      expect(evalsha.mock.calls.length).toBeLessThanOrEqual(5);
    } finally {
      evalsha.mockRestore();
    }
  });

  it('says the keys of a plan once, whatever is asked of it in a turn', async () => {
    const store = open();
    const plans = [wholePlan(), wholePlan()];
    for (const plan of plans) await seed(store, plan, 0);
    const before = await Promise.all(plans.map((plan) => granted(store, plan, demand({ tokens: 5, leastNanos: 3 }))));
    const evalsha = jest.spyOn(redis, 'callBuffer');
    try {
      const settling = before.map((grant) => store.settle(grant, { tokens: 2, nanos: 1 }));
      const grants = await Promise.all([...plans, ...plans].map((plan) => granted(store, plan, demand({ tokens: 7, leastNanos: 10 }))));
      expect(await Promise.all(settling)).toEqual([[{ spentNanos: 1, heldNanos: 0 }], [{ spentNanos: 1, heldNanos: 0 }]]);
      expect(toKeyCounts(evalsha.mock.calls)).toEqual([plans.reduce((sum, { wire }) => sum + wire.keys.length, 0)]);
      evalsha.mockClear();
      await Promise.all(grants.map((grant) => settled(store, grant, 4)));
      expect(toKeyCounts(evalsha.mock.calls)).toEqual([plans.reduce((sum, { wire }) => sum + wire.grantKeys.length, 0)]);
      for (const plan of plans) expect((await peek(store, plan)).states.map(({ used }) => used)).toEqual([3, 3, 16, 0, 9]);
    } finally {
      evalsha.mockRestore();
    }
  });

  it.each(['before', 'after'])('finds the keys of a settlement that was asked %s the admission, also where others lie between them', async (order) => {
    const store = open();
    const [subject, other] = [newSubject(), newSubject()];
    const plan = planOf(requestsOf(subject, 9), tokensOf(subject, 100), requestsOf(other, 9), leasesOf(other, 9), budgetOf(other, USD));
    const whole = wholePlan();
    for (const one of [plan, whole]) await seed(store, one, 0);
    const plans = [plan, whole];
    const grants = await Promise.all(plans.map((one) => granted(store, one, demand({ tokens: 8, leastNanos: 3 }))));
    const settle = (): Promise<unknown>[] => grants.map((grant) => store.settle(grant, { tokens: 2, nanos: 1 }));
    const early = order === 'before' ? settle() : [];
    const admitted = plans.map(async (one) => store.admit(one, demand({ tokens: 5, leastNanos: 10 })));
    const states = [{ spentNanos: 1, heldNanos: order === 'before' ? 0 : 10 }];
    expect(await Promise.all([...early, ...(order === 'before' ? [] : settle())])).toEqual([states, states]);
    expect(await Promise.all(admitted)).toMatchObject([{ admitted: true }, { admitted: true }]);
    expect((await peek(store, plan)).states.map(({ used }) => used)).toEqual([2, 7, 2, 1, 11]);
    expect((await peek(store, whole)).states.map(({ used }) => used)).toEqual([2, 2, 7, 1, 11]);
  });

  it('says the keys of the same question once, however often it is asked in a turn, and counts each time', async () => {
    const store = open();
    const busy = planOf(requestsOf(newSubject(), 5), requestsOf(newSubject(), 100, DAY_MS));
    const other = planFor(newSubject());
    const evalsha = jest.spyOn(redis, 'callBuffer');
    try {
      const plans = [other, busy, busy, busy, busy, other, busy, busy, busy];
      const answers = await Promise.all(plans.map((plan) => admit(store, plan)));
      expect(answers.map(({ admitted }) => admitted)).toEqual([true, true, true, true, true, true, true, false, false]);
      expect(answers.map(({ states }) => states[0].used)).toEqual([1, 1, 2, 3, 4, 2, 5, 5, 5]);
      expect(toKeyCounts(evalsha.mock.calls)).toEqual([3]);
      expect([(await peek(store, busy)).states[1].used, (await peek(store, other)).states[0].used]).toEqual([5, 2]);
    } finally {
      evalsha.mockRestore();
    }
  });

  it.each(['window', 'token', 'lease', 'budget', 'holds'])('lets a broken %s fail alone: the others of the same command are decided', async (kind) => {
    const store = open();
    const broken = wholePlan(`broken-${kind}`);
    const sound = wholePlan(`sound-${kind}`);
    await seed(store, broken, 0);
    await seed(store, sound, 0);
    const key = { window: broken.keys[0], token: broken.keys[2], lease: broken.keys[3], budget: broken.keys[4], holds: `${broken.keys[4]}:holds` }[kind];
    await redis.set(key ?? '', 'of another type');
    const answers = await Promise.all([broken, sound, broken, sound].map(async (plan) => store.admit(plan, demand())));
    expect(answers.map((answer) => answer === null)).toEqual([true, false, true, false]);
    expect((await peek(store, sound)).states[0].used).toBe(2);
  });

  it('goes on by itself after SCRIPT FLUSH, under load, and counts everything once', async () => {
    const troubles: string[] = [];
    const store = open({ onTrouble: (reason) => troubles.push(reason) });
    const plan = wholePlan();
    const flooded = planOf(...plan.limits.map((limit) => (limit.kind === 'budget' ? limit : { ...limit, limit: 1_000_000 })));
    await seed(store, flooded, 0);
    const asked: Promise<Admission>[] = [];
    for (let round = 0; round < 60; round++) {
      for (let count = 0; count < 10; count++) asked.push(admit(store, flooded));
      if (round % 10 === 3) await redis.script('FLUSH');
      else await new Promise(setImmediate);
    }
    expect((await Promise.all(asked)).filter((answer) => answer.admitted)).toHaveLength(600);
    expect((await peek(store, flooded)).states.map((state) => state.used)).toEqual([600, 600, 0, 600, 0]);
    expect(troubles).toEqual([]);
  });

  it('says when what must be on record could not be written, and sends no admission', async () => {
    let isWritable = false;
    let asked = 0;
    const store = open({ beforeSend: () => (asked++, isWritable) });
    const plan = planOf(leasesOf(newSubject(), 5));
    const answers = await Promise.all([store.admit(plan, demand()), store.admit(plan, demand()), store.peek(plan, demand())]);
    expect(answers).toMatchObject([null, null, { admitted: true }]);
    expect(asked).toBe(1);
    isWritable = true;
    expect(await store.admit(plan, demand())).toMatchObject({ admitted: true });
    await store.renew([]);
    expect((await peek(store, plan)).states[0].used).toBe(1);
    expect(asked).toBe(2);
  });
});

describe('RedisMeterStore when Redis does not answer', () => {
  /** Accepts and answers `answer` to everything after the handshake; null: nothing ever. */
  async function openAgainst(answer: string | null, troubles: string[]): Promise<RedisMeterStore> {
    const sockets = new Set<Socket>();
    const server: Server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('data', (data) => {
        if (/evalsha/i.test(data.toString()) && answer !== null) socket.write(answer);
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const client = new Redis({ port, host: '127.0.0.1', enableOfflineQueue: false, enableReadyCheck: false, disableClientInfo: true });
    client.on('error', () => undefined);
    closing.clients.push(() => client.disconnect());
    closing.servers.push(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    await once(client, 'ready');
    return open({ redis: client, timeoutMs: answer === null ? 50 : 10_000, onTrouble: (reason) => troubles.push(reason) });
  }

  it.each([
    ['never answers', null, 'timeout'],
    ['answers with an error', '-READONLY You can not write\r\n', 'READONLY'],
    ['answers with something else', '+OK\r\n', 'reply'],
    ['answers too little', '*2\r\n:0\r\n:1\r\n', 'reply'],
    ['answers texts', '*1\r\n$1\r\n0\r\n', 'reply'],
    ['answers numbers that cannot be exact', '*3\r\n:0\r\n:9223372036854775807\r\n:0\r\n', 'reply'],
  ])('answers null from one that %s', async (_, answer, reason) => {
    const troubles: string[] = [];
    const store = await openAgainst(answer, troubles);
    expect(await Promise.all([store.admit(planFor('nobody'), demand()), store.admit(planFor('nobody'), demand())])).toEqual([null, null]);
    expect(troubles).toEqual([reason]);
  });

  it('answers null to everything else as well', async () => {
    const store = await openAgainst('-LOADING\r\n', []);
    const plan = wholePlan();
    const grant = { plan, requestId: 'id', tokens: 0, buckets: [0, 0, 0, 0, 0], heldNanos: 5 };
    const limit = budgetOf('', USD);
    const answers: Promise<unknown>[] = [
      Promise.resolve(store.peek(plan, demand())),
      store.settle(grant, { tokens: 0, nanos: 0 }),
      store.extend(grant, 1),
      store.renew([grant, grant]),
      store.restore([grant]),
      store.seed('organization', plan.keys[4], limit, 0, false, ''),
      store.listHolds('organization', plan.keys[4]),
      store.readBudgets(plan),
      store.seedWindow('organization', plan.keys[0], MINUTE_MS, []),
    ];
    expect(await Promise.all(answers)).toEqual(answers.map(() => null));
    expect(grant.heldNanos).toBe(5);
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
