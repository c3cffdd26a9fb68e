import { systemClock } from '@weir/kernel';
import { type Admission, type LimiterStore, LocalLimiterStore, RedisLimiterStore, toLimitPlan, toRateLimitHeaders } from '@weir/limits';
import { Redis } from 'ioredis';
import { once } from 'node:events';

/**
 * What an admission (a minute and a day window) costs this process, in processor time by the
 * operating system's accounting. `REDIS_URL` names the Redis; without it only the local store is
 * measured. Reports, and asserts nothing.
 */
const KEYS = 200;
const ROUNDS = 5;

const plans = Array.from({ length: KEYS }, (_, key) =>
  toLimitPlan({
    organizationId: `bench-${process.pid}-${key % 20}`,
    keyId: `key-${key}`,
    requestsPerMinute: 1_000_000,
    requestsPerDay: 10_000_000,
    defaultRpm: 0,
    defaultRpd: 0,
  }),
);

/** `together` admissions are asked for in one turn of the event loop, as that many open requests would. */
async function admitAll(store: LimiterStore, total: number, together: number): Promise<void> {
  for (let done = 0; done < total; done += together) {
    const pending: (Admission | Promise<Admission>)[] = [];
    for (let index = 0; index < together; index++) pending.push(store.admit(plans[(done + index) % KEYS]));
    for (const answer of pending) toRateLimitHeaders(answer instanceof Promise ? await answer : answer);
  }
}

async function report(name: string, store: LimiterStore, total: number, together: number): Promise<void> {
  await admitAll(store, total, together);
  const microseconds: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage();
    await admitAll(store, total, together);
    const { user, system } = process.cpuUsage(before);
    microseconds.push((user + system) / total);
  }
  microseconds.sort((one, other) => one - other);
  console.log(`${name.padEnd(34)} ${microseconds[Math.floor(ROUNDS / 2)].toFixed(2).padStart(8)} µs an admission (median of ${ROUNDS})`);
}

async function main(): Promise<void> {
  await report('in-process', new LocalLimiterStore({ clock: systemClock }), 200_000, 1);
  const url = process.env.REDIS_URL;
  if (url === undefined) return;
  const redis = new Redis(url, { enableOfflineQueue: false });
  await once(redis, 'ready');
  const store = new RedisLimiterStore({ redis, clock: systemClock });
  for (const together of [1, 4, 16, 64]) await report(`Redis, ${together} in one turn`, store, 12_800, together);
  await store.close();
  redis.disconnect();
}

void main();
