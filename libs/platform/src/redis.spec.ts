import { connectRedis } from '@weir/platform';
import { once } from 'node:events';
import { inspect } from 'node:util';
import { type Redis } from 'ioredis';
import { createTestRedis, startPrivateRedis, type TestRedisServer } from '../../../test/support/redis';
import { waitFor } from '../../../test/support/wait-for';

describe('connectRedis', () => {
  let redis: Redis;
  afterEach(() => redis.disconnect());

  it('reaches the database that the address names', async () => {
    const [first, second] = [await createTestRedis(), await createTestRedis()];
    redis = connectRedis({ url: first.url });
    const other = connectRedis({ url: second.url });
    await Promise.all([once(redis, 'ready'), once(other, 'ready')]);
    await redis.set('name', 'value');
    expect([await redis.get('name'), await other.get('name')]).toEqual(['value', null]);
    other.disconnect();
    await first.close();
    await second.close();
  });

  describe('when Redis stops and starts', () => {
    let server: TestRedisServer;
    beforeEach(async () => {
      server = await startPrivateRedis();
    });
    afterEach(() => server.stop());

    it('fails commands at once, says so once, and comes back by itself', async () => {
      const said: string[] = [];
      const say = (_fields: unknown, message?: string) => void said.push(message ?? '');
      redis = connectRedis(server, { warn: say, info: say });
      await once(redis, 'ready');
      await server.stop();
      await waitFor(() => redis.status !== 'ready');
      await expect(redis.get('name')).rejects.toThrow();
      await waitFor(() => redis.status === 'reconnecting');
      await expect(redis.get('name')).rejects.toThrow("isn't writeable");
      await server.start();
      await waitFor(async () => (await redis.ping()) === 'PONG');
      expect(said).toEqual(['the connection to Redis was lost; trying again', 'the connection to Redis is back']);
    });

    it.each(['', ':hunter2@'])('says that the password is refused, and not what it is: redis://%s…', async (credentials) => {
      const owner = connectRedis(server);
      await once(owner, 'ready');
      await owner.call('CONFIG', 'SET', 'requirepass', 'another');
      const said: [unknown, string | undefined][] = [];
      const url = server.url.replace('redis://', `redis://${credentials}`);
      redis = connectRedis({ url }, { warn: (fields: unknown, message?: string) => void said.push([fields, message]), info: () => undefined });
      await waitFor(() => said.length > 0);
      expect(said[0][1]).toBe('REDIS_URL (or REDIS_PASSWORD): Redis refuses the password; correct it there. Trying again');
      expect(inspect(said)).not.toContain('hunter2');
      owner.disconnect();
    });

    it('sends no command again that may have run', async () => {
      redis = connectRedis(server);
      await once(redis, 'ready');
      // The answer never comes: the server ends while it holds the command.
      const counted = redis.call('BLPOP', 'nothing', '0');
      const failed = expect(counted).rejects.toThrow();
      await redis.client('LIST').catch(() => undefined);
      await server.stop();
      await failed;
      await server.start();
      await waitFor(async () => (await redis.ping()) === 'PONG');
      expect(await redis.info('clients')).toContain('blocked_clients:0');
    });
  });

  it('throws nothing when nobody is there', async () => {
    const said: string[] = [];
    redis = connectRedis({ url: 'redis://127.0.0.1:1' }, { warn: (_fields: unknown, message?: string) => void said.push(message ?? ''), info: () => undefined });
    await waitFor(() => said.length > 0);
    expect(said).toEqual(['REDIS_URL (or REDIS_HOST): Redis cannot be reached; is it started, and is that where it is? Trying again']);
  });
});
