import { startSharedPostgres, type TestPostgres } from './support/postgres';
import { startSharedRedis, type TestRedisServer } from './support/redis';

declare global {
  var weirTestServers: { postgres: TestPostgres; redis: TestRedisServer } | undefined;
}

/** One real PostgreSQL and one real Redis for the whole run. Without them nothing is tested, so failing here fails the run. */
export default async function globalSetup(): Promise<void> {
  const [postgres, redis] = await Promise.allSettled([startSharedPostgres(), startSharedRedis()]);
  if (postgres.status === 'fulfilled' && redis.status === 'fulfilled') {
    globalThis.weirTestServers = { postgres: postgres.value, redis: redis.value };
    return;
  }
  if (postgres.status === 'fulfilled') await postgres.value.destroy();
  if (redis.status === 'fulfilled') await redis.value.stop();
  throw postgres.status === 'rejected' ? postgres.reason : redis.status === 'rejected' ? redis.reason : new Error('unreachable');
}
