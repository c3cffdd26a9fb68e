import { createLogger, loadConfiguration } from '@weir/platform';
import cluster, { type Worker } from 'node:cluster';
import { EventEmitter } from 'node:events';
import { waitFor } from '../../../../test/support/wait-for';
import { WorkerPool } from './worker-pool';

/** A process as the pool sees it. */
class FakeWorker extends EventEmitter {
  readonly process: { pid: number | undefined; kill: () => boolean };

  constructor(pid: number | undefined) {
    super();
    this.process = { pid, kill: () => this.emit('exit', 0, null) };
  }
}

let forked: FakeWorker[];
let pool: WorkerPool;
let toWorker: () => FakeWorker;

beforeEach(async () => {
  forked = [];
  toWorker = () => new FakeWorker(1_000_000 + forked.length);
  jest.spyOn(cluster, 'fork').mockImplementation(() => {
    const worker = toWorker();
    forked.push(worker);
    setImmediate(() => worker.emit('message', 'ready'));
    return worker as unknown as Worker;
  });
  const configuration = { ...loadConfiguration({ LOG_LEVEL: 'fatal' }), workers: 2, metricsPort: 0 };
  pool = new WorkerPool(configuration, createLogger(configuration.log));
  await pool.start();
});
afterEach(async () => {
  toWorker = () => new FakeWorker(1);
  pool.signal('SIGTERM');
  await pool.whenEnded();
  jest.restoreAllMocks();
});

const expectForks = (count: number): Promise<true> => waitFor(() => forked.length === count, { what: `${count} processes` });

describe('the pool of workers', () => {
  it('lives on when a connection cannot be handed to a worker that was just killed', async () => {
    forked[0].emit('error', Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    expect(forked).toHaveLength(2);
    forked[0].emit('exit', null, 'SIGKILL');
    await expectForks(3);
  });

  it('tries again when the machine has no room for another process', async () => {
    toWorker = () => {
      toWorker = () => new FakeWorker(7);
      throw Object.assign(new Error('spawn ENOMEM'), { code: 'ENOMEM' });
    };
    forked[0].emit('exit', 1, null);
    await expectForks(3);
  });

  it('replaces one that never began', async () => {
    toWorker = () => new FakeWorker(undefined);
    forked[0].emit('exit', 1, null);
    await expectForks(3);
    toWorker = () => new FakeWorker(8);
    forked[2].emit('error', Object.assign(new Error('spawn EAGAIN'), { code: 'EAGAIN' }));
    await expectForks(4);
  });
});
