import { chatEvents, Gate, respond, UpstreamSimulator } from '@weir/testing';
import { readdirSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chat, openChat, repeat } from '../support/chat';
import { createTestDatabase, type TestDatabase } from '../support/postgres';
import { OtlpReceiver } from '../support/otlp-receiver';
import { createTestRedis, type TestRedis } from '../support/redis';
import { expectRefusedStart, findPorts, occupyPort, Starter } from '../support/start-weir';
import { waitFor } from '../support/wait-for';
import { addKey, addModel, addUpstream, Weir } from '../support/weir';

const WORKERS = 3;
const MODEL = 'shared';

let simulator: UpstreamSimulator;
let database: TestDatabase;
let redis: TestRedis;
let folder: string;
let collector: OtlpReceiver;
let weir: Weir;
let made: { id: string; key: string };

const start = (environment: Readonly<Record<string, string>> = {}): Promise<Weir> =>
  Weir.start({ databaseUrl: database.url, redisUrl: redis.url, dataDirectory: folder, environment: { WEIR_WORKERS: String(WORKERS), ...environment } });

beforeAll(async () => {
  simulator = await new UpstreamSimulator().start();
  database = await createTestDatabase();
  redis = await createTestRedis();
  folder = await mkdtemp(join(tmpdir(), 'weir-test-workers-'));
  collector = await OtlpReceiver.start();
  weir = await start({
    LOG_FILE: join(folder, 'weir.log'),
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_BSP_SCHEDULE_DELAY: '20',
    OTEL_RESOURCE_ATTRIBUTES: 'service.instance.id=node-1',
  });
  const { id } = await addUpstream(weir, { name: 'simulator', baseUrl: simulator.baseUrl, secrets: ['sk-simulated'] });
  await addModel(weir, MODEL, [id]);
  made = await addKey(weir, { limits: { rpm: 100 } });
  await waitForEveryWorker(made.key);
});
afterAll(async () => {
  await weir.stop();
  await Promise.all([simulator.stop(), collector.stop(), database.drop(), redis.close(), rm(folder, { recursive: true, force: true })]);
});
beforeEach(() => simulator.reset());

/** Connections are handed out in turn: so many in a row have met every worker. */
const waitForEveryWorker = (key: string): Promise<true> =>
  waitFor(async () => (await repeat(3 * WORKERS, () => knows(key))).every((known) => known), { what: 'every worker to know the key and the model' });

async function knows(key: string): Promise<boolean> {
  const answer = await fetch(`${weir.url}/v1/models`, { headers: { authorization: `Bearer ${key}`, connection: 'close' } });
  return (await answer.text()).includes(MODEL);
}

/** The processes below the first one. */
async function findWorkers(): Promise<number[]> {
  const children = await readFile(`/proc/${weir.child.pid}/task/${weir.child.pid}/children`, 'utf8');
  return children.trim().split(' ').filter((pid) => pid !== '').map(Number);
}

/** What each worker says of a metric without labels. */
async function readPerWorker(name: string): Promise<Map<string, number>> {
  const lines = (await weir.metrics()).matchAll(new RegExp(`^${name}\\{worker="(\\d+)"[^}]*\\} (\\S+)$`, 'gm'));
  return new Map([...lines].map(([, worker, value]) => [worker, Number(value)]));
}

const onLinux = process.platform === 'linux' ? describe : describe.skip;

// Which processes there are is read from /proc.
onLinux(`WEIR_WORKERS=${WORKERS}`, () => {
  it('serves with all of them on one port, each with a spool and a log of its own, and counts limits together', async () => {
    const answers = await repeat(120, () => chat(weir, made.key, MODEL, { headers: { connection: 'close' } }));
    const served = answers.filter(({ status }) => status === 200).length;
    expect([served, answers.filter(({ status }) => status === 429).length]).toEqual([100, 20]);
    expect((await findWorkers()).length).toBe(WORKERS);
    expect(readdirSync(join(folder, 'spool')).length).toBe(WORKERS);
    expect(readdirSync(folder).filter((name) => name.startsWith('weir')).sort()).toEqual(['weir.1.log', 'weir.2.log', 'weir.3.log', 'weir.log']);
    const requests = await readPerWorker('weir_requests_total');
    expect([...requests.keys()].sort()).toEqual(['1', '2', '3']);
  });

  it('shows the metrics of all in one text that Prometheus can read, each metric once', async () => {
    const text = await weir.metrics();
    const types = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
    expect(types).toHaveLength(new Set(types).size);
    expect(await readPerWorker('weir_snapshot_fresh')).toEqual(new Map([['1', 1], ['2', 1], ['3', 1]]));
    expect(text.split('\n').filter((line) => line !== '' && !line.startsWith('#') && !line.includes('worker="'))).toEqual([]);
  });

  it('sends traces of each under a service.instance.id of its own', async () => {
    const instances = await waitFor(
      async () => {
        await repeat(2 * WORKERS, () => chat(weir, 'sk-weir-nobody', MODEL, { headers: { connection: 'close' } }));
        const ids = new Map(collector.spans.map(({ resource }) => [resource['process.pid'], resource['service.instance.id']]));
        return ids.size >= WORKERS ? ids : null;
      },
      { what: 'spans of every worker', timeoutMs: 30_000 },
    );
    expect([...instances.keys()].sort()).toEqual((await findWorkers()).sort());
    expect([...instances.values()].sort()).toEqual(['node-1.1', 'node-1.2', 'node-1.3']);
  });

  it('replaces a worker that is killed, and the others store what it left', async () => {
    const { key, id } = await addKey(weir);
    await waitForEveryWorker(key);
    const before = await findWorkers();
    // A stream in each of them: the one of the killed worker is what it leaves.
    const gate = new Gate();
    const [first, ...rest] = chatEvents('held');
    simulator.always(respond.stream(first, gate, ...rest));
    const streams = await repeat(12, () => openChat(weir, key, MODEL, { stream: true, headers: { connection: 'close' } }));
    process.kill(before[0], 'SIGKILL');
    await waitFor(async () => (await findWorkers()).filter((pid) => !before.includes(pid)).length === 1, { what: 'another worker' });
    gate.open();
    const ends = await Promise.all(streams.map((stream) => stream.text().then((text) => text.includes('[DONE]'), () => false)));
    const cut = ends.filter((isWhole) => !isWhole).length;
    expect(cut).toBeGreaterThan(0);
    expect(cut).toBeLessThan(12);
    const counts = (): Promise<{ status: string; rows: string }[]> => database.query('SELECT status, count(*) AS rows FROM usage_records WHERE key_id = $1 GROUP BY status ORDER BY status', [id]);
    await waitFor(async () => (await counts()).reduce((sum, { rows }) => sum + Number(rows), 0) === 12, { what: 'a row for every stream' });
    expect(await counts()).toEqual([{ status: 'succeeded', rows: String(12 - cut) }, { status: 'unknown', rows: String(cut) }]);
    await waitFor(async () => (await readPerWorker('weir_snapshot_fresh')).size === WORKERS, { what: 'all workers to serve' });
  });

  it('drains all of them at SIGTERM: no stream is cut, and every row is written', async () => {
    const { key, id } = await addKey(weir);
    await waitForEveryWorker(key);
    const gate = new Gate();
    const [first, ...rest] = chatEvents('held');
    simulator.always(respond.stream(first, gate, ...rest));
    const streams = await repeat(9, () => openChat(weir, key, MODEL, { stream: true, headers: { connection: 'close' } }));
    const workers = await findWorkers();
    weir.child.kill('SIGTERM');
    // With a deadline: one that comes as the last worker stops listening is accepted by the first process,
    // which has nobody left to hand it to, and ends with it (docs/deployment.md).
    await waitFor(async () => fetch(`${weir.url}/livez`, { signal: AbortSignal.timeout(1_000) }).then(() => false, () => true), { what: 'new connections to be refused' });
    gate.open();
    for (const stream of streams) expect(await stream.text()).toMatch(/data: \[DONE\]\n\n$/);
    await waitFor(() => weir.exitCode !== null, { what: 'the end' });
    expect(weir.exitCode).toBe(0);
    for (const pid of workers) expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    const rows = await database.query('SELECT 1 FROM usage_records WHERE key_id = $1', [id]);
    expect(rows).toHaveLength(9);
    weir = await start();
  });

  it('leaves no worker behind when the first process is killed', async () => {
    const workers = await findWorkers();
    expect(workers).toHaveLength(WORKERS);
    await weir.kill();
    await waitFor(() => workers.every((pid) => !isAlive(pid)), { what: 'the workers to end' });
    weir = await start();
  });
});

describe('WEIR_WORKERS that cannot start', () => {
  const starter = new Starter();
  afterAll(() => starter.cleanUp());
  const toEnvironment = async () => ({
    ...(await findPorts()),
    WEIR_WORKERS: '2',
    REDIS_URL: redis.url,
    DATABASE_URL: database.url,
    ENCRYPTION_KEY: '5a'.repeat(32),
    WEIR_DATA_DIR: await starter.makeFolder(),
  });

  it.each([
    ['the embedded database', async () => ({ DATABASE_URL: '' }), /WEIR_WORKERS is more than 1, which needs DATABASE_URL/],
    ['no Redis', async () => ({ REDIS_URL: '' }), /WEIR_WORKERS is more than 1, which needs REDIS_URL/],
    ['a database that refuses', async () => ({ DATABASE_URL: 'postgres://weir:x@127.0.0.1:1/weir' }), /the database cannot be reached/],
    ['a port in use', async () => ({ PORT: occupied.port }), /PORT: port \d+ is in use/],
    ['a metrics port in use', async () => ({ METRICS_PORT: occupied.port }), /METRICS_PORT: port \d+ is in use/],
  ])('say why in one line, once for all: %s', async (_what, change, line) => {
    await expectRefusedStart(starter.start({ ...(await toEnvironment()), ...(await change()) }), line);
  });

  let occupied: Awaited<ReturnType<typeof occupyPort>>;
  beforeAll(async () => {
    occupied = await occupyPort();
  });
  afterAll(() => occupied.server.close());
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
