import { chatAnswer, Gate, respond, UpstreamSimulator } from '@weir/testing';
import { type ChatAnswer, openChat, readAnswer, repeat, waitForUsageRows } from './support/chat';
import { type JsonValue } from './support/control-plane';
import { attempts, statuses, usePoolScene } from './support/pool-scene';
import { waitFor } from './support/wait-for';
import { addKey, addUpstream, waitForModel } from './support/weir';

const pool = usePoolScene();
const { simulator, other } = pool;

/** Two upstreams, the first at the simulator, and a model at both, in this order. */
async function makePair(fields: Readonly<Record<string, unknown>> = {}, setups: readonly Partial<Parameters<typeof addUpstream>[1]>[] = []): Promise<{ model: string; upstreamIds: string[]; names: string[] }> {
  const model = pool.nextName();
  const names = [`${model}-one`, `${model}-two`];
  const upstreamIds: string[] = [];
  for (const [index, name] of names.entries()) {
    const made = await addUpstream(pool.weir, { name, baseUrl: [simulator, other][index].baseUrl, secrets: [`sk-${name}-0123456789`], ...setups[index] });
    upstreamIds.push(made.id);
  }
  const targets = upstreamIds.map((upstream_id) => ({ upstream_id, upstream_model: 'm' }));
  await pool.offer(model, [], { strategy: 'priority', targets, ...fields });
  return { model, upstreamIds, names };
}

const upstreamOf = ({ headers }: Pick<ChatAnswer, 'headers'>): string | null => headers.get('x-weir-upstream');

describe('fallbacks', () => {
  const PRICE = (usd: number) => ({ price: { per_request_usd: usd } });
  let fallback: Awaited<ReturnType<typeof makePair>>;
  let model: string;

  beforeAll(async () => {
    fallback = await makePair(PRICE(0.02), [{ baseUrl: other.baseUrl }, { baseUrl: other.baseUrl }]);
    model = pool.nextName();
    const { id } = await addUpstream(pool.weir, { name: `upstream of ${model}`, baseUrl: simulator.baseUrl, secrets: ['sk-first-0123456789', 'sk-second-0123456789'] });
    await pool.offer(model, [id], { fallbacks: [fallback.model], ...PRICE(0.001) });
  });

  it('another model answers, and the answer says which', async () => {
    simulator.default(respond.openAiError('insufficient_quota'));
    const answer = await pool.chat(model);
    expect(answer.status).toBe(200);
    expect([answer.headers.get('x-weir-model'), upstreamOf(answer)]).toEqual([fallback.model, fallback.names[0]]);
    const streamed = await openChat(pool.weir, pool.key, model, { stream: true });
    expect([streamed.status, streamed.headers.get('x-weir-model')]).toEqual([200, fallback.model]);
    expect(await streamed.text()).toContain('[DONE]');
  });

  it('only one that the caller’s key may use', async () => {
    simulator.default(respond.openAiError('insufficient_quota'));
    const { key } = await addKey(pool.weir, { models: [model] });
    await waitForModel(pool.weir, key, model);
    const answer = await readAnswer(await openChat(pool.weir, key, model));
    expect(answer).toMatchObject({ status: 503, body: { error: { code: 'no_upstream_available' } } });
    expect(other.calls).toHaveLength(0);
  });

  it('the hold is for the dearest of all that may be called', async () => {
    const statusFor = async (usd: string): Promise<number> => {
      const { key } = await addKey(pool.weir, { budgets: [{ amount_usd: usd, period: 'day' }] });
      await waitForModel(pool.weir, key, model);
      return (await readAnswer(await openChat(pool.weir, key, model))).status;
    };
    expect(await statusFor('0.019')).toBe(429);
    expect(await statusFor('0.021')).toBe(200);
  });

  it('never after a mistake of the caller’s own', async () => {
    const first = await makePair({ fallbacks: [fallback.model] }, [{}, { baseUrl: simulator.baseUrl }]);
    simulator.default(respond.openAiError('context_length_exceeded'));
    const answer = await pool.chat(first.model);
    expect(answer.status).toBe(400);
    expect(answer.headers.get('x-weir-model')).toBeNull();
    expect(other.calls).toHaveLength(0);
  });
});

describe('the line for an upstream that is full', () => {
  it('two organizations share it alike, however one floods it', async () => {
    const { model } = await pool.makeModel(1, { settings: { concurrency: 2 } });
    const { key: quiet } = await addKey(pool.weir);
    await waitForModel(pool.weir, quiet, model);
    simulator.default(respond.json(chatAnswer('Hello')).after(20));
    let isOver = false;
    const served = new Map([[pool.key, 0], [quiet, 0]]);
    // The quiet one has always somebody in line, too, but far fewer.
    const call = async (key: string): Promise<void> => {
      while (!isOver) {
        expect((await readAnswer(await openChat(pool.weir, key, model))).status).toBe(200);
        served.set(key, (served.get(key) ?? 0) + 1);
      }
    };
    const flood = repeat(40, () => call(pool.key));
    await simulator.waitForCalls(10);
    const calling = repeat(8, () => call(quiet));
    await waitFor(() => (served.get(quiet) ?? 0) >= 10);
    const [floodedBefore, quietBefore] = [...served.values()];
    await waitFor(() => (served.get(quiet) ?? 0) >= quietBefore + 100);
    const [flooded, quietly] = [...served.values()];
    isOver = true;
    await Promise.all([flood, calling]);
    const share = (quietly - quietBefore) / (quietly - quietBefore + flooded - floodedBefore);
    expect(share).toBeGreaterThan(0.45);
    expect(share).toBeLessThan(0.55);
  });

  it('who stands in it is told where, who leaves it frees the place, and is not called', async () => {
    const { model, upstreamId } = await pool.makeModel(1, { settings: { concurrency: 1 } });
    const gate = new Gate();
    simulator.enqueue(respond.echo().after(gate));
    const first = pool.chat(model);
    await simulator.waitForCalls(1);
    const waiting = async (count: number): Promise<unknown> => waitFor(async () => (await pool.weir.admin<JsonValue>('GET', `/upstreams/${upstreamId}`)).state.waiting_calls === count, { what: `${count} in line` });
    const leaving = new AbortController();
    const left = pool.chat(model, { content: 'left', signal: leaving.signal }).catch(() => null);
    await waiting(1);
    const last = pool.chat(model, { content: 'stayed' });
    await waiting(2);
    leaving.abort();
    expect(await left).toBeNull();
    await waiting(1);
    gate.open();
    expect((await first).headers.get('x-weir-queue-position')).toBeNull();
    const answer = await last;
    expect([answer.status, answer.headers.get('x-weir-queue-position')]).toEqual([200, '2']);
    expect(simulator.calls.map(({ json }) => json.messages[0].content)).toEqual(['Hello, Weir!', 'stayed']);
  });

  it('nobody waits longer than queue_timeout_ms', async () => {
    const { model } = await pool.makeModel(1, { settings: { concurrency: 1, options: { queue_timeout_ms: 300 } } });
    const gate = new Gate();
    simulator.enqueue(respond.echo().after(gate));
    const first = pool.chat(model);
    await simulator.waitForCalls(1);
    const startedMs = performance.now();
    const refused = await pool.chat(model);
    expect(performance.now() - startedMs).toBeGreaterThan(290);
    expect(refused).toMatchObject({ status: 503, body: { error: { code: 'no_upstream_available' } } });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    gate.open();
    expect((await first).status).toBe(200);
    expect(simulator.calls).toHaveLength(1);
  });
});

describe('a strategy', () => {
  it('least-busy: who holds a call is passed over', async () => {
    const { model } = await makePair({ strategy: 'least-busy' });
    const gate = new Gate();
    simulator.enqueue(respond.echo().after(gate));
    other.enqueue(respond.echo().after(gate));
    const held = pool.chat(model);
    await waitFor(() => simulator.calls.length + other.calls.length === 1);
    const [busy, idle] = simulator.calls.length === 1 ? [simulator, other] : [other, simulator];
    idle.reset();
    expect(statuses(await pool.chatInTurn(8, model))).toEqual([200]);
    expect([busy.calls.length, idle.calls.length]).toEqual([1, 8]);
    gate.open();
    await held;
  });

  it('lowest-latency: the faster one gets nearly all', async () => {
    const { model } = await makePair({ strategy: 'lowest-latency' });
    simulator.default(respond.echo().after(60));
    await pool.chatInTurn(6, model);
    simulator.calls.length = 0;
    other.calls.length = 0;
    await pool.chatInTurn(20, model);
    expect(other.calls.length).toBeGreaterThanOrEqual(17);
  });

  it('lowest-cost: the cheaper one gets all, until it fails', async () => {
    const { upstreamIds, names } = await makePair();
    const cheap = pool.nextName();
    const targets = [
      { upstream_id: upstreamIds[0], upstream_model: 'gpt-4o' },
      { upstream_id: upstreamIds[1], upstream_model: 'gpt-4o-mini' },
    ];
    await pool.offer(cheap, [], { strategy: 'lowest-cost', targets });
    const answers = await pool.chatInTurn(10, cheap);
    expect(new Set(answers.map(upstreamOf))).toEqual(new Set([names[1]]));
    other.default(respond.openAiError('insufficient_quota'));
    expect(upstreamOf(await pool.chat(cheap))).toBe(names[0]);
  });
});

describe('a session', () => {
  const turn = (user: string | undefined, messages: readonly object[]) => ({ fields: { messages, ...(user === undefined ? {} : { user }) } });
  const hello = (text: string) => ({ role: 'user', content: text });

  it('stays with one key while it grows, and moves when that fails', async () => {
    const { upstreamId } = await pool.makeModel(5);
    const session = pool.nextName();
    await pool.offer(session, [upstreamId], { affinity: 'session' });
    const keyOf = async (options: Parameters<typeof pool.chat>[1]): Promise<string | null> => {
      expect((await pool.chat(session, options)).status).toBe(200);
      return simulator.calls[simulator.calls.length - 1].key;
    };
    const named = new Set<string | null>();
    for (let index = 0; index < 6; index += 1) named.add(await keyOf(turn('ada', [hello(`turn ${index}`)])));
    expect(named.size).toBe(1);
    const system = { role: 'system', content: 'Be short.' };
    const unnamed = new Set<string | null>();
    for (let turns = 1; turns <= 5; turns += 1) {
      const talk = Array.from({ length: turns }, (_, index) => [{ role: 'assistant', content: `answer ${index}` }, hello(`question ${index}`)]).flat();
      unnamed.add(await keyOf(turn(undefined, [system, hello('How it began'), ...talk])));
    }
    expect(unnamed.size).toBe(1);
    const all = new Set<string | null>();
    for (let index = 0; index < 20; index += 1) all.add(await keyOf(turn(`user ${index}`, [hello('Hi')])));
    expect(all.size).toBeGreaterThan(2);
    const [home] = named;
    simulator.forKey(home ?? '', respond.rateLimited({ retryAfterSeconds: 60 }), respond.echo());
    const moved = new Set<string | null>();
    for (let index = 0; index < 4; index += 1) moved.add(await keyOf(turn('ada', [hello('again')])));
    expect(moved.size).toBe(1);
    expect(moved).not.toEqual(named);
  });
});

describe('hedging', () => {
  it('a stalled embedding is overtaken: one answer, both rows told', async () => {
    const { model, names } = await makePair({ operation: 'embeddings' });
    const embed = () => pool.weir.post('/v1/embeddings', pool.key, { model, input: 'Hello!' });
    // After 20 calls it is known what is late; of 20 more, one may be made twice.
    for (let index = 0; index < 20; index += 1) expect((await embed()).status).toBe(200);
    // On a busy machine one may be late of itself, and be made twice: then 20 more must come.
    for (let inTime = 0; inTime < 25; inTime += 1) {
      const before = other.calls.length;
      expect((await embed()).status).toBe(200);
      if (other.calls.length > before) inTime = 0;
    }
    simulator.enqueue(respond.never());
    const answer = await embed();
    expect([answer.status, upstreamOf(answer), answer.headers.get('x-weir-attempts')]).toEqual([200, names[1], '2']);
    expect(((await answer.json()) as JsonValue).data).toHaveLength(1);
    await simulator.waitForAbort();
    const requestId = answer.headers.get('x-request-id') ?? '';
    const rows = await waitForUsageRows(pool.weir, `request_id=${requestId}`, 2);
    expect(rows.map(({ attempt, status }) => [attempt, status]).sort()).toEqual([[1, 'aborted'], [2, 'succeeded']]);
  });

  it('a chat is never asked twice', async () => {
    const { model } = await makePair();
    await pool.chatInTurn(25, model);
    const gate = new Gate();
    simulator.enqueue(respond.echo().after(gate));
    const waiting = pool.chat(model);
    await simulator.waitForCalls(26);
    await pool.chatInTurn(1, model);
    setTimeout(() => gate.open(), 150);
    expect(attempts(await waiting)).toBe('1');
    expect(other.calls).toHaveLength(0);
  });
});

describe('health probes', () => {
  it('close an upstream whose host is gone, and open it again', async () => {
    const fragile = await new UpstreamSimulator().start();
    fragile.forPath('/health', respond.json({}));
    const { model, upstreamIds } = await makePair({}, [{ baseUrl: fragile.baseUrl, options: { probe_path: '/health', probe_interval_ms: 1_000 } }]);
    const stateOf = async (): Promise<JsonValue> => (await pool.weir.admin<JsonValue>('GET', `/upstreams/${upstreamIds[0]}`)).state;
    const waitForProbe = (status: string) => waitFor(async () => (await stateOf()).probe?.status === status, { what: `the probe to say ${status}` });
    await waitForProbe('reachable');
    expect(fragile.calls.every(({ key, method }) => key === null && method === 'GET')).toBe(true);
    await fragile.stop();
    await waitForProbe('unreachable');
    await waitFor(async () => (await stateOf()).breaker !== 'closed' && JSON.stringify(await stateOf()).includes('open'), { what: 'the breaker to open' });
    const answer = await pool.chat(model);
    expect([answer.status, attempts(answer)]).toEqual([200, '1']);
    await fragile.start();
    await waitForProbe('reachable');
    await waitFor(async () => {
      await pool.chat(model);
      return fragile.calls.some(({ method }) => method === 'POST');
    }, { what: 'calls to come back' });
    await fragile.stop();
  });
});

describe('a target that cannot', () => {
  it('does not have the model: the next one is asked', async () => {
    const { model, names } = await makePair();
    simulator.default(respond.openAiError('model_not_found'));
    const answer = await pool.chat(model);
    expect([answer.status, upstreamOf(answer), attempts(answer)]).toEqual([200, names[1], '2']);
    other.default(respond.openAiError('model_not_found'));
    expect(await pool.chat(model)).toMatchObject({ status: 404, body: { error: { code: 'model_not_found' } } });
  });

  it('does not speak the dialect in which the request can be said: the one that does is asked', async () => {
    const { model, names } = await makePair({}, [{ provider: 'anthropic', baseUrl: simulator.origin }]);
    const answer = await pool.chat(model, { fields: { n: 2 } });
    expect([answer.status, upstreamOf(answer)]).toEqual([200, names[1]]);
    expect(simulator.calls).toHaveLength(0);
    // It would be wrong to call the request wrong while the one that could take it is only throttled.
    other.default(respond.rateLimited({ retryAfterSeconds: 30 }));
    const throttled: readonly ChatAnswer[] = [await pool.chat(model, { fields: { n: 2 } }), await pool.chat(model, { fields: { n: 2 } })];
    expect(throttled.map(({ status }) => status)).toEqual([503, 503]);
  });

  it('where none can say it, the caller is told why', async () => {
    const { model } = await makePair({}, [{ provider: 'anthropic', baseUrl: simulator.origin }, { provider: 'anthropic', baseUrl: other.origin }]);
    expect(await pool.chat(model, { fields: { n: 2 } })).toMatchObject({ status: 400, body: { error: { param: 'n' } } });
    expect(simulator.calls.length + other.calls.length).toBe(0);
  });
});
