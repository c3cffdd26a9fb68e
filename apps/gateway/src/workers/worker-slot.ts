import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { parse } from 'node:path';
import { type Configuration } from '@weir/platform';

/** A worker is asked for its metrics while somebody waits: a stuck one must not keep the others' back. */
const SCRAPE_TIMEOUT_MS = 2_000;

/** How a worker ended. */
export interface WorkerEnd {
  readonly code: number | null;
  readonly signal: string | null;
}

/** One of the processes that share the port: what is its own, and who is in it now. */
export class WorkerSlot {
  private worker: Worker | null = null;
  private metricsPort = 0;

  constructor(
    readonly number: number,
    private readonly configuration: Configuration,
  ) {}

  /**
   * Starts a process. `ready` resolves with true once it serves, with false if it ended before; `ended`
   * once it is gone, in whatever way.
   */
  async fork(): Promise<{ ready: Promise<boolean>; ended: Promise<WorkerEnd> }> {
    this.metricsPort = await findFreePort();
    const worker = cluster.fork(this.toEnvironment());
    this.worker = worker;
    const ended = new Promise<WorkerEnd>((resolve) => {
      const end = (code: number | null, signal: string | null): void => {
        if (this.worker === worker) this.worker = null;
        resolve({ code, signal });
      };
      worker.once('exit', end);
      // A connection that is handed to one who has just been killed fails with EPIPE. Were nobody to listen,
      // that would end this process, and all other workers with it. Who has begun has an exit, too.
      worker.on('error', () => {
        if (worker.process.pid === undefined) end(null, null);
      });
    });
    const ready = new Promise<boolean>((resolve) => {
      worker.on('message', (message: unknown) => {
        if (message === 'ready') resolve(true);
      });
      void ended.then(() => resolve(false));
    });
    return { ready, ended };
  }

  /** Says so to the process, if there is one. */
  signal(signal: NodeJS.Signals): void {
    this.worker?.process.kill(signal);
  }

  /** @returns null when the worker does not answer, or there is none */
  async scrape(): Promise<string | null> {
    if (this.worker === null) return null;
    try {
      const answer = await fetch(`http://127.0.0.1:${this.metricsPort}/metrics`, { signal: AbortSignal.timeout(SCRAPE_TIMEOUT_MS) });
      return answer.ok ? await answer.text() : null;
    } catch {
      return null;
    }
  }

  /** Metrics are asked for on this machine and put together; a log file is written by one process only. */
  private toEnvironment(): Record<string, string> {
    const { file } = this.configuration.log;
    return {
      METRICS_HOST: '127.0.0.1',
      METRICS_PORT: String(this.metricsPort),
      ...(file === null ? {} : { LOG_FILE: toWorkerFile(file, this.number) }),
    };
  }
}

/** `weir.log` becomes `weir.2.log`. */
function toWorkerFile(path: string, worker: number): string {
  const { dir, name, ext } = parse(path);
  return `${dir}/${name}.${worker}${ext}`;
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
