import { WeirError } from '@weir/kernel';
import { type Logger } from 'pino';
import { meshes as meshesDefinition } from '../../operations/meshes';
import { DetachedCall } from '../detached-call';
import { type Road } from '../road';
import { type ClaimedMesh, type MeshId } from './mesh-job';
import { type MeshWatcher } from './meshes';
import { runMesh } from './run-mesh';
import { type RunEnd } from './to-run-end';

export interface MeshRunnerOptions {
  readonly road: Road;
  readonly logger: Pick<Logger, 'warn'>;
  /** Jobs of this process at the same time; each may hold a whole mesh in memory. */
  readonly mostRunning?: number;
  /** Between two looks at the table, which are the heartbeat, too. */
  readonly lookMs?: number;
}

interface Run {
  readonly job: ClaimedMesh;
  readonly call: DetachedCall;
  /** When the last renewal that went well was sent; monotonic. */
  renewedMs: number;
  /** The row has another owner, or is gone. */
  isLost: boolean;
}

const MOST_RUNNING = 4;
const LOOK_MS = 1_000;
const WRITE_RETRY_MS = 1_000;
/** A full disk may be made room on, and PostgreSQL come back, in five minutes. */
const WRITE_TRIES = 300;
const SWEEP_MS = 10 * 60_000;
const OVERDUE_MS = 10_000;

const LATE = { code: 'request_timeout', message: 'The mesh has waited too long for its turn.' };
const ABANDONED = { code: 'internal_error', message: 'The process that made the mesh has ended each time that it was tried.' };

/**
 * Works on the meshes that were asked for, of this process or of another: takes what is due, renews
 * what it owns, and lets go of what it does not own any more.
 */
export class MeshRunner implements MeshWatcher {
  private readonly running = new Map<MeshId, Run>();
  private timer: NodeJS.Timeout | null = null;
  private looking: Promise<void> | null = null;
  private mustLookAgain = false;
  private takesNew = true;
  private isStopping = false;
  private sweptMs = -Infinity;
  private overdueMs = -Infinity;
  private isReachable = true;
  private sweeping: Promise<void> | null = null;
  private readonly endings = new Set<Promise<void>>();

  constructor(private readonly options: MeshRunnerOptions) {}

  start(): void {
    this.options.road.meshes.watcher = this;
    this.timer ??= setInterval(() => this.look(), this.options.lookMs ?? LOOK_MS);
    this.timer.unref();
    this.look();
  }

  /** Takes no new jobs; those that run go on. */
  takeNoMore(): void {
    this.takesNew = false;
  }

  /** Puts back what runs, for others to take at once. Resolves when that is written down, or after `timeoutMs`. */
  async stop(timeoutMs: number): Promise<void> {
    this.takesNew = false;
    this.isStopping = true;
    if (this.timer !== null) clearInterval(this.timer);
    await this.looking;
    for (const { call } of this.running.values()) call.callOff();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, timeoutMs)));
    await Promise.race([Promise.all(this.endings), late]);
    clearTimeout(timer);
  }

  get openRuns(): number {
    return this.running.size;
  }

  onQueued(): void {
    this.look();
  }

  onDeleted(id: MeshId): void {
    const run = this.running.get(id);
    if (run !== undefined) this.letGo(run);
  }

  /** Never two at the same time; one that is asked for meanwhile comes after. */
  private look(): void {
    if (this.looking !== null) {
      this.mustLookAgain = true;
      return;
    }
    this.looking = this.lookNow().finally(() => {
      this.looking = null;
      if (!this.mustLookAgain) return;
      this.mustLookAgain = false;
      if (!this.isStopping) this.look();
    });
  }

  private async lookNow(): Promise<void> {
    try {
      await this.renew();
      await this.take();
      await this.tidy();
      this.noteReachable(null);
    } catch (error) {
      this.noteReachable(error);
    } finally {
      this.letGoOfStale();
    }
  }

  private async renew(): Promise<void> {
    const runs = [...this.running.values()];
    if (runs.length === 0) return;
    const sentMs = this.monotonicMs();
    const owned = await this.table.renew(runs.map(({ job }) => job));
    for (const run of runs) {
      if (owned.has(run.job.runId)) run.renewedMs = sentMs;
      // One that has ended since is no loss.
      else if (this.running.get(run.job.id) === run) this.letGo(run);
    }
  }

  private async take(): Promise<void> {
    const { road, mostRunning = MOST_RUNNING } = this.options;
    while (this.takesNew && this.running.size < mostRunning) {
      const call = new DetachedCall(road, meshesDefinition);
      const sentMs = this.monotonicMs();
      const job = await this.table.claim(call.requestId);
      if (job === null) return;
      this.begin({ job, call, renewedMs: sentMs, isLost: false });
    }
  }

  private begin(run: Run): void {
    this.running.set(run.job.id, run);
    if (this.isStopping) run.call.callOff();
    const ending = this.run(run).finally(() => {
      this.endings.delete(ending);
      this.running.delete(run.job.id);
      if (!this.isStopping) this.look();
    });
    this.endings.add(ending);
  }

  private async run(run: Run): Promise<void> {
    const end = await runMesh(this.options.road.meshes, run.job, run.call, (progress) => {
      this.table.noteProgress(run.job, progress).catch((error: unknown) => this.noteReachable(error));
    });
    // Its lease is renewed until it is written down, so nobody else runs it meanwhile. What cannot be
    // written down at all is run again by whoever finds the lease over.
    for (let tries = 0; tries < WRITE_TRIES && !run.isLost; tries++) {
      try {
        await this.writeDown(run, end);
        return;
      } catch (error) {
        this.noteReachable(error);
        if (this.isStopping) return;
        await new Promise((resolve) => setTimeout(resolve, WRITE_RETRY_MS));
      }
    }
  }

  private async writeDown({ job }: Run, end: RunEnd): Promise<void> {
    switch (end.kind) {
      case 'completed':
        await this.keep(job, end.body);
        return;
      case 'failed':
        await this.table.fail(job, end.error);
        return;
      case 'waits':
        await this.table.putBack(job, end.afterMs, end.counts, end.reason);
    }
  }

  private async keep(job: ClaimedMesh, body: Buffer): Promise<void> {
    const { files } = this.options.road.meshes;
    await files.write(job, body);
    // Deleted meanwhile, or run by another: then nobody will ask for this file.
    if (!(await this.table.complete(job, body.length))) await files.delete(job);
  }

  /**
   * Where PostgreSQL is away, leases run out without a word: before another process can take a job,
   * this one must have let go of it.
   */
  private letGoOfStale(): void {
    const { leaseMs } = this.table.times;
    const nowMs = this.monotonicMs();
    for (const run of this.running.values()) if (nowMs - run.renewedMs > (leaseMs * 2) / 3) this.letGo(run);
  }

  private letGo(run: Run): void {
    run.isLost = true;
    run.call.callOff();
  }

  private async tidy(): Promise<void> {
    const nowMs = this.monotonicMs();
    if (nowMs - this.overdueMs >= OVERDUE_MS) {
      this.overdueMs = nowMs;
      await this.table.failOverdue(LATE, ABANDONED);
    }
    if (nowMs - this.sweptMs < SWEEP_MS) return;
    this.sweptMs = nowMs;
    await this.table.sweep();
    // A store that hangs must not hold up the heartbeat.
    this.sweeping ??= this.sweepFiles().finally(() => (this.sweeping = null));
  }

  private async sweepFiles(): Promise<void> {
    const { road, logger } = this.options;
    try {
      await road.meshes.files.sweep(road.clock.nowMs());
    } catch (error) {
      if (!this.isStopping) logger.warn({ err: error, detail: error instanceof WeirError ? error.detail : null }, 'files of meshes could not be swept; tried again in ten minutes');
    }
  }

  private get table() {
    return this.options.road.meshes.table;
  }

  private monotonicMs(): number {
    return this.options.road.clock.monotonicMs();
  }

  /** One line when something is amiss, and none for each look at it. */
  private noteReachable(error: unknown): void {
    const isReachable = error === null;
    if (!isReachable && this.isReachable) {
      this.options.logger.warn({ err: error, detail: error instanceof WeirError ? error.detail : null }, 'meshes cannot be worked on or written down now; tried again every second');
    }
    this.isReachable = isReachable;
  }
}
