import { type Clock, type OrganizationId, type ProxyKeyId, uuidV7 } from '@weir/kernel';
import { type Road } from '../road';
import { type ClaimedMesh, newMeshId } from './mesh-job';
import { MeshRunner } from './mesh-runner';
import { type OwnedMesh } from './mesh-table';
import { runMesh } from './run-mesh';
import { waitFor } from '../../../../../test/support/wait-for';

jest.mock('./run-mesh');
jest.mock('../detached-call', () => ({
  DetachedCall: class {
    readonly requestId = 'r';
    onCallOff = (): void => undefined;
    callOff(): void {
      this.onCallOff();
    }
  },
}));

const LEASE_MS = 30_000;
const runMeshMock = jest.mocked(runMesh);

let nowMs: number;
let due: number;
let isAway: boolean;
let owned: ReadonlySet<string> | null;
let runs: { job: ClaimedMesh; isCalledOff: boolean; end: () => void }[];
let putBack: [OwnedMesh, number, boolean][];
let renewals: number;
let tableSweeps: number;
let sweepFiles: () => Promise<number>;
let runner: MeshRunner;

const answer = <Value>(value: Value): Promise<Value> => (isAway ? Promise.reject(new Error('away')) : Promise.resolve(value));

function makeRoad(): Road {
  const table = {
    times: { leaseMs: LEASE_MS, waitMs: 1, retentionMs: 1 },
    claim: (runId: string) => answer(due-- > 0 ? makeJob(runId) : null),
    renew: (jobs: OwnedMesh[]) => {
      renewals += 1;
      return answer(owned ?? new Set(jobs.map((job) => job.runId)));
    },
    putBack: (job: OwnedMesh, afterMs: number, counts: boolean) => {
      putBack.push([job, afterMs, counts]);
      return answer(true);
    },
    failOverdue: () => answer(undefined),
    sweep: () => {
      tableSweeps += 1;
      return answer(0);
    },
  };
  const clock: Clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };
  return { clock, meshes: { table, files: { sweep: () => sweepFiles() }, watcher: null } } as unknown as Road;
}

function makeJob(runId: string): ClaimedMesh {
  return { id: newMeshId(Date.now()), organizationId: '' as OrganizationId, keyId: '' as ProxyKeyId, request: Buffer.alloc(0), runId: `${runId}-${uuidV7(Date.now())}`, attempts: 1, remainingMs: 1e9 };
}

beforeEach(() => {
  [nowMs, due, isAway, owned, runs, putBack] = [0, 0, false, null, [], []];
  [renewals, tableSweeps, sweepFiles] = [0, 0, () => Promise.resolve(0)];
  runMeshMock.mockImplementation((_meshes, job, call) => {
    const ended = Promise.withResolvers<void>();
    const run = { job, isCalledOff: false, end: ended.resolve };
    Reflect.set(call, 'onCallOff', () => {
      run.isCalledOff = true;
      ended.resolve();
    });
    runs.push(run);
    return ended.promise.then(() => ({ kind: 'waits' as const, afterMs: 0, counts: false, reason: null }));
  });
  runner = new MeshRunner({ road: makeRoad(), logger: { warn: () => undefined }, mostRunning: 2, lookMs: 2 });
});
afterEach(() => runner.stop(1_000));

describe('what works on meshes', () => {
  it('runs no more at once than it may, and the next when one has ended', async () => {
    due = 3;
    runner.start();
    await waitFor(() => runs.length === 2);
    runs[0].end();
    await waitFor(() => runs.length === 3);
    expect(runner.openRuns).toBe(2);
    expect(due).toBe(0);
  });

  it('lets go of a job that has another owner', async () => {
    due = 1;
    runner.start();
    await waitFor(() => runs.length === 1);
    owned = new Set();
    await waitFor(() => runner.openRuns === 0);
    expect(runs[0].isCalledOff).toBe(true);
    expect(putBack).toEqual([]);
  });

  it('lets go of a job before its lease is over when it cannot renew it, and not while it can', async () => {
    due = 1;
    runner.start();
    await waitFor(() => runs.length === 1);
    nowMs = LEASE_MS * 10;
    await waitFor(() => runner.openRuns === 1);
    isAway = true;
    nowMs += LEASE_MS * 0.9;
    await waitFor(() => runner.openRuns === 0);
    expect(runs[0].isCalledOff).toBe(true);
  });

  it('goes on renewing while the store of files hangs, and sweeps one at a time', async () => {
    let sweeps = 0;
    sweepFiles = () => {
      sweeps += 1;
      return new Promise(() => undefined);
    };
    due = 1;
    runner.start();
    await waitFor(() => runs.length === 1);
    for (let step = 0; step < 4; step++) {
      nowMs += LEASE_MS / 2;
      const before = renewals;
      await waitFor(() => renewals > before);
    }
    nowMs += 3_600_000;
    await waitFor(() => tableSweeps === 2);
    expect([sweeps, runner.openRuns, runs[0].isCalledOff]).toEqual([1, 1, false]);
  });

  it('puts back what runs when it stops, and takes nothing any more', async () => {
    due = 1;
    runner.start();
    await waitFor(() => runs.length === 1);
    runner.takeNoMore();
    due = 5;
    runner.onQueued();
    await runner.stop(1_000);
    expect(putBack).toEqual([[expect.objectContaining({ runId: runs[0].job.runId }), 0, false]]);
    expect(runs).toHaveLength(1);
  });
});
