import { randomUUID } from 'node:crypto';
import { type RedisClient } from './redis-client';

const PROCESSES_KEY = 'weir:processes';
export const HEARTBEAT_INTERVAL_MS = 5_000;
const HEARTBEAT_EXPIRY_MS = 15_000;

/**
 * Redis's clock and not the processes' own, which differ. What lies ahead of it by more than a
 * heartbeat can was written before the clock went back; its process will write again if it lives.
 */
const BEAT_LUA = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], now + 1, '+inf')
redis.call('PEXPIRE', KEYS[1], 2 * ARGV[2])
return redis.call('ZCARD', KEYS[1])
`;

/**
 * Tells the others that this process lives, and learns how many there are: when Redis is away, each
 * may use its share of a limit, and no more. It writes, so that it also proves that Redis takes writes.
 */
export class ProcessHeartbeat {
  readonly #redis: RedisClient;
  readonly #processId = randomUUID();
  #processCount: number | null = null;

  constructor(redis: RedisClient) {
    this.#redis = redis;
  }

  /** The last count that was seen, this process included; null before there was one. */
  get processCount(): number | null {
    return this.#processCount;
  }

  async beat(): Promise<void> {
    const count: unknown = await this.#redis.eval(BEAT_LUA, 1, PROCESSES_KEY, this.#processId, HEARTBEAT_EXPIRY_MS);
    if (typeof count === 'number' && count >= 1) this.#processCount = count;
  }

  async leave(): Promise<void> {
    await this.#redis.zrem(PROCESSES_KEY, this.#processId);
  }
}
