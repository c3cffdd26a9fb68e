import { chatEvents, Gate, respond } from '@weir/testing';
import { readFile } from 'node:fs/promises';
import { waitFor } from '../support/wait-for';
import { NginxServer } from './nginx-server';
import { Load, type OpenAnswer, TlsCaller } from './tls-caller';
import { MODEL, TwoNodes } from './two-nodes';

const CALLERS = 6;
const STREAMS = 8;

const nodes = new TwoNodes();
let nginx: NginxServer;
let caller: TlsCaller;

beforeAll(async () => {
  await nodes.start();
  nginx = await NginxServer.prepare({ WEIR_NODES: nodes.places.join(' ') });
  caller = new TlsCaller(nginx.url, await nginx.writeCertificate());
  await nginx.start();
});
afterAll(async () => {
  await nginx.stop();
  await nodes.stop();
});
beforeEach(() => nodes.simulator.reset());

const toBody = (stream: boolean): object => ({ model: MODEL, messages: [{ role: 'user', content: 'Hello' }], stream });
const call = () => caller.send({ path: '/v1/chat/completions', key: nodes.key, body: toBody(false) });
const startLoad = (): Load => new Load(CALLERS, call);

/** So many streams that end when the gate opens, spread over the nodes. */
async function openStreams(gate: Gate): Promise<OpenAnswer[]> {
  const [first, ...rest] = chatEvents('held');
  nodes.simulator.enqueue(...Array.from({ length: STREAMS }, () => respond.stream(first, gate, ...rest)));
  return Promise.all(Array.from({ length: STREAMS }, () => caller.open({ path: '/v1/chat/completions', key: nodes.key, body: toBody(true) })));
}

/** By the node's own count. */
async function countOpen(index: number): Promise<number> {
  const [, count] = /^weir_open_requests (\d+)$/m.exec(await nodes.nodes[index].metrics()) ?? [];
  return Number(count);
}

async function waitForMore(load: Load, answers: number): Promise<void> {
  const seen = load.answered;
  await waitFor(() => load.answered >= seen + answers, { what: `${answers} more answers` });
}

async function countRows(): Promise<number> {
  const [{ rows }] = await nodes.database.query<{ rows: string }>("SELECT count(*) AS rows FROM usage_records WHERE status = 'succeeded'");
  return Number(rows);
}

/** True for a stream that came to its end, false for one that was cut. */
const isWhole = (stream: OpenAnswer): Promise<boolean> => stream.readToEnd().then((text) => text.includes('[DONE]'), () => false);

describe('Two Weirs behind Nginx, under load', () => {
  it('spreads what is open, and restarts both, one after the other, without losing a call or a stream', async () => {
    const gate = new Gate();
    const streams = await openStreams(gate);
    const open = [await countOpen(0), await countOpen(1)];
    expect(open[0] + open[1]).toBe(STREAMS);
    // Nginx' workers count together, but two of them may choose in the same moment.
    expect(Math.min(...open)).toBeGreaterThanOrEqual(STREAMS / 4);
    const load = startLoad();
    for (const [index, place] of nodes.places.entries()) {
      await waitForMore(load, 30);
      expect(await nginx.runScript('node.sh', 'out', place)).toMatchObject({ code: 0 });
      await waitForMore(load, 30);
      const stopped = nodes.nodes[index].stop();
      // The first node drains for as long as its streams take: both end when the gate opens.
      if (index === 0) gate.open();
      await stopped;
      expect(nodes.nodes[index].exitCode).toBe(0);
      await nodes.startAgain(index);
      expect(await nginx.runScript('node.sh', 'in', place)).toMatchObject({ code: 0 });
    }
    await waitForMore(load, 30);
    await load.stop();
    expect(await Promise.all(streams.map(isWhole))).toEqual(Array(STREAMS).fill(true));
    expect(load.failures).toEqual([]);
    // Every answer is in the ledger once.
    await waitFor(async () => (await countRows()) >= load.answered + STREAMS, { what: 'the last rows' });
    expect(await countRows()).toBe(load.answered + STREAMS);
  });

  it('goes on without a node that is killed: callers lose what it had open, and nothing after that', async () => {
    const gate = new Gate();
    const streams = await openStreams(gate);
    const held = await countOpen(1);
    expect(held).toBeGreaterThan(0);
    const load = startLoad();
    await waitForMore(load, 30);
    await nodes.nodes[1].kill();
    const goneMs = performance.now();
    await waitForMore(load, 60);
    await load.stop();
    gate.open();
    const whole = (await Promise.all(streams.map(isWhole))).filter((one) => one);
    expect(whole).toHaveLength(STREAMS - held);
    expect(load.failures.filter(({ startedMs }) => startedMs > goneMs)).toEqual([]);
    // Each caller has one request open at a time.
    expect(load.failures.length).toBeLessThanOrEqual(CALLERS);
    await nodes.startAgain(1);
  });

  it('answers 502 in the form that SDKs read, with a time to come again, when no node is left', async () => {
    await Promise.all(nodes.nodes.map((node) => node.stop()));
    const answer = await call();
    expect([answer.status, answer.headers['retry-after'], JSON.parse(answer.text).error.code]).toEqual([502, '1', 'gateway_unavailable']);
  });
});

describe('node.sh', () => {
  it('refuses to take the last node out, and leaves everything as it was', async () => {
    const [first, second] = nodes.places;
    expect(await nginx.runScript('node.sh', 'out', first)).toMatchObject({ code: 0 });
    const before = await readFile(nginx.path('weir.conf'), 'utf8');
    expect(await nginx.runScript('node.sh', 'out', second)).toMatchObject({ code: 1, output: expect.stringContaining('no node would be left') });
    expect(await readFile(nginx.path('weir.conf'), 'utf8')).toBe(before);
    expect(await readFile(nginx.path('nginx.env'), 'utf8')).toBe(`WEIR_NODES_OUT="${first}"\n`);
    expect(await nginx.runScript('node.sh', 'in', first)).toMatchObject({ code: 0 });
    expect(await nginx.runScript('node.sh', 'away', first)).toMatchObject({ code: 2 });
  });
});
