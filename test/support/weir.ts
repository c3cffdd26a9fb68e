import { AdminIdentities, AdminKeyEntity, UserEntity } from '@weir/access';
import { systemClock } from '@weir/kernel';
import { createDataSource } from '@weir/platform';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from './wait-for';
import { findFreePort } from './find-free-port';

/** npm runs its scripts in the repository's root; this file itself may run compiled, from dist. */
const ROOT = process.cwd();
const MAIN = join('dist', 'apps', 'gateway', 'src', 'main.js');
const START_TIMEOUT_MS = 90_000;
/** As in package.json's start script. */
const START_FLAGS = ['--min-semi-space-size=64', '--max-semi-space-size=64', '--no-parallel-scavenge'];
/** A third of a start is compiling the same files. */
const COMPILE_CACHE = join(tmpdir(), 'weir-test-compile-cache');
export const TEST_ENCRYPTION_KEY = '5a'.repeat(32);

export interface WeirOptions {
  readonly databaseUrl: string;
  readonly redisUrl?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Where its spool is; a folder of its own that goes with it when absent. Whoever starts a Weir again on what the first one left names one. */
  readonly dataDirectory?: string;
  /** Flags of Node itself; those of `npm start` when absent. */
  readonly nodeFlags?: readonly string[];
  /** Where another version's program was built; the one of here when absent. */
  readonly programFolder?: string;
}

/** A built Weir in a process of its own, as a user runs it. */
export class Weir {
  readonly url: string;
  readonly adminUrl: string;
  readonly metricsUrl: string;
  /** Everything it has written, standard output and error together. */
  output = '';
  exitCode: number | null = null;

  private constructor(
    readonly child: ChildProcess,
    ports: readonly [number, number, number],
    readonly adminKey: string,
  ) {
    [this.url, this.adminUrl, this.metricsUrl] = ports.map((port) => `http://127.0.0.1:${port}`) as [string, string, string];
    const take = (chunk: Buffer): void => {
      this.output += chunk.toString('utf8');
    };
    child.stdout?.on('data', take);
    child.stderr?.on('data', take);
    child.on('exit', (code) => (this.exitCode = code));
  }

  /** Starts one on free ports and resolves when it is ready. */
  static async start(options: WeirOptions): Promise<Weir> {
    const adminKey = await createAdminKey(options.databaseUrl);
    const dataDirectory = options.dataDirectory ?? mkdtempSync(join(tmpdir(), 'weir-test-data-'));
    const ports = [Number(options.environment?.PORT ?? (await findFreePort())), await findFreePort(), await findFreePort()] as const;
    const folder = options.programFolder ?? ROOT;
    const child = fork(join(folder, MAIN), {
      cwd: folder,
      silent: true,
      execArgv: [...(options.nodeFlags ?? START_FLAGS)],
      env: {
        PATH: process.env.PATH,
        NODE_COMPILE_CACHE: COMPILE_CACHE,
        HOST: '127.0.0.1',
        PORT: String(ports[0]),
        ADMIN_PORT: String(ports[1]),
        METRICS_PORT: String(ports[2]),
        DATABASE_URL: options.databaseUrl,
        ...(options.redisUrl === undefined ? {} : { REDIS_URL: options.redisUrl }),
        ENCRYPTION_KEY: TEST_ENCRYPTION_KEY,
        WEIR_DATA_DIR: dataDirectory,
        DEFAULT_RPM: '0',
        DEFAULT_RPD: '0',
        // A busy machine may take longer for one question to Redis than a call may wait.
        DEPENDENCY_TIMEOUT_MS: '10000',
        ...options.environment,
      },
    });
    const weir = new Weir(child, ports, adminKey);
    if (options.dataDirectory === undefined) child.on('exit', () => rmSync(dataDirectory, { recursive: true, force: true }));
    const ready = once(child, 'message', { signal: AbortSignal.timeout(START_TIMEOUT_MS) });
    const died = once(child, 'exit').then(() => {
      throw new Error(`Weir ended before it was ready:\n${weir.output}`);
    });
    await Promise.race([ready, died]);
    died.catch(() => undefined);
    return weir;
  }

  /** One call of the admin API; throws when it is refused. */
  async admin<Answer = Record<string, unknown>>(method: string, path: string, body?: unknown): Promise<Answer> {
    const response = await this.adminResponse(method, path, body);
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return (text === '' ? null : JSON.parse(text)) as Answer;
  }

  adminResponse(method: string, path: string, body?: unknown): Promise<Response> {
    return fetch(`${this.adminUrl}/admin${path}`, {
      method,
      headers: { authorization: `Bearer ${this.adminKey}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  }

  post(path: string, key: string | null, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    return fetch(this.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(key === null ? {} : { authorization: `Bearer ${key}` }), ...headers },
      body: typeof body === 'string' || body instanceof Uint8Array ? (body as string) : JSON.stringify(body),
    });
  }

  /** The names that the key may use; what an admin has just written is there once it is listed. */
  async modelNames(key: string): Promise<string[]> {
    const response = await fetch(`${this.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } });
    if (!response.ok) return [];
    const list = (await response.json()) as { data: { id: string }[] };
    return list.data.map(({ id }) => id);
  }

  async metrics(): Promise<string> {
    return (await fetch(`${this.metricsUrl}/metrics`)).text();
  }

  /** SIGTERM, and waits for the end. */
  async stop(): Promise<void> {
    if (this.exitCode !== null || this.child.signalCode !== null) return;
    const exited = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    await exited;
  }

  /** kill -9. */
  async kill(): Promise<void> {
    const exited = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await exited;
  }
}

export interface UpstreamSetup {
  readonly name: string;
  readonly provider?: string;
  readonly baseUrl: string;
  readonly secrets: readonly string[];
  readonly options?: Readonly<Record<string, unknown>>;
  readonly settings?: Readonly<Record<string, unknown>>;
}

/** Makes an upstream with its keys by the admin API. */
export async function addUpstream(weir: Weir, setup: UpstreamSetup): Promise<{ id: string; keyIds: string[] }> {
  const upstream = await weir.admin<{ id: string }>('POST', '/upstreams', {
    name: setup.name,
    provider: setup.provider ?? 'openai',
    base_url: setup.baseUrl,
    options: setup.options ?? {},
    ...setup.settings,
  });
  const keyIds: string[] = [];
  for (const [index, secret] of setup.secrets.entries()) {
    const key = await weir.admin<{ id: string }>('POST', `/upstreams/${upstream.id}/keys`, { secret, label: `key ${index + 1}` });
    keyIds.push(key.id);
  }
  return { id: upstream.id, keyIds };
}

/** Makes a model with one target at each of the upstreams. */
export async function addModel(weir: Weir, name: string, upstreamIds: readonly string[], fields: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const model = await weir.admin<{ id: string }>('POST', '/models', {
    name,
    operation: 'chat',
    targets: upstreamIds.map((upstream_id) => ({ upstream_id, upstream_model: `upstream-${name}` })),
    ...fields,
  });
  return model.id;
}

let organizations = 0;

/** Makes an organization and a key in it, and waits until the process knows the key. */
export async function addKey(weir: Weir, fields: Readonly<Record<string, unknown>> = {}): Promise<{ id: string; key: string; organizationId: string }> {
  organizations += 1;
  const organization = await weir.admin<{ id: string }>('POST', '/organizations', { name: `organization ${process.pid} ${organizations}` });
  const issued = await weir.admin<{ id: string; key: string }>('POST', '/keys', { organization_id: organization.id, name: 'test', ...fields });
  await waitFor(async () => (await fetch(`${weir.url}/v1/models`, { headers: { authorization: `Bearer ${issued.key}` } })).status === 200);
  return { id: issued.id, key: issued.key, organizationId: organization.id };
}

/** Waits until the process offers a model to the key. */
export async function waitForModel(weir: Weir, key: string, name: string): Promise<void> {
  await waitFor(async () => (await weir.modelNames(key)).includes(name));
}

async function createAdminKey(databaseUrl: string): Promise<string> {
  const dataSource = createDataSource(databaseUrl, 1, [UserEntity, AdminKeyEntity]);
  await dataSource.initialize();
  try {
    const { issued } = await new AdminIdentities(dataSource.manager, systemClock).createAdmin({ username: 'owner', email: null, newKey: true });
    if (issued === null) throw new Error('no admin key was made');
    return issued.key.expose();
  } finally {
    await dataSource.destroy();
  }
}
