import { chatEvents, Gate, respond } from '@weir/testing';
import { openChat } from './support/chat';
import { MeterScene } from './support/meter-scene';
import { waitFor } from './support/wait-for';
import { addKey, addUpstream } from './support/weir';

const ROUTE = 'calls/*';
const STREAMS = 200;
const ROUNDS = 20;

/** mulberry32: the same moments on every machine. */
function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

describe.each([
  ['with Redis', true],
  ['in one process without Redis', false],
])('a process that is killed under load, %s', (_name, withRedis) => {
  let scene: MeterScene;

  beforeAll(async () => {
    scene = await MeterScene.start({ withRedis });
    const { id } = await addUpstream(scene.weir, { name: 'simulator', provider: 'openai-compatible', baseUrl: scene.simulator.baseUrl, secrets: ['sk-simulated-0123456789'] });
    await scene.weir.admin('POST', '/models', {
      name: ROUTE,
      operation: 'chat',
      price: { input_per_million_usd: 1, output_per_million_usd: 1000 },
      targets: [{ upstream_id: id, upstream_model: '*' }],
    });
  });
  afterAll(() => scene.stop());

  /** Some wait in their middle until the gate opens, some end at once. */
  function scriptStreams(random: () => number, gate: Gate): void {
    const events = chatEvents('a stream that may be under way when its process is killed');
    for (let index = 0; index < STREAMS; index++) {
      const at = Math.floor(random() * (events.length + 1));
      scene.simulator.enqueue(random() < 0.5 ? respond.stream(...events.slice(0, at), gate, ...events.slice(at)) : respond.stream(...events));
    }
  }

  /** Each call has a model's name of its own, which the simulator sees and the row keeps. */
  function openStreams(key: string, round: number, onRefused: () => void): Promise<unknown>[] {
    return Array.from({ length: STREAMS }, (_, index) =>
      openChat(scene.weir, key, `calls/${round}-${index}`, { stream: true, fields: { max_tokens: 100 } })
        .then((response) => {
          if (response.status !== 200) onRefused();
          return response.text();
        })
        .catch(() => null),
    );
  }

  it(`leaves a row for every call that the upstream saw, none twice, and books that balance (killed ${ROUNDS} times under ${STREAMS} streams)`, async () => {
    const random = seededRandom(20261121);
    const { id, key } = await addKey(scene.weir, { budgets: [{ amount_usd: 4_000_000, period: 'total' }], limits: { concurrency: 10_000, tpm: 1_000_000_000 } });
    await waitFor(async () => (await openChat(scene.weir, key, 'calls/first')).status === 200);
    for (let round = 0; round < ROUNDS; round++) {
      const gate = new Gate();
      scriptStreams(random, gate);
      const killAt = scene.simulator.calls.length + Math.floor(random() * STREAMS);
      let refused = 0;
      const streams = openStreams(key, round, () => (refused += 1));
      // A process that has just been started may refuse some while it counts the budget from the ledger.
      await waitFor(() => scene.simulator.calls.length + refused >= killAt, { intervalMs: 1 });
      await scene.weir.kill();
      scene.weirs.shift();
      await Promise.all(streams);
      gate.open();
      await scene.startWeir();
    }
    const spentNanos = await scene.settledNanos(id);
    const rows = await scene.query<{ model: string; status: string }>('SELECT model, status FROM usage_records WHERE key_id = $1', [id]);
    const rowModels = rows.map(({ model }) => model);
    const seenModels = scene.simulator.calls.map((call) => `calls/${String(call.json.model)}`);
    expect(new Set(seenModels).size).toBeGreaterThan(ROUNDS);
    expect(seenModels.filter((model) => !rowModels.includes(model))).toEqual([]);
    expect(new Set(rowModels).size).toBe(rowModels.length);
    expect(new Set(rows.map(({ status }) => status))).toEqual(new Set(['succeeded', 'unknown']));
    const { costNanos } = await scene.sumLedger(id);
    expect(spentNanos).toBe(costNanos);
    const [{ hourly, daily }] = await scene.query<{ hourly: string; daily: string }>(
      'SELECT (SELECT sum(cost_nanos) FROM usage_hourly WHERE key_id = $1) AS hourly, (SELECT sum(cost_nanos) FROM usage_daily WHERE key_id = $1) AS daily',
      [id],
    );
    expect([Number(hourly), Number(daily)]).toEqual([costNanos, costNanos]);
  }, 600_000);
});
