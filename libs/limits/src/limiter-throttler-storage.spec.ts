import { type Clock, systemClock } from '@weir/kernel';
import { Redis } from 'ioredis';
import { once } from 'node:events';
import { createTestRedis } from '../../../test/support/redis';
import { LimiterThrottlerStorage } from './limiter-throttler-storage';
import { RedisSharedStore } from './redis-shared-store';

const SECOND_MS = 1_000;

describe.each(['in-process', 'Redis'])('LimiterThrottlerStorage: %s', (where) => {
  let nowMs = 1_763_600_000_000;
  const clock: Clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };
  const cleanUps: (() => unknown)[] = [];
  let storage: LimiterThrottlerStorage;

  beforeAll(async () => {
    if (where === 'in-process') {
      storage = new LimiterThrottlerStorage({ shared: null, clock });
      return;
    }
    const server = await createTestRedis();
    const redis = new Redis(server.url);
    await once(redis, 'ready');
    const shared = new RedisSharedStore({ redis, clock: systemClock, timeoutMs: 10_000, scriptNowMs: () => nowMs });
    storage = new LimiterThrottlerStorage({ shared, clock });
    cleanUps.push(() => shared.close(), () => redis.disconnect(), () => server.close());
  });
  afterAll(async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  });

  it('counts hits, then blocks for as long as the guard asks, in whole seconds', async () => {
    const hit = () => storage.increment('counted', 60 * SECOND_MS, 3, 120 * SECOND_MS, 'sign-in');
    for (let count = 1; count <= 3; count++) {
      expect(await hit()).toMatchObject({ totalHits: count, isBlocked: false, timeToBlockExpire: 0 });
    }
    const blocked = await hit();
    expect(blocked).toMatchObject({ totalHits: 4, isBlocked: true });
    expect(blocked.timeToBlockExpire).toBeGreaterThanOrEqual(120);
    expect(blocked.timeToBlockExpire).toBeLessThanOrEqual(124);
    expect(blocked.timeToExpire).toBeGreaterThanOrEqual(60);
    nowMs += 100 * SECOND_MS;
    const stillBlocked = await hit();
    expect(stillBlocked.isBlocked).toBe(true);
    nowMs += stillBlocked.timeToBlockExpire * SECOND_MS;
    expect(await hit()).toMatchObject({ totalHits: 1, isBlocked: false });
  });

  it('blocks only until the window frees when the guard asks for no block', async () => {
    const hit = () => storage.increment('unblocked', 10 * SECOND_MS, 1, 0, 'default');
    expect(await hit()).toMatchObject({ totalHits: 1, isBlocked: false });
    const refused = await hit();
    expect(refused).toMatchObject({ totalHits: 2, isBlocked: true });
    nowMs += refused.timeToBlockExpire * SECOND_MS;
    expect(await hit()).toMatchObject({ isBlocked: false });
  });

  it('keeps keys and throttlers apart', async () => {
    await storage.increment('apart', SECOND_MS, 1, 0, 'one');
    expect(await storage.increment('apart', SECOND_MS, 1, 0, 'one')).toMatchObject({ isBlocked: true });
    expect(await storage.increment('apart', SECOND_MS, 1, 0, 'two')).toMatchObject({ isBlocked: false });
    expect(await storage.increment('other', SECOND_MS, 1, 0, 'one')).toMatchObject({ isBlocked: false });
  });

  it('lets nobody through a limit of 0', async () => {
    expect(await storage.increment('none', 5 * SECOND_MS, 0, 0, 'default')).toMatchObject({ isBlocked: true, timeToBlockExpire: 5 });
  });
});

describe('LimiterThrottlerStorage without its Redis', () => {
  it('goes on in this process, even where requests would be refused', async () => {
    const redis = new Redis({ host: '127.0.0.1', port: 1, lazyConnect: true, enableOfflineQueue: false });
    const shared = new RedisSharedStore({ redis, clock: systemClock, timeoutMs: 10_000 });
    const storage = new LimiterThrottlerStorage({ shared, clock: systemClock });
    try {
      const hits = [];
      for (let count = 0; count < 3; count++) hits.push((await storage.increment('away', 60_000, 2, 0, 'default')).isBlocked);
      expect(hits).toEqual([false, false, true]);
    } finally {
      await shared.close();
      redis.disconnect();
    }
  });
});
