import { createDataSource, EmbeddedPostgres, runMigrations } from '@weir/platform';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { MIGRATIONS } from '../../migrations';

const URL_VARIABLE = 'WEIR_TEST_POSTGRES_URL';
const TEMPLATE = 'weir_template';

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** A PostgreSQL of its own, without durability, in a folder that goes away with it. */
export interface TestPostgres {
  readonly url: string;
  /** The server stops; the data stays for `start()`. */
  stop(): Promise<void>;
  /** Starts again, on the same port. */
  start(): Promise<void>;
  /** Stops and deletes everything. */
  destroy(): Promise<void>;
}

export interface TestDatabase {
  readonly url: string;
  readonly name: string;
  /** Runs one statement on a connection of its own. */
  query<Row extends object>(sql: string, parameters?: unknown[]): Promise<Row[]>;
  drop(): Promise<void>;
}

/** For tests that stop and start the server; everyone else shares one through createTestDatabase(). */
export async function startPrivatePostgres({ migrated = false } = {}): Promise<TestPostgres> {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'weir-test-postgres-'));
  let server = await EmbeddedPostgres.start({ dataDirectory, logger: silent, durable: false });
  const { url } = server;
  if (migrated) await runMigrations(createDataSource(url, 2, [], MIGRATIONS));
  return {
    url,
    stop: () => server.stop(),
    start: async () => {
      server = await EmbeddedPostgres.start({ dataDirectory, logger: silent, durable: false, port: Number(new URL(url).port) });
    },
    destroy: async () => {
      await server.stop();
      await rm(dataDirectory, { recursive: true, force: true });
    },
  };
}

/** Called once, before all tests: starts the shared server and makes the migrated template. */
export async function startSharedPostgres(): Promise<TestPostgres> {
  const server = await startPrivatePostgres();
  try {
    await runOnce(server.url, `CREATE DATABASE ${TEMPLATE}`);
    await runMigrations(createDataSource(withDatabase(server.url, TEMPLATE), 2, [], MIGRATIONS));
  } catch (error) {
    await server.destroy();
    throw error;
  }
  process.env[URL_VARIABLE] = server.url;
  return server;
}

/** A migrated database nobody else uses; `empty` leaves the migrations out. Drop it when done. */
export async function createTestDatabase({ empty = false } = {}): Promise<TestDatabase> {
  const serverUrl = getSharedUrl();
  const name = `test_${randomBytes(8).toString('hex')}`;
  await runOnce(serverUrl, `CREATE DATABASE ${name} TEMPLATE ${empty ? 'template0' : TEMPLATE}`);
  const url = withDatabase(serverUrl, name);
  return {
    url,
    name,
    query: (sql, parameters) => runOnce(url, sql, parameters),
    drop: async () => {
      await runOnce(serverUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    },
  };
}

function getSharedUrl(): string {
  const url = process.env[URL_VARIABLE];
  if (url === undefined) throw new Error('the shared PostgreSQL is started by test/global-setup.ts, which has not run');
  return url;
}

function withDatabase(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
}

async function runOnce<Row extends object>(url: string, sql: string, parameters?: unknown[]): Promise<Row[]> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Row>(sql, parameters)).rows;
  } finally {
    await client.end();
  }
}
