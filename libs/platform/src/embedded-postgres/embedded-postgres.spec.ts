import { EmbeddedPostgres } from '@weir/platform';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { type HeldPostgres, holdEmbeddedPostgres } from '../../../../test/support/held-postgres';
import { waitFor } from '../../../../test/support/wait-for';

const logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

function isAlive(pid: number): boolean {
  const state = execFileSync('ps', ['-A', '-o', 'pid=,stat=']).toString();
  return state.split('\n').some((line) => new RegExp(`^\\s*${pid}\\s+[^Z]`).test(line));
}

function childrenOf(pid: number): number[] {
  const processes = execFileSync('ps', ['-A', '-o', 'pid=,ppid=']).toString().trim().split('\n');
  return processes.map((line) => line.trim().split(/\s+/).map(Number)).filter(([, parent]) => parent === pid).map(([child]) => child);
}

describe('EmbeddedPostgres', () => {
  let dataDirectory: string;
  let server: EmbeddedPostgres | null;
  let held: HeldPostgres | null;

  beforeEach(() => {
    dataDirectory = mkdtempSync(join(tmpdir(), 'weir-embedded-'));
    server = null;
    held = null;
  });
  afterEach(async () => {
    await server?.stop();
    await held?.kill();
    rmSync(dataDirectory, { recursive: true, force: true });
  });

  const start = async (folder = dataDirectory) => (server = await EmbeddedPostgres.start({ dataDirectory: folder, logger, durable: false }));
  const serverPid = () => Number(readFileSync(join(dataDirectory, 'postgres', 'postmaster.pid'), 'utf8').split('\n')[0]);

  it('speaks UTF-8 in locale C, whatever the environment says', async () => {
    const { url } = await start();
    const [row] = await query(url, `SELECT datcollate, pg_encoding_to_char(encoding) AS encoding FROM pg_database WHERE datname = 'weir'`);
    expect(row).toEqual({ datcollate: 'C', encoding: 'UTF8' });
  });

  it('listens on the loopback address only and demands its password', async () => {
    const { url } = await start();
    const [row] = await query(url, `SELECT current_setting('listen_addresses') AS addresses, current_setting('unix_socket_directories') AS sockets`);
    expect(row).toEqual({ addresses: '127.0.0.1', sockets: '' });
    const wrong = new URL(url);
    wrong.password = 'guess';
    await expect(query(wrong.href, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
  });

  it('keeps its data, and is durable unless told otherwise', async () => {
    await query((await start()).url, 'CREATE TABLE kept AS SELECT 42 AS answer');
    await server?.stop();
    server = await EmbeddedPostgres.start({ dataDirectory, logger });
    expect(await query(server.url, `SELECT answer, current_setting('fsync') AS fsync FROM kept`)).toEqual([{ answer: 42, fsync: 'on' }]);
  });

  it('works in a folder that nobody else can enter', async () => {
    const folder = join(dataDirectory, 'closed', 'weir');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const { url } = await start(folder);
    expect(await query(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('does not take what a killed first start left for a database', async () => {
    mkdirSync(join(dataDirectory, 'postgres.new', 'data'), { recursive: true });
    writeFileSync(join(dataDirectory, 'postgres.new', 'data', 'PG_VERSION'), '18\n');
    const { url } = await start();
    expect(await query(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect(existsSync(join(dataDirectory, 'postgres.new'))).toBe(false);
  });

  it('says plainly that a database is of another PostgreSQL', async () => {
    await start();
    await server?.stop();
    writeFileSync(join(dataDirectory, 'postgres', 'PG_VERSION'), '12\n');
    await expect(start()).rejects.toThrow(/was made by PostgreSQL 12 and this Weir brings PostgreSQL \d+/);
  });

  it('starts although the number in a stale pid file belongs to another program now', async () => {
    await query((await start()).url, 'CREATE TABLE kept (n int)');
    const pidFile = join(dataDirectory, 'postgres', 'postmaster.pid');
    const lines = readFileSync(pidFile, 'utf8').split('\n');
    await server?.stop();
    writeFileSync(pidFile, [String(process.pid), ...lines.slice(1)].join('\n'), { mode: 0o600 });
    expect(await query((await start()).url, 'SELECT count(*)::int AS rows FROM kept')).toEqual([{ rows: 0 }]);
  });

  it('comes back under the same address when the server is killed', async () => {
    server = await EmbeddedPostgres.start({ dataDirectory, logger });
    const { url } = server;
    await query(url, 'CREATE TABLE kept (n int)');
    const killed = serverPid();
    process.kill(killed, 'SIGKILL');
    await waitFor(async () => serverPid() !== killed && (await query(url, 'SELECT count(*)::int AS rows FROM kept')), { what: 'the server to come back' });
    expect(server.url).toBe(url);
  });

  it('stops when the process that started it is killed', async () => {
    held = await holdEmbeddedPostgres(dataDirectory);
    const pid = serverPid();
    expect(isAlive(pid)).toBe(true);
    await held.kill({ waitForServer: false });
    await waitFor(() => !isAlive(pid), { what: 'the server to stop' });
  });

  it('has a session of its own, so that Ctrl-C stops Weir first', async () => {
    held = await holdEmbeddedPostgres(dataDirectory);
    const groups = [held.pid, serverPid()].map((pid) => execFileSync('ps', ['-o', 'pgid=', '-p', String(pid)]).toString().trim());
    expect(groups[0]).not.toBe(groups[1]);
  });

  it('stops an orphan of an earlier start and goes on with its data', async () => {
    held = await holdEmbeddedPostgres(dataDirectory);
    await query(held.url, 'CREATE TABLE kept (n int)');
    const orphan = serverPid();
    const [tether] = childrenOf(held.pid);
    // The worst case: also what would have stopped the server is killed.
    for (const pid of [...childrenOf(tether), tether]) if (pid !== orphan) process.kill(pid, 'SIGKILL');
    await held.kill({ waitForServer: false });
    expect(isAlive(orphan)).toBe(true);
    expect(await query((await start()).url, 'SELECT count(*)::int AS rows FROM kept')).toEqual([{ rows: 0 }]);
    expect(isAlive(orphan)).toBe(false);
  });

  it('tells a script where a running server is', async () => {
    expect(await EmbeddedPostgres.findRunningUrl(dataDirectory)).toBeNull();
    const { url } = await start();
    expect(await EmbeddedPostgres.findRunningUrl(dataDirectory)).toBe(url);
    await server?.stop();
    expect(await EmbeddedPostgres.findRunningUrl(dataDirectory)).toBeNull();
  });
});
