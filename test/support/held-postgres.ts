import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { waitFor } from './wait-for';

/** Another process that holds a data folder and serves the embedded database from it. */
export interface HeldPostgres {
  readonly pid: number;
  readonly url: string;
  /** By SIGKILL; waits until the server has followed, unless told not to. */
  kill(options?: { waitForServer: boolean }): Promise<void>;
  /** By SIGTERM. */
  stop(): Promise<void>;
}

/** Starts such a process; throws what it says when it cannot. */
export async function holdEmbeddedPostgres(dataDirectory: string): Promise<HeldPostgres> {
  const args = ['--require', join(__dirname, 'typescript-hook.js'), join(__dirname, 'hold-embedded-postgres.ts'), dataDirectory];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await exited;
  };
  const [line]: string[] = await Promise.race([once(createInterface(child.stdout), 'line'), exited.then(() => ['{}'])]);
  const said: { url?: string; error?: string } = JSON.parse(line);
  if (said.url === undefined || child.pid === undefined) {
    await end('SIGKILL');
    throw new Error(said.error ?? 'the process that should hold the data folder ended');
  }
  return {
    pid: child.pid,
    url: said.url,
    stop: () => end('SIGTERM'),
    kill: async ({ waitForServer } = { waitForServer: true }) => {
      await end('SIGKILL');
      // A server that is still stopping would write into the folder that the test deletes.
      if (waitForServer) await waitFor(() => !existsSync(join(dataDirectory, 'postgres', 'postmaster.pid')), { what: 'the server to stop' });
    },
  };
}
