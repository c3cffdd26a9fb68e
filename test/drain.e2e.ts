import { chatEvents, Gate, RawClient, respond, UpstreamSimulator } from '@weir/testing';
import { once } from 'node:events';
import { connect } from 'node:net';
import { chat, openChat, readAnswer, repeat } from './support/chat';
import { type JsonValue } from './support/control-plane';
import { MeterScene, USD } from './support/meter-scene';
import { createTestDatabase, type TestDatabase } from './support/postgres';
import { waitFor } from './support/wait-for';
import { addKey, addModel, addUpstream, waitForModel, Weir } from './support/weir';

const MODEL = 'slow';
/** Far beyond what closing everything takes, and far below the five minutes that a drain may last. */
const SOON_MS = 10_000;

let simulator: UpstreamSimulator;
let database: TestDatabase;
let weir: Weir;
let made: { id: string; key: string };

beforeAll(async () => {
  simulator = await new UpstreamSimulator().start();
});
afterAll(() => simulator.stop());

async function start(environment: Readonly<Record<string, string>> = {}): Promise<void> {
  weir = await Weir.start({ databaseUrl: database.url, environment });
  const { id } = await addUpstream(weir, { name: 'simulator', baseUrl: simulator.baseUrl, secrets: ['sk-simulated'] });
  await addModel(weir, MODEL, [id]);
  made = await addKey(weir);
  await waitForModel(weir, made.key, MODEL);
}

/** Begins so many streams that go on when the gate opens; resolves when the caller has the head of each. */
async function openStreams(count: number, gate: Gate): Promise<Response[]> {
  const [first, ...rest] = chatEvents('a long answer');
  simulator.always(respond.stream(first, gate, ...rest));
  const streams = await repeat(count, () => openChat(weir, made.key, MODEL, { stream: true }));
  expect(new Set(streams.map(({ status }) => status))).toEqual(new Set([200]));
  return streams;
}

/** Connecting fails at once where nobody listens. */
async function isRefused(url: string): Promise<boolean> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  try {
    await once(socket, 'connect');
    return false;
  } catch (error) {
    // Node's errors come from another realm than Jest's `Error`.
    return Reflect.get(Object(error), 'code') === 'ECONNREFUSED';
  } finally {
    socket.destroy();
  }
}

const waitUntilRefused = (): Promise<true> => waitFor(() => isRefused(weir.url), { what: 'new connections to be refused' });

async function waitForExit(): Promise<number | null> {
  await waitFor(() => weir.exitCode !== null || weir.child.signalCode !== null, { what: 'the process to end', timeoutMs: SOON_MS });
  return weir.exitCode;
}

const storedRows = (): Promise<{ request_id: string; status: string }[]> =>
  database.query('SELECT request_id, status FROM usage_records WHERE key_id = $1', [made.id]);

describe('SIGTERM in one process', () => {
  beforeEach(async () => {
    simulator.reset();
    database = await createTestDatabase();
  });
  afterEach(async () => {
    if (weir.exitCode === null && weir.child.signalCode === null) await weir.kill();
    await database.drop();
  });

  it('cuts no stream and no other request, refuses new connections, and leaves with every row written', async () => {
    await start();
    const gate = new Gate();
    const streams = await openStreams(20, gate);
    simulator.always(respond.echo().after(gate));
    const whole = Array.from({ length: 5 }, () => chat(weir, made.key, MODEL));
    await simulator.waitForCalls(25);
    const idle = await RawClient.connect(weir.url);
    idle.send('GET /livez HTTP/1.1\r\nhost: test\r\n\r\n');
    await idle.readUntil('{"status":"alive"}');

    weir.child.kill('SIGTERM');
    await waitUntilRefused();
    // Nobody uses this one: it is closed, without a word that could be taken for an answer.
    expect((await idle.readToEnd()).bytes.split('HTTP/1.1')).toHaveLength(2);
    expect(weir.exitCode).toBeNull();
    gate.open();
    for (const stream of streams) {
      const text = await stream.text();
      expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
      expect(text).not.toContain('error');
    }
    const answers = await Promise.all(whole);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(await waitForExit()).toBe(0);
    const ids = [...streams.map(({ headers }) => headers.get('x-request-id')), ...answers.map(({ headers }) => headers.get('x-request-id'))];
    const rows = await storedRows();
    expect(rows.map(({ request_id }) => request_id).sort()).toEqual(ids.sort());
    expect(new Set(rows.map(({ status }) => status))).toEqual(new Set(['succeeded']));
  });

  it('answers the request of a kept connection whole, and closes the connection then', async () => {
    await start();
    const gate = new Gate();
    const [stream] = await openStreams(1, gate);
    const client = await RawClient.connect(weir.url);
    const ask = (): void => client.sendJson('/v1/chat/completions', { model: MODEL, messages: [{ role: 'user', content: 'Hi' }] }, { authorization: `Bearer ${made.key}` });
    simulator.always(respond.echo().after(gate));
    ask();
    await simulator.waitForCalls(2);
    weir.child.kill('SIGTERM');
    await waitUntilRefused();
    gate.open();
    const { bytes } = await client.readToEnd();
    expect(bytes).toContain('HTTP/1.1 200 OK');
    expect(bytes.endsWith('}')).toBe(true);
    expect(await stream.text()).toContain('[DONE]');
    expect(await waitForExit()).toBe(0);
  });

  it('answers a request that still comes on an open connection, tells it to close, and /readyz says why', async () => {
    await start();
    const gate = new Gate();
    const [stream] = await openStreams(1, gate);
    // A second request behind the first on one connection: the connection is never idle in between.
    const client = await RawClient.connect(weir.url);
    simulator.always(respond.echo().after(gate));
    client.sendJson('/v1/chat/completions', { model: MODEL, messages: [{ role: 'user', content: 'Hi' }] }, { authorization: `Bearer ${made.key}` });
    await simulator.waitForCalls(2);
    weir.child.kill('SIGTERM');
    await waitUntilRefused();
    client.send('GET /readyz HTTP/1.1\r\nhost: test\r\n\r\n');
    gate.open();
    const { bytes } = await client.readToEnd();
    expect(bytes).toContain('HTTP/1.1 200 OK');
    expect(bytes).toMatch(/HTTP\/1\.1 503 [^]*connection: close[^]*{"status":"draining"}/i);
    expect(await stream.text()).toContain('[DONE]');
    expect(await waitForExit()).toBe(0);
  });

  it('ends at once when nothing is open', async () => {
    await start();
    expect((await chat(weir, made.key, MODEL)).status).toBe(200);
    weir.child.kill('SIGTERM');
    expect(await waitForExit()).toBe(0);
    expect(await storedRows()).toHaveLength(1);
  });

  it('SHUTDOWN_TIMEOUT_MS cuts what takes longer, and its row is written all the same', async () => {
    await start({ SHUTDOWN_TIMEOUT_MS: '300' });
    const streams = await openStreams(3, new Gate());
    weir.child.kill('SIGTERM');
    const ends = await Promise.allSettled(streams.map(readAnswer));
    // Cut or told, but never a false [DONE].
    for (const end of ends) if (end.status === 'fulfilled') expect(end.value.text).not.toContain('[DONE]');
    expect(await waitForExit()).toBe(0);
    const rows = await storedRows();
    expect(rows).toHaveLength(3);
    expect(new Set(rows.map(({ status }) => status))).not.toContain('succeeded');
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('and a %s a second after it ends the process at once', async (second) => {
    await start();
    const streams = await openStreams(2, new Gate());
    const ends = streams.map((stream) => stream.text().catch(() => 'cut'));
    weir.child.kill('SIGTERM');
    await waitUntilRefused();
    const exit = waitForExit();
    // Said again and again: it is heard as a second one from some moment on.
    const saying = setInterval(() => weir.child.kill(second), 50);
    expect(await exit).toBe(1);
    clearInterval(saying);
    for (const end of ends) expect(await end).not.toContain('[DONE]');
  });

  it('that arrives twice at once, as a terminal and npm together send it, is one and cuts nothing', async () => {
    await start();
    const gate = new Gate();
    const streams = await openStreams(2, gate);
    weir.child.kill('SIGINT');
    weir.child.kill('SIGINT');
    await waitUntilRefused();
    weir.child.kill('SIGINT');
    gate.open();
    for (const stream of streams) expect(await stream.text()).toContain('[DONE]');
    expect(await waitForExit()).toBe(0);
  });
});

describe('SIGTERM to one of two processes on one Redis', () => {
  const STREAMS = 100;
  const COST = (STREAMS * USD) / 100;
  let scene: MeterScene;

  beforeAll(async () => {
    scene = await MeterScene.start({ processes: 2 });
  });
  afterAll(() => scene.stop());

  it(`with ${STREAMS} streams open: none is reset, all rows land, and their leases and holds are given back`, async () => {
    await scene.makeModel(MODEL, { per_request_usd: '0.01' });
    const { id, key } = await scene.makeKey(MODEL, { limits: { concurrency: STREAMS, rpm: STREAMS + 1 }, budgets: [{ amount_usd: '1.01', period: 'month' }] });
    const [leaving, staying] = scene.weirs;
    const readUse = async (): Promise<{ open: number; held: number; spent: number }> => {
      const [{ limits, budgets }] = (await staying.admin<{ data: JsonValue[] }>('GET', `/limits?key_id=${id}`)).data;
      const { used } = limits.find(({ name }: JsonValue) => name === 'concurrency');
      return { open: used, held: Math.round(Number(budgets[0].held_usd) * USD), spent: Math.round(Number(budgets[0].spent_usd) * USD) };
    };
    const gate = new Gate();
    const [first, ...rest] = chatEvents('a long answer');
    scene.simulator.always(respond.stream(first, gate, ...rest));
    const streams = await repeat(STREAMS, () => openChat(leaving, key, MODEL, { stream: true }));
    expect(new Set(streams.map(({ status }) => status))).toEqual(new Set([200]));
    expect(await readUse()).toEqual({ open: STREAMS, held: COST, spent: 0 });
    expect((await chat(staying, key, MODEL)).status).toBe(429);

    leaving.child.kill('SIGTERM');
    await waitFor(() => isRefused(leaving.url), { what: 'new connections to be refused' });
    // They go on being counted while they last.
    expect((await chat(staying, key, MODEL)).status).toBe(429);
    gate.open();
    for (const text of await Promise.all(streams.map((stream) => stream.text()))) {
      expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
      expect(text).not.toContain('error');
    }
    await waitFor(() => leaving.exitCode !== null || leaving.child.signalCode !== null, { what: 'the process to end', timeoutMs: SOON_MS });
    expect(leaving.exitCode).toBe(0);
    // At once, and not when leases end that nobody renews: what has ended has told so.
    expect(await readUse()).toEqual({ open: 0, held: 0, spent: COST });
    expect(await scene.sumLedger(id)).toEqual({ rows: STREAMS, requests: STREAMS, costNanos: COST });
    const statuses = await scene.query<{ status: string }>('SELECT DISTINCT status FROM usage_records WHERE key_id = $1', [id]);
    expect(statuses).toEqual([{ status: 'succeeded' }]);
    scene.simulator.reset();
    expect((await chat(staying, key, MODEL)).status).toBe(200);
  });
});
