import { execFile } from 'node:child_process';
import { chown, lchown, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { isErrno, isError } from '../is-error';
import { type PostgresAccount } from './postgres-account';
import { type PostgresBinaries } from './postgres-binaries';
import { POSTGRES_USER, toServerEnvironment } from './server-settings';
import { toServerFailure } from './to-server-failure';

const run = promisify(execFile);

interface ClusterOptions {
  dataDirectory: string;
  binaries: PostgresBinaries;
  account: PostgresAccount;
  password: string;
  durable: boolean;
}

/** The cluster's folder, made when there is none, and owned by the account that will serve it. */
export async function prepareCluster(options: ClusterOptions): Promise<string> {
  const cluster = join(options.dataDirectory, 'postgres');
  const clusterMajor = await readClusterMajor(cluster);
  if (clusterMajor === null) {
    await createCluster(cluster, options);
    return cluster;
  }
  const serverMajor = await readServerMajor(options);
  if (clusterMajor !== serverMajor) {
    throw new Error(
      `${cluster} was made by PostgreSQL ${clusterMajor} and this Weir brings PostgreSQL ${serverMajor}: ` +
        'dump it with the Weir that made it and restore it into a new WEIR_DATA_DIR',
    );
  }
  await giveTo(options.account, cluster);
  return cluster;
}

async function readClusterMajor(cluster: string): Promise<string | null> {
  try {
    return (await readFile(join(cluster, 'PG_VERSION'), 'utf8')).trim();
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return null;
    throw error;
  }
}

async function readServerMajor(options: ClusterOptions): Promise<string> {
  const output = await runAs(options.account, options.binaries.postgres, ['--version']);
  const major = /(\d+)(\.|beta|rc|devel)/.exec(output)?.[1];
  if (major === undefined) throw new Error(`the embedded PostgreSQL does not tell its version: ${output.trim()}`);
  return major;
}

/** Made under another name first: what a killed start leaves behind is never taken for a cluster. */
async function createCluster(cluster: string, options: ClusterOptions): Promise<void> {
  const { account } = options;
  const unfinished = cluster + '.new';
  const passwordFile = join(unfinished, 'password');
  const data = join(unfinished, 'data');
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(data, { recursive: true, mode: 0o700 });
  await writeFile(passwordFile, options.password, { mode: 0o600 });
  await giveTo(account, unfinished);
  await runAs(account, options.binaries.initdb, [
    `--pgdata=${data}`,
    `--username=${POSTGRES_USER}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    ...(options.durable ? [] : ['--no-sync']),
  ]);
  await rename(data, cluster);
  await rm(unfinished, { recursive: true, force: true });
}

async function runAs(account: PostgresAccount, program: string, args: readonly string[]): Promise<string> {
  const [command, ...rest] = [...account.prefix, program, ...args];
  try {
    const { stdout } = await run(command, rest, { cwd: '/', uid: account.uid, gid: account.gid, env: toServerEnvironment() });
    return stdout;
  } catch (error) {
    throw toServerFailure(`the embedded PostgreSQL cannot run as ${account.name}`, toReason(error));
  }
}

function toReason(error: unknown): string {
  const stderr = isError(error) && 'stderr' in error && typeof error.stderr === 'string' ? error.stderr.trim() : '';
  if (stderr !== '') return stderr.split('\n').slice(-3).join(' · ');
  return isErrno(error, 'ENOENT') ? 'the program does not run on this machine (it needs glibc); set DATABASE_URL' : String(error);
}

/** PostgreSQL serves only what its own account owns; that changes when Weir is started in another way. */
async function giveTo(account: PostgresAccount, folder: string): Promise<void> {
  if (account.owner === null) return;
  const { uid, gid } = account.owner;
  if ((await stat(folder)).uid === uid) return;
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  for (const entry of entries) await lchown(join(entry.parentPath, entry.name), uid, gid);
  // The folder itself comes last: a change that was cut short is then done again.
  await chown(folder, uid, gid);
}
