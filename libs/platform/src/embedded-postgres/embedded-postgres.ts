import { type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile, realpath } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { type Logger } from 'pino';
import { getOrCreateSecretFile } from '../secret-file';
import { spawnTethered } from '../tethered-process';
import { prepareCluster } from './cluster';
import { readServerPid, readServerPort, stopLeftoverServer, stopServerProcess } from './leftover-server';
import { choosePostgresAccount, type PostgresAccount } from './postgres-account';
import { getPostgresBinaries, type PostgresBinaries } from './postgres-binaries';
import { POSTGRES_USER, serverSettings, toServerEnvironment } from './server-settings';
import { toServerFailure } from './to-server-failure';

export interface EmbeddedPostgresOptions {
  /** An existing folder that this process has locked (see DataDirectory). */
  dataDirectory: string;
  logger: Pick<Logger, 'info' | 'warn' | 'error' | 'debug'>;
  /** False loses data with the power, and is faster: for tests only. */
  durable?: boolean;
  /** A free port when not given. */
  port?: number;
}

const DATABASE = 'weir';
const PASSWORD_FILE = 'postgres-password';
/** Replaying the log after a crash may take long; a server that has nothing to replay needs 50 ms. */
const READY_TIMEOUT_MS = 120_000;
const PORT_ATTEMPTS = 5;
const LOG_LINES_KEPT = 20;

/**
 * Runs the bundled PostgreSQL under the data folder: on 127.0.0.1 only, on a free port, with a
 * random password kept beside it. It stops when this process does, however that ends, and is
 * started again when it dies by itself.
 */
export class EmbeddedPostgres {
  private child: ChildProcess | null = null;
  private port = 0;
  private stopping = false;
  private revival: Promise<void> | null = null;
  private readonly logLines: string[] = [];

  private constructor(
    private readonly options: EmbeddedPostgresOptions,
    private readonly binaries: PostgresBinaries,
    private readonly account: PostgresAccount,
    private readonly cluster: string,
    private readonly password: string,
  ) {
    this.port = options.port ?? 0;
  }

  static async start(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
    const dataDirectory = await realpath(options.dataDirectory);
    const binaries = await getPostgresBinaries(dataDirectory);
    const account = await choosePostgresAccount(binaries, dataDirectory);
    const secrets = join(dataDirectory, 'secrets');
    await mkdir(secrets, { recursive: true, mode: 0o700 });
    const password = await getOrCreateSecretFile(join(secrets, PASSWORD_FILE), () => randomBytes(24).toString('base64url'));
    const cluster = await prepareCluster({ dataDirectory, binaries, account, password, durable: options.durable ?? true });
    const leftoverPid = await stopLeftoverServer(cluster);
    if (leftoverPid !== null) options.logger.warn({ pid: leftoverPid }, 'stopped a PostgreSQL left over from an earlier start');
    const embedded = new EmbeddedPostgres(options, binaries, account, cluster, password);
    await embedded.launch();
    await embedded.createDatabase();
    return embedded;
  }

  /** The address of a server that another process runs on this folder; null when there is none. */
  static async findRunningUrl(dataDirectory: string): Promise<string | null> {
    const port = await readServerPort(join(dataDirectory, 'postgres'));
    if (port === null) return null;
    const password = await readFile(join(dataDirectory, 'secrets', PASSWORD_FILE), 'utf8');
    return toUrl(password.trim(), port, DATABASE);
  }

  get url(): string {
    return this.urlOf(DATABASE);
  }

  /** Who runs the server, for people to read. */
  get accountName(): string {
    return this.account.name;
  }

  /** Waits until open transactions are broken off and everything is on disk. */
  async stop(): Promise<void> {
    this.stopping = true;
    await this.revival;
    await this.endChild();
  }

  private urlOf(database: string): string {
    return toUrl(this.password, this.port, database);
  }

  private async launch(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      // The port stays the same when a dead server is revived: connection pools know it.
      if (this.port === 0) this.port = await findFreePort();
      const child = this.spawnServer();
      if (await this.becomesReady(child)) {
        this.child = child;
        child.once('exit', () => this.onUnexpectedExit(child));
        return;
      }
      const reason = this.logLines.join('\n');
      if (attempt === PORT_ATTEMPTS || !/could not bind|shared memory block|lock file/.test(reason)) {
        throw toServerFailure('the embedded PostgreSQL did not start', toReason(this.logLines));
      }
      // A server that never ran under this port may take another; one that is revived may not.
      if (this.child === null) this.port = this.options.port ?? 0;
      await sleep(200);
    }
  }

  private spawnServer(): ChildProcess {
    this.logLines.length = 0;
    const settings = serverSettings(this.port, this.options.durable ?? true);
    const [command, ...args] = [...this.account.prefix, this.binaries.postgres, '-D', this.cluster, ...settings];
    const child = spawnTethered(command, args, {
      environment: toServerEnvironment(),
      uid: this.account.uid,
      gid: this.account.gid,
    });
    child.on('error', (error) => this.keepLogLine(error.message));
    child.stdout?.resume();
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      for (const line of text.split('\n')) if (line !== '') this.keepLogLine(line);
    });
    return child;
  }

  private keepLogLine(line: string): void {
    this.logLines.push(line);
    if (this.logLines.length > LOG_LINES_KEPT) this.logLines.shift();
    this.options.logger.debug({ line }, 'embedded PostgreSQL');
  }

  /** True once our own password is accepted; false when the server ended instead. */
  private async becomesReady(child: ChildProcess): Promise<boolean> {
    const deadline = performance.now() + READY_TIMEOUT_MS;
    let ended = child.pid === undefined;
    child.once('exit', () => (ended = true));
    while (performance.now() < deadline) {
      if (ended) {
        // The last lines, which say why, may still be in the pipe.
        if (child.pid !== undefined && child.stderr?.readableEnded === false) await once(child, 'close');
        return false;
      }
      if (await this.accepts()) return true;
      await sleep(20);
    }
    this.keepLogLine('it accepted no connection in time');
    await this.endChild(child);
    return false;
  }

  private async accepts(): Promise<boolean> {
    const client = new Client({ connectionString: this.urlOf('postgres'), connectionTimeoutMillis: 2000 });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return true;
    } catch {
      return false;
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  private async createDatabase(): Promise<void> {
    const client = new Client({ connectionString: this.urlOf('postgres'), connectionTimeoutMillis: 10_000 });
    client.on('error', () => undefined);
    await client.connect();
    try {
      const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [DATABASE]);
      if (rowCount === 0) await client.query(`CREATE DATABASE ${DATABASE} TEMPLATE template0`);
    } finally {
      await client.end();
    }
  }

  private onUnexpectedExit(child: ChildProcess): void {
    if (this.stopping || this.child !== child) return;
    this.options.logger.error({ reason: toReason(this.logLines) }, 'the embedded PostgreSQL ended by itself; starting it again');
    this.revival = this.revive().finally(() => (this.revival = null));
  }

  private async revive(): Promise<void> {
    for (let waitMs = 100; !this.stopping; waitMs = Math.min(waitMs * 2, 5000)) {
      try {
        // The shell between us may have been killed, and the server not.
        await stopLeftoverServer(this.cluster);
        await this.launch();
        this.options.logger.warn({}, 'the embedded PostgreSQL runs again');
        return;
      } catch (error) {
        this.options.logger.error({ err: error }, 'the embedded PostgreSQL cannot be started again yet');
        await sleep(waitMs);
      }
    }
  }

  private async endChild(child = this.child): Promise<void> {
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    const pid = await readServerPid(this.cluster);
    if (process.platform === 'win32') child.kill();
    else if (pid !== null) await stopServerProcess(pid);
    child.stdin?.end();
    await ended;
  }
}

function toUrl(password: string, port: number, database: string): string {
  return `postgres://${POSTGRES_USER}:${password}@127.0.0.1:${port}/${database}`;
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no free port on 127.0.0.1');
  return address.port;
}

/** The lines that say why, of what a server printed before it ended. */
function toReason(lines: readonly string[]): string {
  const telling = lines.filter((line) => /FATAL|PANIC|error|cannot|not found|No such/i.test(line));
  return (telling.length > 0 ? telling : lines).slice(-3).join(' · ') || 'it said nothing';
}
