import { setTimeout as sleep } from 'node:timers/promises';
import { respond } from '@weir/testing';
import Redis from 'ioredis';
import { chat, type ChatAnswer, openChat, repeat } from './support/chat';
import { MeterScene, USD } from './support/meter-scene';
import { startPrivatePostgres, type TestPostgres } from './support/postgres';
import { startPrivateRedis, type TestRedisServer } from './support/redis';
import { waitFor } from './support/wait-for';

const MODEL = 'priced';
const CENT = USD / 100;

const statuses = (answers: readonly ChatAnswer[]): number[] => [...new Set(answers.map(({ status }) => status))].sort();
const count = (answers: readonly ChatAnswer[], status: number): number => answers.filter((answer) => answer.status === status).length;

let postgres: TestPostgres;
let redis: TestRedisServer;
let scene: MeterScene;

beforeAll(async () => {
  postgres = await startPrivatePostgres({ migrated: true });
  redis = await startPrivateRedis();
  scene = await MeterScene.startOn(postgres, redis, 2);
  await scene.makeModel(MODEL, { per_request_usd: '0.01' });
});
afterAll(async () => {
  await scene.stop();
  await redis.stop();
  await postgres.destroy();
});
beforeEach(() => scene.simulator.reset());

async function flushRedis(): Promise<void> {
  const client = new Redis(redis.url);
  await client.flushall();
  client.disconnect();
}

const weirOf = (index: number) => scene.weirs[index % scene.weirs.length];

describe('when Redis loses all its data', () => {
  it('under load: what was spent is counted from the ledger, what is held is put back, and the budget holds', async () => {
    const { id, key } = await scene.makeKey(MODEL, { budgets: [{ amount_usd: '0.3', period: 'month' }] });
    expect(statuses(await repeat(10, (index) => chat(weirOf(index), key, MODEL)))).toEqual([200]);
    // Ten more are under way when the data goes.
    scene.simulator.default(respond.never());
    const leaving = new AbortController();
    const open = repeat(10, (index) => openChat(weirOf(index), key, MODEL, { signal: leaving.signal }).catch(() => null));
    await scene.simulator.waitForCalls(20);
    scene.simulator.default(respond.echo());
    await flushRedis();
    let admitted = 0;
    await waitFor(async () => {
      const answers = await repeat(20, (index) => chat(weirOf(index), key, MODEL));
      admitted += count(answers, 200);
      expect(statuses(answers).every((status) => [200, 429, 503].includes(status))).toBe(true);
      return admitted > 0 && count(answers, 429) === 20;
    });
    expect(admitted).toBe(10);
    leaving.abort();
    await open;
    // The ten that were left before their answer are charged for their prompt, and here that is the request.
    const sum = await waitFor(async () => {
      const found = await scene.sumLedger(id);
      return found.rows >= 30 ? found : null;
    });
    expect(sum).toEqual({ rows: 30, requests: 30, costNanos: 30 * CENT });
    expect(await scene.settledNanos(id)).toBe(30 * CENT);
  });
});

describe('when Redis is away', () => {
  it('refuses what is under a budget and serves the rest; open calls settle when it is back, without a restart', async () => {
    const { id, key } = await scene.makeKey(MODEL, { budgets: [{ amount_usd: 1, period: 'month' }] });
    const unlimited = await scene.makeKey(MODEL, { limits: { rpm: 1000, concurrency: 100, tpm: 1_000_000 } });
    expect((await chat(weirOf(0), key, MODEL)).status).toBe(200);
    const answers = await repeat(4, (index) => openChat(weirOf(index), key, MODEL, { stream: true }));
    await redis.stop();
    await Promise.all(answers.map((answer) => answer.text()));
    const refused = await chat(weirOf(0), key, MODEL);
    expect([refused.status, refused.body.error.code]).toEqual([503, 'limits_unavailable']);
    await waitFor(async () => (await weirOf(0).metrics()).includes('\nweir_limiter_shared 0\n'), { what: 'the metric to say that Redis is away' });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(statuses(await repeat(10, (index) => chat(weirOf(index), unlimited.key, MODEL)))).toEqual([200]);
    await redis.start();
    await waitFor(async () => (await chat(weirOf(0), key, MODEL)).status === 200);
    await waitFor(async () => (await weirOf(0).metrics()).includes('\nweir_limiter_shared 1\n'), { what: 'the metric to say that Redis is back' });
    await waitFor(async () => (await scene.settledNanos(id)) === (await scene.sumLedger(id)).costNanos);
    expect((await scene.sumLedger(id)).costNanos).toBe(6 * CENT);
  });
});

describe('when PostgreSQL is away for a minute', () => {
  it('answers 99.9 % of the calls, and every row is there within a minute after', async () => {
    const { id, key } = await scene.makeKey(MODEL, { limits: { rpm: 100_000, concurrency: 1000 }, budgets: [{ amount_usd: 1000, period: 'month' }] });
    expect((await chat(weirOf(0), key, MODEL)).status).toBe(200);
    await postgres.stop();
    const untilMs = performance.now() + 60_000;
    const answers: ChatAnswer[] = [];
    while (performance.now() < untilMs) {
      answers.push(...(await repeat(20, (index) => chat(weirOf(index), key, MODEL, { stream: index % 2 === 0 }))));
      // Traffic, not a load test: other suites use the machine as well.
      await sleep(50);
    }
    const failed = answers.length - count(answers, 200);
    expect(failed / answers.length).toBeLessThanOrEqual(0.001);
    await postgres.start();
    const sum = await waitFor(
      async () => {
        const found = await scene.sumLedger(id);
        return found.rows >= 1 + count(answers, 200) ? found : null;
      },
      { what: 'every row', intervalMs: 200 },
    );
    expect(sum).toEqual({ rows: 1 + count(answers, 200), requests: 1 + count(answers, 200), costNanos: (1 + count(answers, 200)) * CENT });
    expect(await scene.settledNanos(id)).toBe(sum.costNanos);
  });
});
