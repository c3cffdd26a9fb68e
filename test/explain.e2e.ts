import { Gate, respond } from '@weir/testing';
import { chat, type ChatAnswer, openChat, readAnswer } from './support/chat';
import { type JsonValue } from './support/control-plane';
import { MeterScene } from './support/meter-scene';
import { waitFor } from './support/wait-for';
import { addModel, addUpstream } from './support/weir';

const PRICED = 'priced';
const UNPRICED = 'unpriced';
const MESSAGES = [{ role: 'user', content: 'Hello, Weir!' }];

describe.each([
  ['two processes on one Redis', { processes: 2, withRedis: true }],
  ['one process without Redis', { processes: 1, withRedis: false }],
])('POST /v1/explain, %s', (_name, options) => {
  let scene: MeterScene;

  beforeAll(async () => {
    scene = await MeterScene.start(options);
    await scene.makeModel(PRICED, { per_request_usd: '0.01', output_per_million_usd: 2 });
    await scene.makeModel(UNPRICED, null);
    await scene.makeModel('embed', { input_per_million_usd: 1 }, { operation: 'embeddings' });
  });
  afterAll(() => scene.stop());
  beforeEach(() => scene.simulator.reset());

  /** Of the process that did not serve the calls, where there are two. */
  const ask = async (key: string | null, body: unknown): Promise<ChatAnswer> => readAnswer(await scene.weirs[scene.weirs.length - 1].post('/v1/explain', key, body));
  const explain = async (key: string, model: string, fields: object = {}): Promise<JsonValue> => (await ask(key, { request: { model, messages: MESSAGES, ...fields } })).body;
  const findLimit = (explanation: JsonValue, name: string): JsonValue => explanation.limits.find(({ limit }: JsonValue) => limit === name);

  it('says of a call that would be admitted where it would go, what it may cost, and what is left of every limit', async () => {
    const { key, organizationId } = await scene.makeKey(PRICED, { limits: { rpm: 10, tpm: 10_000, concurrency: 3 }, budgets: [{ amount_usd: '0.05', period: 'month', model: PRICED }] });
    const answer = await ask(key, { request: { model: PRICED, messages: MESSAGES, max_tokens: 50 } });
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({
      object: 'explanation',
      operation: 'chat',
      model: PRICED,
      admitted: true,
      refusal: null,
      key: { public_id: key.slice('sk-weir-'.length, key.indexOf('_')), organization_id: organizationId, project_id: null },
      route: { model: PRICED, targets: [{ upstream_model: `upstream-${PRICED}`, enabled: true }] },
      estimate: { most_output_tokens: 50, most_cost_usd: '0.0101', least_hold_usd: '0.0101' },
    });
    expect(answer.body.limits.map(({ limit, scope, used, remaining }: JsonValue) => [limit, scope, used, remaining])).toEqual(
      expect.arrayContaining([
        ['requests_per_minute', 'key', 0, 10],
        ['tokens_per_minute', 'key', 0, 10_000],
        ['concurrency', 'key', 0, 3],
      ]),
    );
    expect(findLimit(answer.body, 'budget')).toMatchObject({ model: PRICED, period: 'month', unit: 'nanos', max_usd: '0.05', used_usd: '0', remaining_usd: '0.05' });
    expect(answer.text).not.toContain('Hello');
  });

  it('takes nothing and calls nothing, however often it is asked', async () => {
    const { id, key } = await scene.makeKey(PRICED, { limits: { rpm: 2, rpd: 2, tpm: 100_000, concurrency: 1 }, budgets: [{ amount_usd: '0.03', period: 'total' }] });
    const explanations = await Promise.all(Array.from({ length: 30 }, () => explain(key, PRICED, { max_tokens: 5 })));
    expect(explanations.filter(({ admitted }) => admitted === true)).toHaveLength(30);
    expect(scene.simulator.calls).toHaveLength(0);
    const { data } = await scene.weir.admin<{ data: JsonValue[] }>('GET', `/limits?key_id=${id}`);
    expect(data[0].limits.map(({ used }: JsonValue) => used)).toEqual([0, 0, 0, 0]);
    expect(data[0].budgets[0]).toMatchObject({ spent_usd: '0', held_usd: '0' });
    expect((await chat(scene.weir, key, PRICED, { fields: { max_tokens: 5 } })).status).toBe(200);
    await scene.settledNanos(id);
    expect(findLimit(await explain(key, PRICED, { max_tokens: 5 }), 'requests_per_minute')).toMatchObject({ used: 1, remaining: 1 });
    expect((await scene.sumLedger(id)).rows).toBeLessThanOrEqual(1);
  });

  it('says which window refuses, with what the call itself would be told', async () => {
    const { key } = await scene.makeKey(PRICED, { limits: { rpm: 1 } });
    expect((await chat(scene.weir, key, PRICED)).status).toBe(200);
    const explanation = await explain(key, PRICED);
    expect(explanation).toMatchObject({ admitted: false, refusal: { status: 429, code: 'rate_limit_exceeded' }, route: { model: PRICED } });
    expect(explanation.refusal.message).toContain('requests per minute of this key: limit 1, used 1');
    expect(explanation.refusal.retry_after_ms).toBeGreaterThan(0);
    expect(findLimit(explanation, 'requests_per_minute')).toMatchObject({ refused: true, remaining: 0 });
    const refused = await chat(scene.weir, key, PRICED);
    const withoutTime = (text: string): string => text.replace(/Try again in .*/, '');
    expect(withoutTime(refused.body.error.message)).toBe(withoutTime(explanation.refusal.message));
  });

  it('says that a request is larger than the limit of tokens ever lets through', async () => {
    const { key } = await scene.makeKey(PRICED, { limits: { tpm: 100 } });
    const { refusal } = await explain(key, PRICED, { max_tokens: 500 });
    expect(refusal).toMatchObject({ status: 429, retry_after_ms: null });
    expect(refusal.message).toContain('larger than the limit for tokens per minute');
  });

  it('says that too many requests are open, until one has ended', async () => {
    const { key } = await scene.makeKey(PRICED, { limits: { concurrency: 1 } });
    const gate = new Gate();
    scene.simulator.enqueue(respond.echo().after(gate));
    const open = openChat(scene.weir, key, PRICED);
    await scene.simulator.waitForCalls(1);
    const explanation = await explain(key, PRICED);
    expect(explanation).toMatchObject({ admitted: false, refusal: { code: 'rate_limit_exceeded' } });
    expect(findLimit(explanation, 'concurrency')).toMatchObject({ unit: 'open_requests', used: 1, remaining: 0, refused: true });
    gate.open();
    expect((await open).status).toBe(200);
    await waitFor(async () => (await explain(key, PRICED)).admitted === true);
  });

  it('says which budget refuses, its money, and when it begins anew', async () => {
    const { id, key } = await scene.makeKey(PRICED, { budgets: [{ amount_usd: '0.015', period: 'day' }, { amount_usd: 5, period: 'month' }] });
    expect((await chat(scene.weir, key, PRICED, { fields: { max_tokens: 1 } })).status).toBe(200);
    await scene.settledNanos(id);
    const explanation = await explain(key, PRICED, { max_tokens: 1 });
    expect(explanation).toMatchObject({ admitted: false, refusal: { status: 429, code: 'budget_exceeded' } });
    expect(explanation.refusal.message).toContain('for this day');
    const refusing = explanation.limits.filter(({ refused }: JsonValue) => refused === true);
    expect(refusing).toHaveLength(1);
    expect(refusing[0]).toMatchObject({ limit: 'budget', period: 'day', max_usd: '0.015' });
    expect(refusing[0].resets_in_ms).toBeLessThanOrEqual(86_400_000);
  });

  it('holds for the dearest of all that may answer, and names the fallbacks that the key may use', async () => {
    await scene.makeModel('dear', { per_request_usd: '0.5', output_per_million_usd: 2 });
    await scene.makeModel('hidden', { per_request_usd: 100 });
    await scene.makeModel('asked', { per_request_usd: '0.01', output_per_million_usd: 2 }, { fallbacks: ['dear', 'hidden'] });
    const { key } = await scene.makeKey('asked', { models: ['asked', 'dear'], budgets: [{ amount_usd: '0.4', period: 'total' }] });
    const explanation = await explain(key, 'asked', { max_tokens: 50 });
    expect(explanation).toMatchObject({
      admitted: false,
      refusal: { code: 'budget_exceeded' },
      route: { model: 'asked', targets: [{ upstream_model: 'upstream-asked' }], fallbacks: [{ model: 'dear', targets: [{ upstream: 'upstream of dear', price: { per_request_usd: 0.5 } }] }] },
      estimate: { most_cost_usd: '0.5001' },
    });
    expect(explanation.route.fallbacks).toHaveLength(1);
    expect((await chat(scene.weir, key, 'asked', { fields: { max_tokens: 50 } })).body.error.code).toBe('budget_exceeded');
  });

  it('holds for all the time on a GPU that a call may take', async () => {
    await scene.makeModel('own-gpu', { per_gpu_second_usd: '0.01' });
    const { key } = await scene.makeKey('own-gpu');
    expect(await explain(key, 'own-gpu')).toMatchObject({ estimate: { most_cost_usd: '0.6' } });
  });

  it('refuses what a call is refused for, in the same words: a member without a price, under a budget', async () => {
    // Its price is the table's, not its owner's word.
    const { id } = await addUpstream(scene.weir, { name: 'tabled', provider: 'openai', baseUrl: scene.simulator.baseUrl, secrets: ['sk-simulated-0123456789'] });
    await addModel(scene.weir, 'tabled', [], { targets: [{ upstream_id: id, upstream_model: 'gpt-4o-mini' }] });
    const { key } = await scene.makeKey('tabled', { budgets: [{ amount_usd: 5, period: 'total' }] });
    const explanation = await explain(key, 'tabled', { max_tokens: 5, service_tier: 'priority' });
    expect(explanation).toMatchObject({ admitted: false, refusal: { status: 400, code: 'invalid_request' } });
    const refused = await chat(scene.weir, key, 'tabled', { fields: { max_tokens: 5, service_tier: 'priority' } });
    expect([refused.status, refused.body.error.message]).toEqual([400, explanation.refusal.message]);
  });

  it('says of a model without a price that it may be used only without a budget', async () => {
    const limited = await scene.makeKey(UNPRICED, { budgets: [{ amount_usd: 1, period: 'month' }] });
    expect(await explain(limited.key, UNPRICED)).toMatchObject({ admitted: false, refusal: { status: 403, code: 'model_not_priced' } });
    const free = await scene.makeKey(UNPRICED);
    expect(await explain(free.key, UNPRICED)).toMatchObject({ admitted: true, estimate: { most_cost_usd: null, least_hold_usd: null }, route: { targets: [{ price: null }] } });
  });

  it('says of an unknown model, of one of another operation, and of one that the key may not use, what the call would be told', async () => {
    const { key } = await scene.makeKey(PRICED, { models: [PRICED] });
    const denied = { admitted: false, route: null, estimate: null, limits: [] };
    expect(await explain(key, 'no-such-model')).toMatchObject({ ...denied, refusal: { status: 404, code: 'model_not_found' } });
    expect(await explain(key, 'embed')).toMatchObject({ ...denied, refusal: { status: 404, code: 'model_not_found' } });
    expect(await explain(key, UNPRICED)).toMatchObject({ ...denied, refusal: { status: 403, code: 'model_not_allowed' } });
  });

  it('knows other operations and Azure’s paths by their path', async () => {
    const { key } = await scene.makeKey(PRICED);
    const embed = await ask(key, { path: '/v1/embeddings', request: { model: 'embed', input: ['one', 'two'] } });
    expect(embed.body).toMatchObject({ admitted: true, operation: 'embeddings', estimate: { most_output_tokens: 0 } });
    const azure = await ask(key, { path: `/openai/deployments/${PRICED}/chat/completions?api-version=1`, request: { messages: MESSAGES } });
    expect(azure.body).toMatchObject({ admitted: true, model: PRICED });
  });

  it.each<[string, unknown, number, string | null]>([
    ['no JSON', '{"request":', 400, null],
    ['a list', [], 400, null],
    ['nothing', '', 400, null],
    ['no request', { path: '/v1/chat/completions' }, 400, 'request'],
    ['an unknown path', { path: '/v1/nothing', request: { model: PRICED, messages: MESSAGES } }, 400, 'path'],
    ['its own path', { path: '/v1/explain', request: {} }, 400, 'path'],
    ['a path that is no text', { path: 5, request: { model: PRICED, messages: MESSAGES } }, 400, 'path'],
    ['a request without a model', { request: { messages: MESSAGES } }, 400, 'model'],
    ['a request without messages', { request: { model: PRICED } }, 400, 'messages'],
    ['a cap beyond belief', { request: { model: PRICED, messages: MESSAGES, max_tokens: 2 ** 63 } }, 400, 'max_tokens'],
    ['a cap below nothing', { request: { model: PRICED, messages: MESSAGES, n: -1 } }, 400, 'n'],
    ['a key said twice', `{"request":{"model":"${PRICED}","model":"${UNPRICED}","messages":[]}}`, 400, null],
    ['two requests', `{"request":{"model":"${PRICED}","messages":[]},"request":{}}`, 400, null],
    ['__proto__', `{"request":{"model":"${PRICED}","__proto__":{},"messages":[]}}`, 400, null],
    ['depth', `{"request":${'['.repeat(10_000)}${']'.repeat(10_000)}}`, 400, null],
  ])('refuses %s by name, and answers the next question', async (_what, body, status, param) => {
    const { key } = await scene.makeKey(PRICED);
    const refused = await ask(key, body);
    expect(refused.status).toBe(status);
    expect(refused.headers.get('x-request-id')).not.toBeNull();
    if (param !== null) expect(refused.body.error.param).toBe(param);
    expect(await explain(key, PRICED)).toMatchObject({ admitted: true });
    expect(scene.simulator.calls).toHaveLength(0);
  });

  it.each<[string, unknown]>([
    ['a text', 'hello'],
    ['null', null],
    ['a list', [{ model: PRICED }]],
  ])('refuses %s in the place of the request by the name of the field', async (_what, request) => {
    const { key } = await scene.makeKey(PRICED);
    const refused = await ask(key, { request });
    expect([refused.status, refused.body.error.param]).toEqual([400, 'request']);
  });

  it('answers nobody without a key, and takes POST only', async () => {
    const request = { model: PRICED, messages: MESSAGES };
    expect((await ask(null, { request })).status).toBe(401);
    expect((await ask('sk-weir-nobody', { request })).status).toBe(401);
    const response = await fetch(`${scene.weir.url}/v1/explain`);
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST']);
  });
});
