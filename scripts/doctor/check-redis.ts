import { type Clock } from '@weir/kernel';
import { type Configuration } from '@weir/platform';
import Redis from 'ioredis';
import { checkClock } from './check-clock';
import { type Finding, good, warning, wrong } from './finding';

const LEAST_VERSION = 6;
const TIMEOUT_MS = 5_000;

/** Redis, where there is one: that it answers, evicts nothing, keeps what it has, and tells the same time. */
export async function checkRedis({ redis }: Configuration, clock: Clock): Promise<Finding[]> {
  if (redis === null) return [];
  const client = new Redis(redis.url, { lazyConnect: true, retryStrategy: null, connectTimeout: TIMEOUT_MS, commandTimeout: TIMEOUT_MS, maxRetriesPerRequest: 0 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const beforeMs = clock.nowMs();
    const [seconds, microseconds] = await client.time();
    const skew = checkClock('Redis', Number(seconds) * 1000 + Number(microseconds) / 1000, beforeMs, clock.nowMs());
    return [checkVersion(await client.info('server')), skew, ...(await checkConfiguration(client))];
  } catch (error) {
    const isRefused = /WRONGPASS|NOAUTH|invalid password/i.test(String(Reflect.get(Object(error), 'message')));
    return isRefused
      ? [wrong('Redis refuses the password', 'correct REDIS_URL (or REDIS_PASSWORD)')]
      : [wrong('Redis cannot be reached', 'is it started, and does REDIS_URL (or REDIS_HOST and REDIS_PORT) lead there?')];
  } finally {
    client.disconnect();
  }
}

function checkVersion(info: string): Finding {
  const version = /^(?:valkey|redis)_version:(\d+)/m.exec(info)?.[1];
  if (Number(version) < LEAST_VERSION) return wrong(`Redis ${version} is too old`, `Weir needs ${LEAST_VERSION} or newer`);
  return good(`Redis ${version} answers`);
}

async function checkConfiguration(client: Redis): Promise<Finding[]> {
  const read = async (name: string): Promise<string> => {
    const answer: unknown = await client.config('GET', name);
    return Array.isArray(answer) ? String(answer[1]) : '';
  };
  try {
    return [checkPolicy(await read('maxmemory-policy')), checkPersistence(await read('appendonly'))];
  } catch {
    return [warning('Redis does not say how it is configured', 'look yourself: maxmemory-policy noeviction, appendonly yes')];
  }
}

function checkPolicy(policy: string): Finding {
  if (policy === 'noeviction') return good('Redis evicts nothing');
  return wrong(`Redis evicts keys when its memory is full (${policy})`, 'CONFIG SET maxmemory-policy noeviction, and in its file: a counter that is evicted is a limit that is not kept');
}

function checkPersistence(appendOnly: string): Finding {
  if (appendOnly === 'yes') return good('Redis keeps what it has across restarts');
  return warning('Redis forgets everything when it restarts', 'appendonly yes: without it budgets are refused for some seconds after, and windows begin anew');
}
