import { type Redis } from 'ioredis';
import { createTestRedis, startPrivateRedis, type TestRedisServer } from '../../../test/support/redis';
import { waitFor } from '../../../test/support/wait-for';
import { ageEpoch, getGrant, MeterBench, SumSource, toBudget, toDemand, toLease, toPlan, toWindow } from '../test/meter-bench';
import { startRedisProxy } from '../test/redis-proxy';
import { type Meter } from './meter';
import { type BudgetState, type LimitPlan } from './meter-store';

/** For Redis that never answers: a second for each question. */
const IMPATIENT = { longestAdmissionMs: 1_500 };

const bench = new MeterBench();
let url: string;
let redis: Redis;

beforeAll(async () => {
  const shared = await createTestRedis();
  bench.closeLater(() => shared.close());
  ({ url } = shared);
  redis = await bench.connect(url);
  await ageEpoch(redis);
});

afterAll(() => bench.close());

async function readBudget(meter: Meter, plan: LimitPlan): Promise<BudgetState | null> {
  return (await meter.use(plan)).budgets[0];
}

describe('Meter on Redis, among several processes', () => {
  it('admits exactly as many as a budget affords, however many ask at once', async () => {
    const meters = [bench.open(redis), bench.open(await bench.connect(url))];
    const plan = toPlan(toBudget('shared', 1_000));
    const answers = await Promise.all(Array.from({ length: 100 }, async (_, index) => meters[index % 2].admit(plan, toDemand(100))));
    expect(answers.filter(({ admitted }) => admitted)).toHaveLength(10);
    expect(await readBudget(meters[0], plan)).toEqual({ spentNanos: 0, heldNanos: 1_000 });
  });

  it('turns a hold into what was charged, and tells so', async () => {
    const settled: string[] = [];
    const states: BudgetState[] = [];
    const meter = bench.open(redis, { onSettled: (requestId) => settled.push(requestId), onBudget: (_organizationId, _limit, state) => states.push(state) });
    const plan = toPlan(toBudget('settled', 1_000), toLease('settled', 1));
    const grant = getGrant(await meter.admit(plan, toDemand(300)));
    expect(await meter.extend(grant, 200)).toBe(200);
    expect(grant.heldNanos).toBe(500);
    meter.settle(grant, { tokens: 0, nanos: 420 });
    meter.settle(grant, { tokens: 0, nanos: 420 });
    expect(await meter.whenSettled(5_000)).toBe(true);
    expect(settled).toEqual([grant.requestId]);
    expect(states).toEqual([{ spentNanos: 420, heldNanos: 0 }]);
    expect((await meter.admit(plan, toDemand(100))).admitted).toBe(true);
  });

  it('asks the ledger once a process for a missing counter, and counts from there', async () => {
    const source = new SumSource(600);
    const meters = [bench.open(redis, { budgetSource: source }), bench.open(await bench.connect(url), { budgetSource: source })];
    const plan = toPlan(toBudget('seeded', 1_000));
    const answers = await Promise.all(Array.from({ length: 50 }, async (_, index) => meters[index % 2].admit(plan, toDemand(100))));
    expect(answers.filter(({ admitted }) => admitted)).toHaveLength(4);
    expect(source.questions.length).toBeLessThanOrEqual(2);
    expect(source.questions[0]).toMatchObject({ scope: 'key', subject: 'seeded', model: null, fromMs: 0, toMs: null, exceptRequestIds: [] });
  });

  it('waits for the ledger no longer than an admission may take, and uses its late answer for the next request', async () => {
    const source = new SumSource(0);
    let answer: (nanos: number) => void = () => undefined;
    source.answer = () => new Promise((resolve) => (answer = resolve));
    const meter = bench.open(redis, { budgetSource: source, ...IMPATIENT });
    const plan = toPlan(toBudget('slow', 1_000));
    await expect(meter.admit(plan, toDemand(100))).rejects.toMatchObject({ code: 'limits_unavailable', retryAfterMs: 1_000 });
    answer(900);
    await waitFor(async () => (await meter.admit(plan, toDemand(100))).admitted);
    expect(source.questions).toHaveLength(1);
    expect(await readBudget(meter, plan)).toEqual({ spentNanos: 900, heldNanos: 100 });
  });

  it('frees the leases of a process that died after 30 s, and goes on counting its holds until its spool is read', async () => {
    const own = await createTestRedis();
    bench.closeLater(() => own.close());
    const [client, second] = [await bench.connect(own.url), await bench.connect(own.url)];
    await ageEpoch(client);
    const dead = bench.open(client);
    const alive = bench.open(second);
    const plan = toPlan(toLease('dead', 1), toBudget('dead', 1_000));
    const grant = getGrant(await dead.admit(plan, toDemand(700)));
    await dead.close();
    expect(await alive.admit(plan, toDemand(100))).toMatchObject({ admitted: false, refused: { limit: { kind: 'lease' } } });
    // As if 30 s had passed.
    await second.zadd(plan.keys[0], Date.now() - 1, grant.requestId);
    expect(await alive.admit(plan, toDemand(400))).toMatchObject({ admitted: false, refused: { limit: { kind: 'budget' } } });
    const call = { requestId: grant.requestId, organizationId: plan.organizationId, counters: [plan.keys[1]], chargedNanos: 250, heldAtMs: Date.now() };
    await Promise.all([alive.settleRecovered(call), alive.settleRecovered(call), bench.open(await bench.connect(own.url)).settleRecovered(call)]);
    expect(await readBudget(alive, plan)).toEqual({ spentNanos: 250, heldNanos: 0 });
  });
});

describe('Meter on a Redis that is away', () => {
  let server: TestRedisServer;
  beforeAll(async () => {
    server = await startPrivateRedis();
    bench.closeLater(() => server.stop());
  });

  it('does as declared for each control while Redis is stopped, and knows everything again when it is back empty', async () => {
    const client = await bench.connect(server.url);
    await ageEpoch(client);
    const source = new SumSource(200);
    const settled: string[] = [];
    const meter = bench.open(client, { budgetSource: source, onSettled: (requestId) => settled.push(requestId) });
    const windows = toPlan(toWindow('away', 5));
    const budgets = toPlan(toWindow('away-too', 5), toBudget('away', 1_000));
    const [open, ending] = [getGrant(await meter.admit(budgets, toDemand(300))), getGrant(await meter.admit(budgets, toDemand(100)))];
    await waitFor(async () => (await client.exists('weir:processes')) === 1);
    await server.stop();
    await expect(async () => meter.admit(budgets, toDemand(100))).rejects.toMatchObject({ code: 'limits_unavailable', retryAfterMs: 1_000 });
    const answers = await Promise.all(Array.from({ length: 20 }, async () => meter.admit(windows, toDemand())));
    expect(answers.filter(({ admitted }) => admitted)).toHaveLength(5);
    // A refused part takes nothing of the others.
    expect((await meter.peek(toPlan(toWindow('away-too', 5)), toDemand())).states[0].used).toBe(0);
    meter.settle(ending, { tokens: 0, nanos: 60 });
    expect(await meter.extend(open, 10)).toBe(0);
    expect(await meter.whenSettled(20)).toBe(false);
    expect(meter.oldestPendingSettleMs()).toBeGreaterThan(0);
    await server.start();
    await waitFor(() => settled.length === 1);
    expect(settled).toEqual([ending.requestId]);
    expect(await readBudget(meter, budgets)).toEqual({ spentNanos: 260, heldNanos: 300 });
    expect(source.questions.at(-1)?.exceptRequestIds).toEqual(expect.arrayContaining([open.requestId]));
  });

  it('alone, counts budgets by itself where that is declared, from the ledger, and gives what it owes to Redis when it is back', async () => {
    const server = await startPrivateRedis();
    bench.closeLater(() => server.stop());
    const client = await bench.connect(server.url);
    await ageEpoch(client);
    const meter = bench.open(client, { withoutRedis: { budgets: 'local' }, budgetSource: new SumSource(300) });
    await waitFor(() => meter.shared?.processCount === 1);
    const plan = toPlan(toBudget('alone', 1_000));
    await server.stop();
    const grant = getGrant(await waitFor(() => meter.admit(plan, toDemand(700))));
    expect(await meter.admit(plan, toDemand(1))).toMatchObject({ admitted: false });
    meter.settle(grant, { tokens: 0, nanos: 100 });
    expect(meter.isSettling(grant.requestId)).toBe(true);
    await waitFor(async () => (await meter.admit(plan, toDemand(600))).admitted);
    await server.start();
    await waitFor(() => !meter.isSettling(grant.requestId));
  });

  it('puts holds and leases back after FLUSHALL, and grants no money before everybody could', async () => {
    const client = await bench.connect(server.url);
    await ageEpoch(client);
    const meters = [bench.open(client), bench.open(await bench.connect(server.url))];
    const plan = toPlan(toLease('flushed', 3), toBudget('flushed', 1_000));
    const grants = [getGrant(await meters[0].admit(plan, toDemand(400))), getGrant(await meters[1].admit(plan, toDemand(400)))];
    await client.flushall();
    await expect(async () => meters[0].admit(plan, toDemand(400))).rejects.toMatchObject({ code: 'limits_unavailable' });
    await waitFor(async () => (await client.zcard(plan.keys[0])) === 2);
    const answer = await waitFor(() => Promise.resolve(meters[1].admit(plan, toDemand(400))).catch(() => null));
    expect(answer).toMatchObject({ admitted: false, refused: { limit: { kind: 'budget' }, used: 800 } });
    grants.forEach((grant, index) => meters[index].settle(grant, { tokens: 0, nanos: 100 }));
    await Promise.all(meters.map((meter) => meter.whenSettled(5_000)));
    expect(await readBudget(meters[0], plan)).toEqual({ spentNanos: 200, heldNanos: 0 });
  });

  it('remembers what was settled until it is in the ledger', async () => {
    const client = await bench.connect(server.url);
    await ageEpoch(client);
    const source = new SumSource(0);
    const meter = bench.open(client, { budgetSource: source, tellsLanded: true });
    const plan = toPlan(toBudget('unlanded', 1_000));
    const [landed, unlanded] = [getGrant(await meter.admit(plan, toDemand(100))), getGrant(await meter.admit(plan, toDemand(100)))];
    for (const grant of [landed, unlanded]) meter.settle(grant, { tokens: 0, nanos: 70 });
    await meter.whenSettled(5_000);
    meter.landed(landed.requestId);
    source.answer = () => Promise.resolve(70);
    await client.flushall();
    await waitFor(async () => (await readBudget(meter, plan))?.spentNanos === 140);
    expect(source.questions.at(-1)?.exceptRequestIds).toEqual([unlanded.requestId]);
  });

  it('answers in time when Redis hangs, and leaves nothing of what was not answered', async () => {
    const client = await bench.connect(server.url);
    await ageEpoch(client);
    const meter = bench.open(client, IMPATIENT);
    const plan = toPlan(toLease('hung', 3), toBudget('hung', 1_000));
    getGrant(await meter.admit(plan, toDemand(100)));
    const other = await bench.connect(server.url);
    await other.call('CLIENT', 'PAUSE', '4000', 'ALL');
    let isPaused = true;
    const resumed = other.ping().then(() => (isPaused = false));
    const demand = toDemand(500);
    await expect(async () => meter.admit(plan, demand)).rejects.toMatchObject({ code: 'limits_unavailable' });
    expect(isPaused).toBe(true);
    await resumed;
    expect(meter.isSettling(demand.requestId)).toBe(true);
    expect(await meter.whenSettled(10_000)).toBe(true);
    await waitFor(async () => (await readBudget(meter, plan))?.heldNanos === 100);
    expect(await client.zcard(plan.keys[0])).toBe(1);
  });

  it('grants no money on a Redis that has become read-only, and goes on when it takes writes again', async () => {
    const client = await bench.connect(server.url);
    await ageEpoch(client);
    const meter = bench.open(client);
    const plan = toPlan(toBudget('read-only', 1_000));
    const grant = getGrant(await meter.admit(plan, toDemand(100)));
    await client.call('REPLICAOF', '127.0.0.1', '1');
    meter.settle(grant, { tokens: 0, nanos: 50 });
    await expect(async () => meter.admit(plan, toDemand(100))).rejects.toMatchObject({ code: 'limits_unavailable' });
    expect((await meter.admit(toPlan(toWindow('read-only', 5)), toDemand())).admitted).toBe(true);
    await client.call('REPLICAOF', 'NO', 'ONE');
    expect(await meter.whenSettled(10_000)).toBe(true);
    await waitFor(async () => (await meter.admit(plan, toDemand(100))).admitted);
    expect(await readBudget(meter, plan)).toEqual({ spentNanos: 50, heldNanos: 100 });
  });
});

describe('Meter and how many processes there are', () => {
  it('keeps to its share of a limit while Redis is away, among the processes that it last saw', async () => {
    const own = await createTestRedis();
    bench.closeLater(() => own.close());
    for (let count = 0; count < 3; count++) bench.open(await bench.connect(own.url));
    const counter = await bench.connect(own.url);
    await waitFor(async () => (await counter.zcard('weir:processes')) === 3);
    const proxy = await startRedisProxy(own.url);
    bench.closeLater(() => proxy.close());
    const meter = bench.open(await bench.connect(proxy.url), IMPATIENT);
    await waitFor(() => meter.shared?.processCount === 4);
    proxy.silence();
    const answers = await Promise.all(Array.from({ length: 30 }, async () => meter.admit(toPlan(toWindow('share', 30)), toDemand())));
    expect(answers.filter(({ admitted }) => admitted)).toHaveLength(7);
    expect(answers[0].states[0].limit.limit).toBe(7);
  });

  it('takes the making of the first connection for no outage', async () => {
    const own = await createTestRedis();
    bench.closeLater(() => own.close());
    const client = await bench.connect(own.url);
    const events: string[] = [];
    const connecting = client.duplicate();
    bench.closeLater(() => connecting.disconnect());
    const meter = bench.open(connecting, { onAvailability: (available, reason) => events.push(`${available} ${reason}`) });
    await waitFor(async () => (await client.zcard('weir:processes')) === 1);
    expect(meter.admit(toPlan(toWindow('started', 5)), toDemand())).toBeInstanceOf(Promise);
    expect(events).toEqual([]);
  });
});

describe('Meter on a connection that is cut between command and answer', () => {
  it('charges once what was settled without an answer', async () => {
    const proxy = await startRedisProxy(url);
    bench.closeLater(() => proxy.close());
    const meter = bench.open(await bench.connect(proxy.url), IMPATIENT);
    const plan = toPlan(toBudget('cut', 1_000));
    const grants = await Promise.all(Array.from({ length: 5 }, async () => getGrant(await meter.admit(plan, toDemand(100)))));
    proxy.loseAnswers();
    for (const grant of grants) meter.settle(grant, { tokens: 0, nanos: 30 });
    await waitFor(async () => (await redis.hget(plan.keys[0], 's')) === '150');
    proxy.heal();
    expect(await meter.whenSettled(10_000)).toBe(true);
    expect(await readBudget(meter, plan)).toEqual({ spentNanos: 150, heldNanos: 0 });
  });

  it('takes back what was admitted without an answer', async () => {
    const proxy = await startRedisProxy(url);
    bench.closeLater(() => proxy.close());
    const meter = bench.open(await bench.connect(proxy.url), IMPATIENT);
    const plan = toPlan(toBudget('cut-admission', 1_000));
    getGrant(await meter.admit(plan, toDemand(100)));
    proxy.loseAnswers();
    await expect(async () => meter.admit(plan, toDemand(300))).rejects.toMatchObject({ code: 'limits_unavailable' });
    expect(await redis.hget(plan.keys[0], 'h')).toBe('400');
    proxy.heal();
    await waitFor(async () => (await redis.hget(plan.keys[0], 'h')) === '100');
  });

  it('replaces a silent connection and uses Redis again without a restart', async () => {
    const proxy = await startRedisProxy(url);
    bench.closeLater(() => proxy.close());
    const meter = bench.open(await bench.connect(proxy.url), IMPATIENT);
    const plan = toPlan(toWindow('silent', 100));
    expect((await meter.admit(plan, toDemand())).states[0].used).toBe(1);
    proxy.silence();
    expect((await meter.admit(plan, toDemand())).admitted).toBe(true);
    await waitFor(async () => {
      await meter.admit(plan, toDemand());
      return Number(await redis.hget(plan.keys[0], 's')) >= 2;
    });
  });
});
