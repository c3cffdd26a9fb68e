import { chatEvents, errorEvent, Gate, respond } from '@weir/testing';
import { chat, type ChatAnswer, chatUntil, openChat, repeat, waitForUsageRows } from './support/chat';
import { type JsonValue } from './support/control-plane';
import { attempts, type PoolScene, refusedPlace, statuses, usePoolScene } from './support/pool-scene';
import { waitFor } from './support/wait-for';
import { addKey } from './support/weir';

describe('selection', () => {
  const pool = usePoolScene();
  const { simulator, other } = pool;

  it('shares calls by weight, and gives none to weight 0', async () => {
    const { model } = await pool.makeModelAt([
      { baseUrl: simulator.baseUrl, weight: 300 },
      { baseUrl: other.baseUrl, weight: 100 },
      { baseUrl: await refusedPlace(), weight: 0 },
    ]);
    const answers = await repeat(200, () => pool.chat(model));
    expect(statuses(answers)).toEqual([200]);
    expect([...new Set(answers.map(attempts))]).toEqual(['1']);
    // 150 are expected, with a standard deviation of 6.
    expect(simulator.calls.length).toBeGreaterThan(110);
    expect(simulator.calls.length).toBeLessThan(190);
    expect(simulator.calls.length + other.calls.length).toBe(200);
  });

  it('multiplies a target by the weight of its upstream', async () => {
    const { model, upstreamIds } = await pool.makeModelAt([{ baseUrl: simulator.baseUrl }, { baseUrl: other.baseUrl }]);
    await pool.weir.admin('PATCH', `/upstreams/${upstreamIds[0]}`, { weight: 0 });
    await waitFor(async () => {
      simulator.calls.length = 0;
      return statuses(await repeat(20, () => pool.chat(model))).includes(200) && simulator.calls.length === 0;
    });
  });

  it('leaves the first priority only when it can take nothing, and returns to it', async () => {
    const { model, upstreamIds } = await pool.makeModelAt([
      { baseUrl: simulator.baseUrl, weight: 1 },
      { baseUrl: other.baseUrl, priority: 1, weight: 1000 },
    ]);
    expect(statuses(await pool.chatInTurn(10, model))).toEqual([200]);
    expect(other.calls).toHaveLength(0);
    await pool.weir.admin('PATCH', `/upstreams/${upstreamIds[0]}`, { enabled: false });
    await waitFor(async () => (await pool.chat(model)).status === 200 && other.calls.length > 0, { what: 'the second priority' });
    other.calls.length = 0;
    await pool.weir.admin('PATCH', `/upstreams/${upstreamIds[0]}`, { enabled: true });
    simulator.calls.length = 0;
    await waitFor(async () => (await pool.chat(model)).status === 200 && simulator.calls.length > 0, { what: 'the first priority' });
  });

  it('a disabled upstream is called no more: 503 when it was the only one', async () => {
    const { model, upstreamId } = await pool.makeModel(1);
    await pool.weir.admin('PATCH', `/upstreams/${upstreamId}`, { enabled: false });
    const answer = await chatUntil(pool.weir, pool.key, model, 503);
    expect(answer.body.error.code).toBe('no_upstream_available');
    simulator.calls.length = 0;
    expect((await pool.chat(model)).status).toBe(503);
    expect(simulator.calls).toHaveLength(0);
    await pool.weir.admin('PATCH', `/upstreams/${upstreamId}`, { enabled: true });
    await chatUntil(pool.weir, pool.key, model, 200);
  });

  it('an upstream takes no more calls at once than its limit; streams count until their end', async () => {
    const { model, upstreamId } = await pool.makeModel(1, { settings: { concurrency: 2, options: { queue_timeout_ms: 0 } } });
    const gate = new Gate();
    const [first, ...rest] = chatEvents('Hello');
    simulator.enqueue(respond.stream(first, gate, ...rest), respond.echo().after(gate));
    const streamed = openChat(pool.weir, pool.key, model, { stream: true });
    await simulator.waitForCalls(1);
    const whole = pool.chat(model);
    await simulator.waitForCalls(2);
    expect(await pool.weir.admin('GET', `/upstreams/${upstreamId}`)).toMatchObject({ state: { open_calls: 2 } });
    const refused = await pool.chat(model);
    expect(refused).toMatchObject({ status: 503, body: { error: { code: 'no_upstream_available' } } });
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(simulator.calls).toHaveLength(2);
    gate.open();
    expect(await (await streamed).text()).toContain('data: [DONE]');
    expect((await whole).status).toBe(200);
    await chatUntil(pool.weir, pool.key, model, 200);
    expect(await pool.weir.admin('GET', `/upstreams/${upstreamId}`)).toMatchObject({ state: { open_calls: 0 } });
  });

  it('what is beyond the limit of one upstream goes to the other', async () => {
    const { model } = await pool.makeModelAt([{ baseUrl: simulator.baseUrl, settings: { concurrency: 1 } }, { baseUrl: other.baseUrl, priority: 1 }]);
    const gate = new Gate();
    simulator.enqueue(respond.echo().after(gate));
    const waiting = pool.chat(model);
    await simulator.waitForCalls(1);
    expect((await pool.chat(model)).status).toBe(200);
    expect(other.calls).toHaveLength(1);
    gate.open();
    expect((await waiting).status).toBe(200);
  });

  it.each([
    ['an error event', respond.stream(errorEvent())],
    ['an end without an event', respond.stream()],
    ['a reset', respond.stream({ ending: 'reset' })],
    ['a whole answer', respond.json({ id: 'not a stream' })],
  ])('of two upstreams one begins its stream with %s: the caller sees the other alone', async (_what, reply) => {
    const { model } = await pool.makeModelAt([{ baseUrl: simulator.baseUrl }, { baseUrl: other.baseUrl, priority: 1 }]);
    simulator.always(reply);
    const answer = await pool.chat(model, { stream: true, content: 'Hi' });
    expect(answer.status).toBe(200);
    expect(attempts(answer)).toBe('2');
    expect(answer.text).not.toContain('error');
    expect(answer.text.endsWith('data: [DONE]\n\n')).toBe(true);
    expect(answer.text).toContain('"content":"Hi"');
  });
});

describe('usage rows', () => {
  const pool = usePoolScene();
  const { simulator } = pool;

  it('has one row an attempt, each with what it was, and sums that agree with the answers', async () => {
    const caller = await addKey(pool.weir);
    const { model, upstreamId, keyIds, secrets } = await pool.makeModel(2);
    const call = (content: string, stream = false): Promise<ChatAnswer> => chat(pool.weir, caller.key, model, { content, stream });
    const price = { input_per_million_usd: 1, output_per_million_usd: 2 };
    const { data } = await pool.weir.admin<{ data: JsonValue[] }>('GET', `/models?search=${model}`);
    await pool.weir.admin('PATCH', `/models/${data[0].id}`, { price });
    await waitFor(async () => (await pool.chat(model)).headers.get('x-weir-cost-usd') !== null);

    simulator.enqueue(respond.openAiError('server_error'));
    const retried = await call('one two');
    expect(attempts(retried)).toBe('2');
    expect((await call('a caller who asks for the impossible')).status).toBe(200);
    simulator.enqueue(respond.openAiError('invalid_value'));
    const mistaken = await call('wrong');
    expect(mistaken.status).toBe(400);
    const streamed = await call('three four', true);
    expect(streamed.status).toBe(200);
    const left = await leaveStream(pool, caller.key, model);
    simulator.forKey(secrets[0], respond.openAiError('invalid_api_key'));
    const moved = [await call('five'), await call('six')];
    expect(moved.map(attempts).sort()).toEqual(['1', '2']);

    const rows = await waitForUsageRows(pool.weir, `key_id=${caller.id}`, 9);
    const idOf = (answer: ChatAnswer): string | null => answer.headers.get('x-request-id');
    const rowsOf = (id: string | null): JsonValue[] => rows.filter((row) => row.request_id === id).sort((a, b) => a.attempt - b.attempt);
    expect(rows).toHaveLength(9);
    expect(rowsOf(idOf(retried))).toMatchObject([
      { attempt: 1, status: 'failed', http_status: 500, input_tokens: 0, output_tokens: 0, cost_nanos: 0 },
      { attempt: 2, status: 'succeeded', http_status: 200, input_tokens: retried.body.usage.prompt_tokens, output_tokens: retried.body.usage.completion_tokens, estimated: false },
    ]);
    expect(rowsOf(idOf(mistaken))).toMatchObject([{ attempt: 1, status: 'failed', http_status: 400, output_tokens: 0 }]);
    expect(rowsOf(idOf(streamed))).toMatchObject([{ attempt: 1, status: 'succeeded', http_status: 200, estimated: false }]);
    expect(rowsOf(idOf(streamed))[0].output_tokens).toBeGreaterThan(0);
    expect(rowsOf(left)).toMatchObject([{ attempt: 1, status: 'aborted', http_status: 200 }]);
    const twice = moved.find((answer) => attempts(answer) === '2');
    expect(rowsOf(idOf(twice ?? moved[0]))).toMatchObject([
      { attempt: 1, status: 'failed', http_status: 401, upstream_key_id: keyIds[0] },
      { attempt: 2, status: 'succeeded', http_status: 200, upstream_key_id: keyIds[1] },
    ]);
    for (const row of rows) expect(row).toMatchObject({ key_id: caller.id, organization_id: caller.organizationId, model, upstream_id: upstreamId, upstream_model: `upstream-${model}`, operation: 'chat' });

    const sum = (field: string): number => rows.reduce((total, row) => total + row[field], 0);
    const { data: sums } = await pool.weir.admin<{ data: JsonValue[] }>('GET', `/usage?group_by=model&key_id=${caller.id}`);
    expect(sums).toHaveLength(1);
    expect(sums[0]).toMatchObject({
      model,
      requests: 7,
      attempts: 9,
      input_tokens: sum('input_tokens'),
      output_tokens: sum('output_tokens'),
      cost_nanos: sum('cost_nanos'),
    });
    expect(sum('cost_nanos')).toBe(sum('input_tokens') * 1_000 + sum('output_tokens') * 2_000);
    const [stored] = await pool.database.query<{ rows: number; distinct: number }>(
      'SELECT count(*)::int AS rows, count(DISTINCT (request_id, attempt))::int AS distinct FROM usage_records WHERE key_id = $1',
      [caller.id],
    );
    expect(stored).toEqual({ rows: 9, distinct: 9 });
  });

  it('a call that reached nobody has a row without a status, and one that was not admitted has none', async () => {
    const caller = await addKey(pool.weir, { limits: { rpm: 1 } });
    const { model } = await pool.makeModelAt([{ baseUrl: await refusedPlace() }]);
    expect((await chat(pool.weir, caller.key, model)).status).toBe(502);
    expect((await chat(pool.weir, caller.key, model)).status).toBe(429);
    const rows = await waitForUsageRows(pool.weir, `key_id=${caller.id}`, 3);
    expect(rows.map(({ attempt, status, http_status }) => ({ attempt, status, http_status }))).toEqual(
      [1, 2, 3].map((attempt) => ({ attempt, status: 'failed', http_status: null })),
    );
  });
});

/** Reads the first event of a stream and goes away; answers the request's id. */
async function leaveStream({ simulator, weir }: PoolScene, callerKey: string, model: string): Promise<string | null> {
  const [first, ...rest] = chatEvents('never read to the end');
  simulator.enqueue(respond.stream(first, new Gate(), ...rest));
  const controller = new AbortController();
  const response = await openChat(weir, callerKey, model, { stream: true, signal: controller.signal });
  await response.body?.getReader().read();
  controller.abort();
  await simulator.waitForAbort();
  return response.headers.get('x-request-id');
}
