import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, systemClock } from '@weir/kernel';
import Redis from 'ioredis';
import { createTestDatabase, type TestDatabase } from '../test/support/postgres';
import { startPrivateRedis, type TestRedisServer } from '../test/support/redis';
import { doctor } from './doctor';
import { FAILED, SUCCEEDED, toExitCode, WRONG_USAGE } from './run-script';

const RANDOM_KEY = '8f3c1d5e7a9b2c4d6e0f1a3b5c7d9e8f0a2b4c6d8e1f3a5b7c9d0e2f4a6b8c1d';
const UID = process.getuid?.() ?? 0;

let folder: string;
let database: TestDatabase;
let redis: TestRedisServer;
let output: string;
beforeAll(async () => {
  database = await createTestDatabase();
  redis = await startPrivateRedis();
});
afterAll(() => Promise.all([database.drop(), redis.stop()]));
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-doctor-'));
  await mkdir(join(folder, 'data', 'secrets'), { recursive: true, mode: 0o700 });
  await chmod(join(folder, 'data'), 0o700);
  await withRedis((client) => client.config('SET', 'maxmemory-policy', 'noeviction', 'appendonly', 'yes'));
  output = '';
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function withRedis(work: (client: Redis) => Promise<unknown>): Promise<void> {
  const client = new Redis(redis.url);
  await work(client);
  client.disconnect();
}

function run(environment: NodeJS.ProcessEnv = {}, { args = [] as string[], clock = systemClock, userId = UID } = {}): Promise<number> {
  const all = { DATABASE_URL: database.url, REDIS_URL: redis.url, ENCRYPTION_KEY: RANDOM_KEY, WEIR_DATA_DIR: join(folder, 'data'), ...environment };
  const place = { clock, workingFolder: folder, userId };
  return toExitCode('doctor', (input) => doctor(input, place), { args, environment: all, print: (text) => void (output += text), tell: (text) => void (output += text) });
}

describe('doctor', () => {
  it('finds nothing wrong with an installation in order, and says what it has looked at', async () => {
    expect(await run()).toBe(SUCCEEDED);
    expect(output).not.toContain('WRONG');
    for (const what of ['encryption keys look random', 'admin API listens on this machine alone', 'belongs to the user', 'PostgreSQL 18 answers', 'schema is of this version', 'Redis evicts nothing', "Redis's clock agrees", 'GB are free']) expect(output).toContain(what);
    expect(output).toMatch(/\n0 wrong, \d+ warnings, \d+ good\.\n$/);
  });

  it('shows with --quiet only what needs somebody', async () => {
    await run({}, { args: ['--quiet'] });
    expect(output).not.toMatch(/^good/m);
  });

  const skewed: Clock = { ...systemClock, nowMs: () => systemClock.nowMs() + 10_000 };

  it.each<[string, NodeJS.ProcessEnv, RegExp, object]>([
    ['a setting with which Weir does not start', { ENCRYPTION_KEY: 'short' }, /WRONG {4}ENCRYPTION_KEY must be exactly 64 hex digits/, {}],
    ['an encryption key that was typed in', { ENCRYPTION_KEY: '0123'.repeat(16) }, /WRONG {4}the encryption key k1 is not random\n {11}make another one/, {}],
    ['a password that everybody tries first', { REDIS_URL: 'redis://:changeme@127.0.0.1:1' }, /WRONG {4}Redis has a password that everybody tries first/, {}],
    ['a database on another machine without a password', { DATABASE_URL: 'postgres://weir@db.invalid:1/weir' }, /WRONG {4}PostgreSQL on another machine is used without a password/, {}],
    ['a database that is away', { DATABASE_URL: 'postgres://weir:canary-password-4711@127.0.0.1:1/weir' }, /WRONG {4}PostgreSQL cannot be reached \(ECONNREFUSED\)/, {}],
    ['a Redis that is away', { REDIS_URL: 'redis://127.0.0.1:1' }, /WRONG {4}Redis cannot be reached/, {}],
    ['a clock that is off', {}, /WRONG {4}PostgreSQL's clock is (9|10)\.\d s away[^]*Redis's clock/, { clock: skewed }],
    ['a data folder of another user', {}, /WRONG {4}the data folder .* belongs to another user/, { userId: UID + 1 }],
  ])('finds %s', async (_what, environment, line, options) => {
    expect(await run(environment, options)).toBe(FAILED);
    expect(output).toMatch(line);
    expect(output).not.toContain('canary-password-4711');
  });

  it.each<[string, NodeJS.ProcessEnv, RegExp]>([
    ['an admin API that is open to every network', { ADMIN_HOST: '0.0.0.0' }, /warning {2}ADMIN_HOST=0\.0\.0\.0 opens the admin API/],
    ['metrics that are open to every network', { METRICS_HOST: '::' }, /warning {2}METRICS_HOST=:: opens the metrics/],
    ['a spool that is larger than the disk', { SPOOL_MAX_BYTES: '1000g' }, /(warning|WRONG ) {2,3}[\d.]+ GB are free/],
    ['more connections than PostgreSQL takes', { DATABASE_POOL_SIZE: '1000' }, /warning {2}this node alone may open 1002 of/],
    ['a data folder that is not there', { WEIR_DATA_DIR: '/nonexistent/weir' }, /warning {2}the data folder .* is not there yet/],
  ])('warns of %s', async (_what, environment, line) => {
    await run(environment);
    expect(output).toMatch(line);
  });

  it('finds files that others can read', async () => {
    await writeFile(join(folder, 'data', 'secrets', 'encryption-keys'), 'x', { mode: 0o644 });
    await writeFile(join(folder, '.env'), '', { mode: 0o644 });
    await chmod(join(folder, 'data'), 0o755);
    expect(await run()).toBe(FAILED);
    expect(output.match(/WRONG {4}others can read/g)).toHaveLength(3);
    expect(output).toContain(`chmod 600 ${join(folder, '.env')}`);
  });

  it('finds a Redis that evicts what it should count', async () => {
    await withRedis((client) => client.config('SET', 'maxmemory-policy', 'allkeys-lru'));
    expect(await run()).toBe(FAILED);
    expect(output).toContain('WRONG    Redis evicts keys when its memory is full (allkeys-lru)');
  });

  describe('with --url', () => {
    let server: Server;
    let paths: Record<string, number>;
    beforeAll(async () => {
      server = createServer((request, response) => response.writeHead(paths[request.url ?? ''] ?? 404).end()).listen(0, '127.0.0.1');
      await new Promise((listening) => server.once('listening', listening));
    });
    afterAll(() => {
      server.close();
      server.closeAllConnections();
    });
    const address = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

    it('finds what is not encrypted, and an admin API that can be reached', async () => {
      paths = { '/readyz': 200, '/admin/keys': 401 };
      expect(await run({}, { args: ['--url', address()] })).toBe(FAILED);
      expect(output).toMatch(/WRONG {4}http:\/\/127\.0\.0\.1:\d+ is not encrypted/);
      expect(output).toContain('WRONG    the admin API can be reached from outside');
      expect(output).toContain('good     the metrics are not there');
    });

    it('finds an address where nobody answers, and refuses one that is none', async () => {
      expect(await run({}, { args: ['--url', 'https://127.0.0.1:1'] })).toBe(FAILED);
      expect(output).toContain('WRONG    nobody answers at https://127.0.0.1:1 (ECONNREFUSED)');
      expect(await run({}, { args: ['--url', 'weir'] })).toBe(WRONG_USAGE);
    });
  });
});
