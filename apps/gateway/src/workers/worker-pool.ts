import { createServer, type Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Configuration, ConfigurationError, isErrno, type WeirLogger } from '@weir/platform';
import { mergeMetrics } from './merge-metrics';
import { toEarlyDeaths, toRestartDelayMs } from './to-restart-delay-ms';
import { type WorkerEnd, WorkerSlot } from './worker-slot';

const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** A worker ended before it served: it has said why itself. */
export class WorkerStartError extends Error {}

/** Several processes that share the data plane's port, and the admin API's: keeps all of them running. */
export class WorkerPool {
  private readonly slots: WorkerSlot[];
  private readonly stopping = new AbortController();
  private readonly running: Promise<void>[] = [];
  private readonly scrapes: Server;

  constructor(
    private readonly configuration: Configuration,
    private readonly logger: WeirLogger,
  ) {
    this.slots = Array.from({ length: configuration.workers }, (_, index) => new WorkerSlot(index + 1, configuration));
    this.scrapes = createServer((request, response) => {
      if (request.url?.split('?', 1)[0] !== '/metrics') {
        response.writeHead(404, { 'content-type': 'text/plain' }).end('The metrics are at /metrics.\n');
        return;
      }
      void this.scrape().then((text) => response.writeHead(200, { 'content-type': METRICS_TYPE }).end(text));
    });
  }

  /**
   * Resolves when every worker serves. The first one goes ahead: what is wrong with the configuration
   * is said once, and the migrations have run when the others come.
   * @throws WorkerStartError when one ended before that; ConfigurationError when METRICS_PORT is taken.
   */
  async start(): Promise<void> {
    await this.listen();
    const [first, ...others] = this.slots;
    const wereReady = [await this.occupy(first)];
    if (wereReady[0]) wereReady.push(...(await Promise.all(others.map((slot) => this.occupy(slot)))));
    if (wereReady.includes(false) && !this.stopping.signal.aborted) throw new WorkerStartError('a worker could not start');
  }

  /** Hands the signal on. From the first time on nobody who ends is replaced. */
  signal(signal: NodeJS.Signals): void {
    this.stopping.abort();
    for (const slot of this.slots) slot.signal(signal);
  }

  /** Resolves when every worker has ended. */
  async whenEnded(): Promise<void> {
    await Promise.all(this.running);
    this.scrapes.close();
    this.scrapes.closeAllConnections();
  }

  /** Puts a first process into the slot, and keeps one there from then on. Resolves with whether it served. */
  private async occupy(slot: WorkerSlot): Promise<boolean> {
    const startedMs = performance.now();
    const { ready, ended } = await this.fork(slot);
    const isReady = await ready;
    if (isReady) this.running.push(this.keep(slot, ended, startedMs));
    return isReady;
  }

  private async keep(slot: WorkerSlot, first: Promise<WorkerEnd>, firstStartedMs: number): Promise<void> {
    const { signal } = this.stopping;
    let ended = first;
    let startedMs = firstStartedMs;
    let earlyDeaths = 0;
    for (;;) {
      const { code, signal: killedBy } = await ended;
      if (signal.aborted) return;
      const livedMs = performance.now() - startedMs;
      earlyDeaths = toEarlyDeaths(livedMs, earlyDeaths);
      const delayMs = toRestartDelayMs(livedMs, earlyDeaths);
      this.logger.error({ worker: slot.number, exitCode: code, signal: killedBy ?? undefined, delayMs }, 'a worker has ended and is replaced');
      await sleep(delayMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      startedMs = performance.now();
      ended = this.replace(slot);
    }
  }

  /** A machine that has no room for a process now counts as a death: the others serve, and it is tried again. */
  private async replace(slot: WorkerSlot): Promise<WorkerEnd> {
    try {
      return await (await this.fork(slot)).ended;
    } catch (error) {
      this.logger.error({ err: error, worker: slot.number }, 'a worker could not be started');
      return { code: null, signal: null };
    }
  }

  private async fork(slot: WorkerSlot): ReturnType<WorkerSlot['fork']> {
    const forked = await slot.fork();
    // The signal may have been handed on while there was nobody in the slot.
    if (this.stopping.signal.aborted) slot.signal('SIGTERM');
    return forked;
  }

  private async scrape(): Promise<string> {
    const texts = await Promise.all(this.slots.map(async (slot) => ({ worker: slot.number, text: await slot.scrape() })));
    return mergeMetrics(texts.flatMap(({ worker, text }) => (text === null ? [] : [{ worker, text }])));
  }

  private listen(): Promise<void> {
    const { metricsPort, metricsHost } = this.configuration;
    return new Promise((resolve, reject) => {
      this.scrapes.once('error', (error) => {
        reject(isErrno(error, 'EADDRINUSE') ? new ConfigurationError(`METRICS_PORT: port ${metricsPort} is in use by another process (ss -ltnp shows which); stop that, or set METRICS_PORT to another port`) : error);
      });
      this.scrapes.listen(metricsPort, metricsHost, () => resolve());
    });
  }
}
