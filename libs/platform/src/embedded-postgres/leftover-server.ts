import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readFile, readlink, realpath, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { isErrno } from '../is-error';

const run = promisify(execFile);

/** A way to end a server and how long it gets for it: fast, then at once, then by force. */
const SIGNALS = [
  ['SIGINT', 15_000],
  ['SIGQUIT', 5_000],
  ['SIGKILL', 5_000],
] as const;

/**
 * Stops a server that a killed Weir left behind on this cluster. The caller holds the data
 * folder's lock, so whatever still runs here belongs to nobody.
 * @returns the process id that was stopped, or null when there was none.
 */
export async function stopLeftoverServer(cluster: string): Promise<number | null> {
  const pidFile = join(cluster, 'postmaster.pid');
  const pid = await readServerPid(cluster);
  if (pid === null || !isAlive(pid)) return null;
  if (!(await servesCluster(pid, cluster))) {
    // The number was given to another program since. PostgreSQL would take that for its rival.
    await rm(pidFile, { force: true });
    return null;
  }
  await stopServerProcess(pid);
  return pid;
}

export async function stopServerProcess(pid: number): Promise<void> {
  for (const [signal, graceMs] of SIGNALS) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if (isErrno(error, 'ESRCH')) return;
      throw error;
    }
    const deadline = performance.now() + graceMs;
    while (performance.now() < deadline) {
      if (!isAlive(pid)) return;
      await sleep(20);
    }
  }
  throw new Error(`a PostgreSQL left over from an earlier start (pid ${pid}) cannot be stopped`);
}

/** From postmaster.pid; null when there is no such file. */
export async function readServerPid(cluster: string): Promise<number | null> {
  const pid = (await readPidFile(cluster))[0];
  return pid > 1 ? pid : null;
}

/** Where the server listens; null when there is none. */
export async function readServerPort(cluster: string): Promise<number | null> {
  const port = (await readPidFile(cluster))[3];
  return port > 0 ? port : null;
}

/** postmaster.pid as numbers: the first line is the process, the fourth its port. */
async function readPidFile(cluster: string): Promise<number[]> {
  try {
    return (await readFile(join(cluster, 'postmaster.pid'), 'utf8')).split('\n').map(Number);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (isErrno(error, 'ESRCH')) return false;
  }
  try {
    // In a container without an init process the dead stay in the list for good.
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
}

async function servesCluster(pid: number, cluster: string): Promise<boolean> {
  try {
    // A server stands in its cluster, also when the folder was moved since it started.
    return (await readlink(`/proc/${pid}/cwd`)) === (await realpath(cluster));
  } catch {
    const words = await readCommandLine(pid);
    return /^postgres(\.exe)?$/.test(basename(words[0] ?? '')) && words.includes(cluster);
  }
}

async function readCommandLine(pid: number): Promise<string[]> {
  try {
    return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
  } catch {
    // No /proc: ask ps. A folder with a space in its name is not told apart there, and is then not stopped.
    return run('ps', ['-p', String(pid), '-o', 'args=']).then(
      ({ stdout }) => stdout.trim().split(' '),
      () => [],
    );
  }
}
