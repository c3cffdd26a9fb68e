import { setTimeout as sleep } from 'node:timers/promises';
import { Gate, respond } from '@weir/testing';
import { chat, openChat, repeat } from './support/chat';
import { MeterScene } from './support/meter-scene';
import { waitFor } from './support/wait-for';

const MODEL = 'shared';
const MINUTE_MS = 60_000;

let scene: MeterScene;

beforeAll(async () => {
  scene = await MeterScene.start({ processes: 2 });
  await scene.makeModel(MODEL, { per_request_usd: 0 });
});
afterAll(() => scene.stop());
beforeEach(() => scene.simulator.reset());

const weirOf = (index: number) => scene.weirs[index % scene.weirs.length];

describe('two processes that share a limit', () => {
  it('of 600 a minute admit 98 to 100 % of it, and never more than 600 in any trailing 60 seconds', async () => {
    const { key } = await scene.makeKey(MODEL, { limits: { rpm: 600, rpd: 0 } });
    // When the upstream was called: between being admitted and that lies less than a call's time, which errs both ways.
    const admittedMs: number[] = [];
    const startedMs = performance.now();
    const ask = async (index: number): Promise<void> => {
      const askedMs = performance.now();
      const { status } = await chat(weirOf(index), key, MODEL);
      if (status === 200) admittedMs.push(askedMs);
    };
    // A burst of more than twice the limit, then a steady pressure of more than the limit until it has freed again.
    for (let burst = 0; burst < 14; burst++) await repeat(100, ask);
    expect(admittedMs).toHaveLength(600);
    while (performance.now() - startedMs < MINUTE_MS + 8_000) {
      await repeat(6, ask);
      await sleep(200);
    }
    admittedMs.sort((a, b) => a - b);
    // By when they were asked: who was asked later was admitted later by no more than the longest call.
    for (let first = 0; first + 600 < admittedMs.length; first++) expect(admittedMs[first + 600] - admittedMs[first]).toBeGreaterThan(MINUTE_MS - 1_000);
    expect(admittedMs.length).toBeGreaterThan(600);
  });

  it('of tokens a minute take the estimate at once, and give back what was not used', async () => {
    const { key } = await scene.makeKey(MODEL, { limits: { rpm: 0, rpd: 0, tpm: 1000 } });
    const large = { fields: { max_tokens: 600 } };
    const gate = new Gate();
    scene.simulator.enqueue(respond.echo().after(gate));
    const first = chat(weirOf(0), key, MODEL, large);
    await scene.simulator.waitForCalls(1);
    const refused = await chat(weirOf(1), key, MODEL, large);
    expect(refused.status).toBe(429);
    expect(refused.body.error.message).toContain('tokens per minute');
    expect(refused.headers.get('x-ratelimit-limit-tokens')).toBe('1000');
    gate.open();
    expect((await first).status).toBe(200);
    await waitFor(async () => (await chat(weirOf(1), key, MODEL, large)).status === 200);
  });

  it('of requests open at once hold it over both, free it at the end of each, and of a process that was killed after its leases expire', async () => {
    const { key } = await scene.makeKey(MODEL, { limits: { rpm: 0, rpd: 0, concurrency: 4 } });
    const gate = new Gate();
    scene.simulator.default(respond.echo().after(gate));
    const open = Array.from({ length: 4 }, (_, index) => openChat(weirOf(index), key, MODEL));
    await scene.simulator.waitForCalls(4);
    const refused = await chat(weirOf(1), key, MODEL);
    expect(refused.status).toBe(429);
    expect(refused.body.error.message).toMatch(/open|concurren/i);
    gate.open();
    expect((await Promise.all(open)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    await waitFor(async () => (await chat(weirOf(0), key, MODEL)).status === 200);
  });
});

describe('a caller that leaves', () => {
  it.each([
    ['before the first token', 0],
    ['after the first token', 2],
  ])('%s stops the upstream at once, and its lease is free', async (_when, events) => {
    const { key } = await scene.makeKey(MODEL, { limits: { rpm: 0, rpd: 0, concurrency: 1 } });
    const gate = new Gate();
    const pieces = Array.from({ length: events }, (_, index) => `data: {"choices":[{"index":0,"delta":{"content":"${index}"}}]}\n\n`);
    scene.simulator.enqueue(respond.stream(...pieces, gate, 'data: [DONE]\n\n'));
    const leaving = new AbortController();
    const answer = openChat(weirOf(0), key, MODEL, { stream: true, signal: leaving.signal }).catch(() => null);
    const [call] = await scene.simulator.waitForCalls(1);
    if (events > 0) await (await answer)?.body?.getReader().read();
    leaving.abort();
    await scene.simulator.waitForAbort(call);
    await waitFor(async () => (await chat(weirOf(1), key, MODEL)).status === 200);
    gate.open();
  });
});
