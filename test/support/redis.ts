import { spawnTethered } from '@weir/platform';
import { execFile, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import Redis from 'ioredis';
import { waitFor } from './wait-for';
import { findFreePort } from './find-free-port';

const run = promisify(execFile);

const URL_VARIABLE = 'WEIR_TEST_REDIS_URL';
const DATABASES = 4096;
const PROGRAMS = ['redis-server', 'valkey-server'];

/** A Redis of its own, without persistence. */
export interface TestRedisServer {
  readonly url: string;
  /** Ends at once; every key is lost. */
  stop(): Promise<void>;
  /** Starts again, on the same port. */
  start(): Promise<void>;
}

export interface TestRedis {
  /** With a database number that no other test uses. */
  readonly url: string;
  /** Empties the database. */
  close(): Promise<void>;
}

/** For tests that stop and start the server; everyone else shares one through createTestRedis(). */
export async function startPrivateRedis(): Promise<TestRedisServer> {
  const program = await getServerProgram();
  const port = await findFreePort();
  const url = `redis://127.0.0.1:${port}`;
  let child = await launch(program, port, url);
  return {
    url,
    stop: () => end(child),
    start: async () => {
      child = await launch(program, port, url);
    },
  };
}

/** Called once, before all tests: takes the operator's REDIS_URL or starts a server. */
export async function startSharedRedis(): Promise<TestRedisServer> {
  const given = process.env.REDIS_URL;
  const server =
    given === undefined || given === ''
      ? await startPrivateRedis()
      : { url: given, stop: () => Promise.resolve(), start: () => Promise.resolve() };
  process.env[URL_VARIABLE] = server.url;
  return server;
}

/** A Redis database nobody else uses. Close it when done. */
export async function createTestRedis(): Promise<TestRedis> {
  const serverUrl = process.env[URL_VARIABLE];
  if (serverUrl === undefined) throw new Error('the shared Redis is started by test/global-setup.ts, which has not run');
  const url = new URL(serverUrl);
  url.pathname = `/${await claimDatabase(serverUrl)}`;
  return {
    url: url.href,
    close: async () => {
      await withRedis(url.href, (redis) => redis.flushdb());
    },
  };
}

/** Takes the next empty database, so that somebody's data on a given server is never touched. */
async function claimDatabase(serverUrl: string): Promise<number> {
  return withRedis(serverUrl, async (redis) => {
    const databases = Number((await redis.config('GET', 'databases') as string[])[1]);
    for (let attempt = 0; attempt < databases; attempt++) {
      const next = (await redis.incr('weir-test:databases')) % databases;
      if (next === 0) continue;
      await redis.select(next);
      if ((await redis.dbsize()) === 0) return next;
      await redis.select(0);
    }
    throw new Error(`every database of the test Redis is in use (${databases})`);
  });
}

async function withRedis<Value>(url: string, use: (redis: Redis) => Promise<Value>): Promise<Value> {
  const redis = new Redis(url, { retryStrategy: null, lazyConnect: true, connectTimeout: 5000 });
  redis.on('error', () => undefined);
  await redis.connect();
  try {
    return await use(redis);
  } finally {
    redis.disconnect();
  }
}

async function launch(program: string, port: number, url: string): Promise<ChildProcess> {
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--databases', String(DATABASES)];
  const child = spawnTethered(program, args, { environment: { PATH: process.env.PATH }, cwd: '/' });
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await waitFor(
    async () => {
      if (child.exitCode !== null) return 'ended';
      return withRedis(url, (redis) => redis.ping());
    },
    { what: `${program} to answer` },
  );
  if (child.exitCode !== null) throw new Error(`${program} did not start: ${output.trim().split('\n').at(-1)}`);
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.stdin?.end();
  await ended;
}

async function getServerProgram(): Promise<string> {
  const program = (await findOnPath()) ?? (await installOnDebian());
  if (program === null) {
    throw new Error('the tests need a real Redis: set REDIS_URL, or install redis-server (or valkey-server)');
  }
  return program;
}

async function findOnPath(): Promise<string | null> {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/bin', '/usr/local/bin', '/opt/homebrew/bin'];
  for (const program of PROGRAMS) {
    for (const folder of folders) {
      const path = join(folder, program);
      if (folder !== '' && (await isExecutable(path))) return path;
    }
  }
  return null;
}

/** A fresh container has no Redis; as its superuser we may fetch one. */
async function installOnDebian(): Promise<string | null> {
  if (process.getuid?.() !== 0 || !(await isExecutable('/usr/bin/apt-get'))) return null;
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  try {
    await run('apt-get', ['update'], { env: environment });
    await run('apt-get', ['install', '-y', '--no-install-recommends', 'redis-server'], { env: environment });
  } catch (error) {
    throw new Error('the tests need a real Redis, and apt-get could not install redis-server; install it or set REDIS_URL', {
      cause: error,
    });
  }
  return findOnPath();
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
