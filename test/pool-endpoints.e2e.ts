import { chatEvents, Gate, respond } from '@weir/testing';
import { chatUntil, repeat } from './support/chat';
import { type JsonValue } from './support/control-plane';
import { attempts, refusedPlace, statuses, usePoolScene } from './support/pool-scene';

describe('endpoints that fail', () => {
  const pool = usePoolScene();
  const { simulator, other } = pool;

  beforeAll(async () => {
    // A tenth of the requests may be tried again: these make room for the retries of all tests here.
    const { model } = await pool.makeModel(1);
    expect(statuses(await repeat(200, () => pool.chat(model)))).toEqual([200]);
  });

  it('tries a 500 of the only key again, and the caller sees the success alone', async () => {
    const { model, upstreamId, keyIds } = await pool.makeModel(1);
    simulator.enqueue(respond.openAiError('server_error'));
    const answer = await pool.chat(model);
    expect(answer.status).toBe(200);
    expect(attempts(answer)).toBe('2');
    expect(answer.body.choices[0].message.content).toBe('Hello, Weir!');
    expect(await pool.upstreamKey(upstreamId, keyIds[0])).toMatchObject({ status: 'active' });
  });

  it('gives up after two retries, with 502', async () => {
    const { model } = await pool.makeModel(1);
    simulator.always(respond.openAiError('server_error'));
    const answer = await pool.chat(model);
    expect(answer).toMatchObject({ status: 502, body: { error: { code: 'upstream_error', type: 'server_error' } } });
    expect(simulator.calls).toHaveLength(3);
  });

  it('leaves an endpoint alone after five faults where there is another', async () => {
    const { model, upstreamIds, keyIds } = await pool.makeModelAt([{ baseUrl: simulator.baseUrl }, { baseUrl: other.baseUrl, priority: 1 }]);
    simulator.always(respond.openAiError('server_error'));
    const answers = await pool.chatInTurn(10, model);
    expect(statuses(answers)).toEqual([200]);
    expect(simulator.calls).toHaveLength(5);
    expect(answers.map(attempts)).toEqual([...Array<string>(5).fill('2'), ...Array<string>(5).fill('1')]);
    expect(await pool.weir.admin('GET', `/upstreams/${upstreamIds[0]}`)).toMatchObject({ state: { breaker: 'open' } });
    // Never the last key: it is the endpoint that is shut off.
    expect(await pool.upstreamKey(upstreamIds[0], keyIds[0])).toMatchObject({ status: 'active' });
    const health = (await (await fetch(`${pool.weir.url}/health/all`)).json()) as JsonValue;
    expect(health.upstreams.find(({ id }: { id: string }) => id === upstreamIds[0])).toMatchObject({ status: 'unhealthy', breaker: 'open' });
  });

  describe.each([
    ['a port where nobody listens', refusedPlace],
    ['a name that DNS does not know', async () => 'http://nobody-is-here.invalid/v1'],
  ])('an endpoint at %s', (_what, place) => {
    it('is replaced by the other upstream, and its key is not blamed', async () => {
      const { model, upstreamIds, keyIds } = await pool.makeModelAt([{ baseUrl: await place() }, { baseUrl: simulator.baseUrl, priority: 1 }]);
      const answers = await pool.chatInTurn(8, model);
      expect(statuses(answers)).toEqual([200]);
      expect(answers.map(attempts)).toEqual([...Array<string>(5).fill('2'), ...Array<string>(3).fill('1')]);
      expect(await pool.weir.admin('GET', `/upstreams/${upstreamIds[0]}`)).toMatchObject({ state: { breaker: 'open' } });
      expect(await pool.upstreamKey(upstreamIds[0], keyIds[0])).toMatchObject({ status: 'active', failure_count: 0 });
    });

    it('is all there is: 502 at first, then 503 with the time to come again, without a call', async () => {
      const { model, upstreamIds } = await pool.makeModelAt([{ baseUrl: await place() }, { baseUrl: await place() }]);
      const first = await pool.chat(model);
      expect(first).toMatchObject({ status: 502, body: { error: { code: 'upstream_error', type: 'server_error' } } });
      const refused = await chatUntil(pool.weir, pool.key, model, 503);
      expect(refused.body.error.code).toBe('no_upstream_available');
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(1);
      expect(Number(refused.headers.get('retry-after'))).toBeLessThanOrEqual(30);
      for (const id of upstreamIds) expect(await pool.weir.admin('GET', `/upstreams/${id}`)).toMatchObject({ state: { breaker: 'open' } });
    });
  });
});

describe('upstreams that take too long', () => {
  const pool = usePoolScene();
  const { simulator, other } = pool;

  it('504 when no first byte comes in time', async () => {
    const { model } = await pool.makeModel(1, { settings: { timeout_ms: 150 } });
    simulator.always(respond.never());
    const answer = await pool.chat(model);
    expect(answer).toMatchObject({ status: 504, body: { error: { code: 'upstream_timeout' } } });
    expect(simulator.calls).toHaveLength(3);
    for (const call of [...simulator.calls]) await simulator.waitForAbort(call);
  });

  it('504 when a stream does not begin in time', async () => {
    const { model } = await pool.makeModel(1, { settings: { timeout_ms: 150, stream_timeout_ms: 150 } });
    simulator.always(respond.headOnly());
    const answer = await pool.chat(model, { stream: true });
    expect(answer).toMatchObject({ status: 504, body: { error: { code: 'upstream_timeout' } } });
  });

  it('504 when a whole answer drips byte by byte beyond its time', async () => {
    const { model } = await pool.makeModel(1, { settings: { timeout_ms: 300 } });
    simulator.always(respond.slowly(JSON.stringify({ id: 'x'.repeat(500) }), { pieceBytes: 1, gapMs: 40 }));
    const answer = await pool.chat(model);
    expect(answer).toMatchObject({ status: 504, body: { error: { code: 'upstream_timeout' } } });
    for (const call of [...simulator.calls]) await simulator.waitForAbort(call);
  });

  it('another upstream answers when the first is silent', async () => {
    const { model } = await pool.makeModelAt([
      { baseUrl: simulator.baseUrl, settings: { timeout_ms: 150 } },
      { baseUrl: other.baseUrl, priority: 1 },
    ]);
    simulator.always(respond.never());
    const answer = await pool.chat(model);
    expect(answer.status).toBe(200);
    expect(attempts(answer)).toBe('2');
  });

  it('a stream that falls silent in its middle ends with an error event and no [DONE]', async () => {
    const { model } = await pool.makeModel(1, { settings: { stream_timeout_ms: 200 } });
    const [first, second] = chatEvents('Hello');
    simulator.enqueue(respond.stream(first, second, new Gate()));
    const answer = await pool.chat(model, { stream: true });
    expect(answer.status).toBe(200);
    expect(answer.text).toContain('"error"');
    expect(answer.text).toContain('upstream_timeout');
    expect(answer.text).not.toContain('[DONE]');
    expect(simulator.calls).toHaveLength(1);
  });
});
