import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, constants, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { waitFor } from './wait-for';
import { findFreePort } from './find-free-port';

const run = promisify(execFile);
const PROGRAMS = ['/usr/sbin/sshd', '/usr/local/sbin/sshd', '/opt/homebrew/sbin/sshd'];

/** A real sshd of this user's, on a free port of 127.0.0.1, with keys of its own. */
export interface SshServer {
  readonly port: number;
  readonly user: string;
  /** A private key that is let in, and one that is not. */
  readonly identity: string;
  readonly strangerIdentity: string;
  /** Holds the server's key. */
  readonly knownHosts: string;
  /** Ends it with every connection that it has. */
  stop(): Promise<void>;
  /** Starts again, on the same port. */
  start(): Promise<void>;
  /** Stops and deletes everything. */
  destroy(): Promise<void>;
}

/** @param clientFolder where the client's files go: its name may be as odd as people's folders are */
export async function startSshServer(clientFolder: string): Promise<SshServer> {
  const program = await getServerProgram();
  const folder = await mkdtemp(join(tmpdir(), 'weir-sshd-'));
  const port = await findFreePort();
  const [hostKey, identity, strangerIdentity] = [join(folder, 'host'), join(clientFolder, 'identity'), join(clientFolder, 'stranger')];
  for (const key of [hostKey, identity, strangerIdentity]) await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
  const knownHosts = join(clientFolder, 'known hosts');
  await writeFile(knownHosts, `[127.0.0.1]:${port} ${await readFile(`${hostKey}.pub`, 'utf8')}`);
  await writeFile(join(folder, 'authorized'), await readFile(`${identity}.pub`, 'utf8'));
  await writeFile(join(folder, 'config'), toConfig(folder, hostKey, port));
  // Where it gives up its rights; Debian makes the folder only when its own service starts.
  if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true, mode: 0o755 });
  let server = await launch(program, folder, port);
  const stop = (): Promise<void> => endTree(server);
  return {
    port,
    user: userInfo().username,
    identity,
    strangerIdentity,
    knownHosts,
    stop,
    start: async () => {
      server = await launch(program, folder, port);
    },
    destroy: async () => {
      await stop();
      await rm(folder, { recursive: true });
    },
  };
}

function toConfig(folder: string, hostKey: string, port: number): string {
  const lines = [`Port ${port}`, 'ListenAddress 127.0.0.1', `HostKey ${hostKey}`, `AuthorizedKeysFile ${join(folder, 'authorized')}`];
  return [...lines, 'PidFile none', 'UsePAM no', 'StrictModes no', 'PasswordAuthentication no', 'KbdInteractiveAuthentication no', 'AllowTcpForwarding yes', ''].join('\n');
}

async function launch(program: string, folder: string, port: number): Promise<ChildProcess> {
  const child = spawn(program, ['-D', '-e', '-f', join(folder, 'config')], { stdio: ['ignore', 'ignore', 'pipe'] });
  let output = '';
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await waitFor(() => child.exitCode !== null || output.includes(`Server listening on 127.0.0.1 port ${port}`), { what: 'sshd to listen' });
  if (child.exitCode !== null) throw new Error(`sshd did not start: ${output.trim().split('\n').at(-1)}`);
  return child;
}

/** A connection's process leaves the group of its server: those that it has made are ended one by one. */
async function endTree(server: ChildProcess): Promise<void> {
  const { pid } = server;
  if (pid === undefined || server.exitCode !== null || server.signalCode !== null) return;
  const descendants = await findDescendants(pid);
  const ended = once(server, 'exit');
  for (const each of [pid, ...descendants]) {
    try {
      process.kill(each, 'SIGKILL');
    } catch {
      // It has ended since.
    }
  }
  await ended;
}

async function findDescendants(root: number): Promise<number[]> {
  const { stdout } = await run('ps', ['-A', '-o', 'pid=,ppid=']);
  const parents = stdout.trim().split('\n').map((line) => line.trim().split(/\s+/).map(Number));
  return toDescendants(root, parents);
}

function toDescendants(parent: number, parents: readonly (readonly number[])[]): number[] {
  const children = parents.filter(([, owner]) => owner === parent).map(([pid]) => pid);
  return children.flatMap((child) => [child, ...toDescendants(child, parents)]);
}

async function getServerProgram(): Promise<string> {
  const program = (await findProgram()) ?? (await installOnDebian());
  if (program === null) throw new Error('the tests of the tunnel need a real sshd: install openssh-server');
  return program;
}

async function findProgram(): Promise<string | null> {
  for (const path of PROGRAMS) if (await isExecutable(path)) return path;
  return null;
}

/** A fresh container has no sshd; as its superuser we may fetch one. */
async function installOnDebian(): Promise<string | null> {
  if (process.getuid?.() !== 0 || !(await isExecutable('/usr/bin/apt-get'))) return null;
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  try {
    await run('apt-get', ['update'], { env: environment });
    await run('apt-get', ['install', '-y', '--no-install-recommends', 'openssh-server', 'openssh-client', 'procps'], { env: environment });
  } catch (error) {
    throw new Error('the tests of the tunnel need a real sshd, and apt-get could not install openssh-server', { cause: error });
  }
  return findProgram();
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
