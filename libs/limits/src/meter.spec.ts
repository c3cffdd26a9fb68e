import { type Clock } from '@weir/kernel';
import { Redis } from 'ioredis';
import { getGrant, MeterBench, ORGANIZATION, SumSource, toBudget, toDemand, toLease, toPlan, toWindow } from '../test/meter-bench';
import { type DayRequests } from './day-windows';
import { DAY_MS } from './limit-plan';
import { type BudgetState, type Limit } from './meter-store';
import { type Timers } from './timers';

const bench = new MeterBench();
let nowMs = Date.UTC(2026, 10, 21, 12);
const clock: Clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };

afterAll(() => bench.close());

describe('Meter in one process', () => {
  it('answers at once and not with a promise when nothing has to be asked', () => {
    const meter = bench.open(null, { clock });
    expect(meter.admit(toPlan(toWindow('at-once', 1)), toDemand())).toMatchObject({ admitted: true, grant: null });
    expect(meter.admit(toPlan(toWindow('at-once', 1)), toDemand())).toMatchObject({ admitted: false });
    expect(meter.admit(toPlan(), toDemand())).toEqual({ admitted: true, states: [], grant: null });
  });

  it('counts a budget from the ledger first, once for all who wait, and at once from then on', async () => {
    const source = new SumSource(500);
    const meter = bench.open(null, { clock, budgetSource: source });
    const plan = toPlan(toBudget('local', 1_000));
    const answers = await Promise.all(Array.from({ length: 20 }, async () => meter.admit(plan, toDemand(100))));
    expect(answers.filter(({ admitted }) => admitted)).toHaveLength(5);
    expect(source.questions).toHaveLength(1);
    expect(meter.admit(plan, toDemand(100))).toMatchObject({ admitted: false });
  });

  it('grants no money while the ledger cannot be read, and does when it can', async () => {
    const source = new SumSource(0);
    source.answer = () => Promise.reject(new Error('away'));
    const meter = bench.open(null, { clock, budgetSource: source });
    const plan = toPlan(toBudget('unread', 1_000));
    await expect(meter.admit(plan, toDemand(100))).rejects.toMatchObject({ code: 'limits_unavailable', retryAfterMs: 1_000 });
    source.answer = () => Promise.resolve(0);
    expect((await meter.admit(plan, toDemand(100))).admitted).toBe(true);
  });

  it('settles once, and tells what became of the budget', async () => {
    const settled: string[] = [];
    const states: BudgetState[] = [];
    const meter = bench.open(null, { clock, onSettled: (requestId) => settled.push(requestId), onBudget: (_organizationId, _limit, state) => states.push(state) });
    const plan = toPlan(toBudget('once', 1_000), toLease('once', 1));
    const grant = getGrant(await meter.admit(plan, toDemand(300)));
    expect(meter.openCount).toBe(1);
    meter.settle(grant, { tokens: 0, nanos: 120 });
    meter.settle(grant, { tokens: 0, nanos: 120 });
    expect(meter.openCount).toBe(0);
    expect(settled).toEqual([grant.requestId]);
    expect(states).toEqual([{ spentNanos: 120, heldNanos: 0 }]);
    expect((await meter.admit(plan, toDemand(880))).admitted).toBe(true);
  });

  it('counts a call of the process before once: as its hold says, and not also as its row does', async () => {
    const source = new SumSource(0);
    const meter = bench.open(null, { clock, budgetSource: source });
    const plan = toPlan(toBudget('recovered', 1_000));
    source.answer = () => Promise.resolve(source.questions[0].exceptRequestIds.includes('dead') ? 100 : 350);
    await meter.settleRecovered({ requestId: 'dead', organizationId: ORGANIZATION, counters: plan.keys, chargedNanos: 250 });
    expect((await meter.use(plan)).budgets).toEqual([{ spentNanos: 350, heldNanos: 0 }]);
    expect(source.questions).toHaveLength(1);
  });

  it('shows all limits without taking anything, budgets from the ledger', async () => {
    const meter = bench.open(null, { clock, budgetSource: new SumSource(400) });
    const plan = toPlan(toWindow('shown', 5), toLease('shown', 2), toBudget('shown', 1_000));
    for (let count = 0; count < 2; count++) {
      const use = await meter.use(plan);
      expect(use.admission.states.map(({ used }) => used)).toEqual([0, 0, 400]);
      expect(use.budgets).toEqual([{ spentNanos: 400, heldNanos: 0 }]);
    }
  });

  it('remembers the requests of a day over a restart', async () => {
    const day: Limit = { kind: 'window', scope: 'key', name: 'requests_per_day', unit: 'requests', subject: 'restarted', windowMs: DAY_MS, limit: 10 };
    const rows: DayRequests[] = [23, 5, 1].map((hours) => ({ organizationId: ORGANIZATION, scope: 'key', subject: 'restarted', atMs: nowMs - hours * 3_600_000, requests: 3 }));
    const meter = bench.open(null, { clock, windowSource: { readDayRequests: () => toAsync(rows) } });
    expect(await meter.preloadDayWindows()).toBe(1);
    expect(await meter.admit(toPlan(day), toDemand())).toMatchObject({ admitted: true, states: [{ used: 10 }] });
    expect(await meter.admit(toPlan(day), toDemand())).toMatchObject({ admitted: false });
    nowMs += 2 * 3_600_000;
    expect((await meter.admit(toPlan(day), toDemand())).states[0].used).toBe(8);
  });
});

describe('Meter and time', () => {
  it('keeps the leases of long calls alive with a heartbeat, and of no others', async () => {
    let atMs = 0;
    const due: { readonly atMs: number; readonly run: () => void }[] = [];
    const timers: Timers = { after: (delayMs, run) => (due.push({ atMs: atMs + delayMs, run }), () => undefined) };
    const meter = bench.open(null, { clock: { nowMs: () => nowMs + atMs, monotonicMs: () => atMs }, timers });
    const plan = toPlan(toLease('long', 1));
    const grant = getGrant(await meter.admit(plan, toDemand()));
    for (; atMs < 120_000; atMs += 500) {
      for (const timer of due.filter((each) => each.atMs <= atMs)) {
        due.splice(due.indexOf(timer), 1);
        timer.run();
      }
      await new Promise(setImmediate);
    }
    expect(await meter.admit(plan, toDemand())).toMatchObject({ admitted: false });
    meter.settle(grant, { tokens: 0, nanos: 0 });
    expect((await meter.admit(plan, toDemand())).admitted).toBe(true);
  });
});

describe('Meter whose Redis was never there', () => {
  const openAway = (withoutRedis: Parameters<MeterBench['open']>[1] = {}) => {
    const redis = new Redis({ host: '127.0.0.1', port: 1, lazyConnect: true, enableOfflineQueue: false });
    bench.closeLater(() => redis.disconnect());
    return bench.open(redis, { clock, ...withoutRedis });
  };

  it.each([
    ['windows', { limits: 'refuse' } as const, toWindow('refused', 5)],
    ['leases', { concurrency: 'refuse' } as const, toLease('refused', 5)],
    ['budgets', {}, toBudget('refused', 5)],
  ])('refuses %s where that is declared, and takes nothing of what could be kept', async (_, withoutRedis, refusing) => {
    const meter = openAway({ withoutRedis });
    const kept = [toWindow('kept', 5), toLease('kept', 5)].filter(({ kind }) => kind !== refusing.kind);
    await expect(async () => meter.admit(toPlan(...kept, refusing), toDemand())).rejects.toMatchObject({ code: 'limits_unavailable', retryAfterMs: 1_000 });
    const { states } = await meter.peek(toPlan(...kept), toDemand());
    expect(states.map(({ used }) => used)).toEqual(kept.map(() => 0));
  });

  it('keeps windows and leases by itself where that is declared', async () => {
    const meter = openAway();
    const plan = toPlan(toWindow('local', 3), toLease('local', 2));
    const grants = [getGrant(await meter.admit(plan, toDemand())), getGrant(await meter.admit(plan, toDemand()))];
    expect(await meter.admit(plan, toDemand())).toMatchObject({ refused: { limit: { kind: 'lease' } } });
    meter.settle(grants[0], { tokens: 0, nanos: 0 });
    expect((await meter.admit(plan, toDemand())).admitted).toBe(true);
    meter.settle(grants[1], { tokens: 0, nanos: 0 });
    expect(await meter.admit(plan, toDemand())).toMatchObject({ refused: { limit: { kind: 'window' } } });
  });

  it('counts no budget by itself before it has seen how many processes there are, whatever is declared', async () => {
    const meter = openAway({ withoutRedis: { budgets: 'local' }, budgetSource: new SumSource(300) });
    await expect(async () => meter.admit(toPlan(toBudget('declared', 1_000)), toDemand(1))).rejects.toMatchObject({ code: 'limits_unavailable' });
  });
});

async function* toAsync<Row>(rows: readonly Row[]): AsyncGenerator<Row> {
  yield* await Promise.resolve(rows);
}
