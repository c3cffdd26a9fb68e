import { type Budget, type ScopeLimits, systemClock } from '@weir/kernel';
import {
  type Admission,
  type Answer,
  type Demand,
  type Grant,
  type LimitPlan,
  LocalMeterStore,
  type MeterStore,
  RedisMeterStore,
  toLimitPlan,
  pushRateLimitHeaders,
  type Unseeded,
} from '@weir/limits';
import { Redis } from 'ioredis';
import { once } from 'node:events';

/**
 * What the meter costs this process, in processor time by the operating system's accounting:
 * admission alone with a minute and a day window, and admission and settling together with tokens, a
 * concurrency limit and a budget besides. `REDIS_URL` names the Redis; without it only the local store
 * is measured. Reports, and asserts nothing.
 */
const KEYS = 200;
const ROUNDS = 5;
const USD = 1_000_000_000;

const budget: Budget = { amountNanos: 1_000_000 * USD, period: 'total', model: null, alerts: [], resetAtMs: null };
const nothing: ScopeLimits = { requestsPerMinute: null, requestsPerDay: null, tokensPerMinute: null, concurrency: null };
const windows: ScopeLimits = { ...nothing, requestsPerMinute: 1_000_000, requestsPerDay: 10_000_000 };
const everything: ScopeLimits = { ...windows, tokensPerMinute: 1_000_000_000, concurrency: 1_000 };

function makePlans(key: ScopeLimits, budgets: readonly Budget[]): LimitPlan[] {
  return Array.from({ length: KEYS }, (_, index) =>
    toLimitPlan({
      organizationId: `bench-${process.pid}-${index % 20}`,
      keyId: `key-${index}-${budgets.length}`,
      projectId: null,
      modelId: null,
      model: 'any',
      key,
      project: null,
      organization: nothing,
      modelLimits: null,
      budgets: { key: budgets, project: [], organization: [] },
      defaultRpm: 0,
      defaultRpd: 0,
      nowMs: Date.now(),
    }),
  );
}

async function seedAll(store: MeterStore, plans: readonly LimitPlan[]): Promise<void> {
  for (const plan of plans) {
    for (const [index, limit] of plan.limits.entries()) {
      if (limit.kind !== 'budget') continue;
      const holds = await store.listHolds(plan.organizationId, plan.keys[index]);
      await store.seed(plan.organizationId, plan.keys[index], limit, 0, false, holds?.mark ?? '');
    }
  }
}

let requests = 0;
function nextDemand(): Demand {
  const requestId = `0193a1b2-0000-7000-8000-${String(++requests).padStart(12, '0')}`;
  return { requestId, requests: 1, tokens: 700, leastNanos: 1_000_000, mostNanos: 2_000_000 };
}

/** `together` admissions are asked for in one turn of the event loop, as that many open requests would; then their settling. */
async function runAll(store: MeterStore, plans: readonly LimitPlan[], total: number, together: number): Promise<void> {
  let settled: unknown = null;
  for (let done = 0; done < total; done += together) {
    const asked: Answer<Admission | Unseeded>[] = [];
    for (let index = 0; index < together; index++) asked.push(store.admit(plans[(done + index) % KEYS], nextDemand()));
    const grants: Grant[] = [];
    for (const answer of asked) {
      const admission = answer instanceof Promise ? await answer : answer;
      if (admission === null || 'unseeded' in admission || !admission.admitted) throw new Error('not admitted');
      pushRateLimitHeaders([], admission);
      if (admission.grant !== null) grants.push(admission.grant);
    }
    // Nobody waits for it: the next admissions are asked for at once, as new requests come while others end.
    for (const grant of grants) settled = store.settle(grant, { tokens: 300, nanos: 700_000 });
  }
  await settled;
}

async function report(name: string, store: MeterStore, plans: readonly LimitPlan[], total: number, together: number): Promise<void> {
  await seedAll(store, plans);
  await runAll(store, plans, total, together);
  const microseconds: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage();
    await runAll(store, plans, total, together);
    const { user, system } = process.cpuUsage(before);
    microseconds.push((user + system) / total);
  }
  microseconds.sort((one, other) => one - other);
  console.log(`${name.padEnd(52)} ${microseconds[Math.floor(ROUNDS / 2)].toFixed(2).padStart(8)} µs a request (median of ${ROUNDS})`);
}

async function main(): Promise<void> {
  const sets: [string, LimitPlan[]][] = [
    ['admit, two windows', makePlans(windows, [])],
    ['admit + settle, everything', makePlans(everything, [budget])],
  ];
  for (const [name, plans] of sets) await report(`in-process, ${name}`, new LocalMeterStore({ clock: systemClock }), plans, 100_000, 1);
  const url = process.env.REDIS_URL;
  if (url === undefined) return;
  const redis = new Redis(url, { enableOfflineQueue: false });
  await once(redis, 'ready');
  const store = new RedisMeterStore({ redis, timeoutMs: 10_000 });
  for (const [name, plans] of sets) {
    for (const together of [1, 4, 16, 64]) await report(`Redis, ${name}, ${together} in one turn`, store, plans, 12_800, together);
  }
  redis.disconnect();
}

void main();
