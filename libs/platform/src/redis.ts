import Redis from 'ioredis';
import { type Logger } from 'pino';
import { isError } from './is-error';

const CONNECT_TIMEOUT_MS = 2_000;
/** Whoever needs an answer sooner sets a shorter deadline of its own, as the limiter does. */
const COMMAND_TIMEOUT_MS = 2_000;
const LONGEST_RECONNECT_WAIT_MS = 1_000;

/**
 * A connection to Redis that comes back by itself. While it is away every command fails at once:
 * nothing waits in a queue, and nothing that may have run already is sent again.
 */
export function connectRedis(redis: { url: string }, logger?: Pick<Logger, 'info' | 'warn'>): Redis {
  const client = new Redis(redis.url, {
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: COMMAND_TIMEOUT_MS,
    keepAlive: 10_000,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (attempt) => Math.min(50 * attempt, LONGEST_RECONNECT_WAIT_MS),
    connectionName: 'weir',
  });
  reportOutages(client, logger);
  return client;
}

const UNREACHABLE = 'REDIS_URL (or REDIS_HOST): Redis cannot be reached; is it started, and is that where it is? Trying again';
const REFUSED = 'REDIS_URL (or REDIS_PASSWORD): Redis refuses the password; correct it there. Trying again';

/** Redis' own words, from version 6 on: a wrong password, and none where one is needed. */
const isRefusal = (error: unknown): boolean => isError(error) && /WRONGPASS|NOAUTH|invalid password/i.test(error.message);

/** One line when the connection is lost and one when it is back, however often it was tried between. */
function reportOutages(client: Redis, logger?: Pick<Logger, 'info' | 'warn'>): void {
  let away = false;
  let closing = false;
  // Without a listener an 'error' event ends the process.
  client.on('error', (error: unknown) => {
    if (!away) logger?.warn({ err: error }, isRefusal(error) ? REFUSED : UNREACHABLE);
    away = true;
  });
  client.on('close', () => {
    if (!away && !closing) logger?.warn({}, 'the connection to Redis was lost; trying again');
    away = true;
  });
  client.on('ready', () => {
    if (away) logger?.info({}, 'the connection to Redis is back');
    away = false;
  });
  client.on('end', () => (closing = true));
}
