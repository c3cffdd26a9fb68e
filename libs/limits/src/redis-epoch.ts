import { type RedisClient } from './redis-client';
import { type EpochBeat } from './shared-store';

export const EPOCH_KEY = 'weir:epoch';

/** The key never expires: it goes only with everything else. */
const EPOCH_LUA = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local began = redis.call('SET', KEYS[1], string.format('%.0f', now), 'NX') and 1 or 0
return { tonumber(redis.call('GET', KEYS[1])), now, began }
`;

/** The name of the data that is in Redis now. */
export class RedisEpoch {
  readonly #redis: RedisClient;

  constructor(redis: RedisClient) {
    this.#redis = redis;
  }

  /** @throws what the client throws, and when it is no answer of this script. */
  async beat(): Promise<EpochBeat> {
    const answer: unknown = await this.#redis.eval(EPOCH_LUA, 1, EPOCH_KEY);
    const [epochMs, nowMs, began] = toList(answer);
    if (typeof epochMs !== 'number' || typeof nowMs !== 'number') throw new Error(`${EPOCH_KEY} holds no time`);
    return { epochMs, nowMs, began: began === 1 };
  }
}

function toList(answer: unknown): readonly unknown[] {
  return Array.isArray(answer) ? answer : [];
}
