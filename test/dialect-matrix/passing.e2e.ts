import Anthropic from '@anthropic-ai/sdk';
import { respond, type SimulatorCall, speak } from '@weir/testing';
import { toHeard } from '../support/dialect-matrix/heard';
import { addProviderModel, connect, PAIRS, PROVIDERS, toSpokenFormat } from '../support/dialect-matrix/matrix';
import { toBody, toPath } from '../support/dialect-matrix/raw-request';
import { expectErrorShape, refusalOf } from '../support/dialect-matrix/refusal';
import { DIALECT_NAMES, type DialectName, type Question } from '../support/dialect-matrix/told';
import { TestGateway } from '../support/test-gateway';
import { waitFor } from '../support/wait-for';
import { addKey, waitForModel } from '../support/weir';

/** A tenth of a cent for a token of output; nothing else costs anything. */
const OUTPUT_PRICE = { output_per_million_usd: 1000 };
/** What it affords of that. */
const BUDGET = { amount_usd: '0.05', period: 'month' };
const AFFORDABLE_TOKENS = 50;

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await TestGateway.start();
  for (const provider of PROVIDERS) {
    await addProviderModel(gateway, `pass-${provider}`, provider);
    await addProviderModel(gateway, `dear-${provider}`, provider, { price: OUTPUT_PRICE });
  }
});
afterAll(() => gateway.stop());
beforeEach(() => {
  gateway.simulator.reset();
  gateway.simulator.default(speak.scene('text'));
});

function lastCall(): SimulatorCall {
  const call = gateway.simulator.calls.at(-1);
  if (call === undefined) throw new Error('nothing reached the provider');
  return call;
}

/** Posts as a client with much to hide would. */
function post(path: string, body: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  const own = { cookie: 'session=1', 'x-stainless-os': 'Linux', 'openai-organization': 'org-caller', 'user-agent': 'caller/1', 'x-forwarded-for': '203.0.113.9' };
  return gateway.weir.post(path, gateway.key, body, { ...own, ...headers });
}

const CALLERS_OWN = ['cookie', 'x-stainless-os', 'openai-organization', 'x-forwarded-for'];

/** Nothing of the caller's credentials and traces is among the headers. */
function expectNothingOfCaller(call: SimulatorCall): void {
  expect(CALLERS_OWN.filter((name) => call.headers[name] !== undefined)).toEqual([]);
  expect(JSON.stringify(call.rawHeaders) + call.path).not.toContain(gateway.key);
  expect(call.headers['user-agent']).toBe('weir');
}

describe('where the provider speaks the caller\'s own dialect, bytes pass', () => {
  it("of Anthropic's: all but the model, with its beta header, and the answer as it came", async () => {
    const body = '{ "model" : "pass-anthropic", "max_tokens":64,\n "brand_new": {"x":1.0, "big":12345678901234567890},"messages":[{"role":"user","content":[{"type":"text","text":"Gr\\u00fc\\u00df","cache_control":{"type":"ephemeral"}}]}] }';
    const answer = '{"id":"msg_1","type":"message","role":"assistant","model":"claude-opus-4-8","content":[{"type":"brand_new_block","big":12345678901234567890}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":1}}';
    gateway.simulator.default(respond.pieces('application/json', answer));
    const response = await post('/v1/messages', body, { 'anthropic-beta': 'context-1m-2025-08-07,new-2026-11-01', 'anthropic-version': '2023-06-01', 'x-api-key': 'sk-ant-of-caller' });
    expect(await response.text()).toBe(answer);
    const call = lastCall();
    expect(call.text).toBe(body.replace('"pass-anthropic"', '"claude-opus-4-8"'));
    expect(call.headers).toMatchObject({ 'anthropic-beta': 'context-1m-2025-08-07,new-2026-11-01', 'anthropic-version': '2023-06-01' });
    expect(call.key).toMatch(/^sk-provider-/);
    expect(call.headers.authorization).toBeUndefined();
    expectNothingOfCaller(call);
  });

  it("of Gemini's: all of it, with members that nobody knows, and the answer as it came", async () => {
    const body = '{"contents":[{"parts":[{"text":"Hello"}]}], "brandNew" : {"x":1.0,"big":12345678901234567890},"safety_settings":[]}';
    const answer = '{"candidates":[{"content":{"parts":[{"brandNewPart":{"big":12345678901234567890}}],"role":"model"},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":1,"totalTokenCount":4}}';
    gateway.simulator.default(respond.pieces('application/json', answer));
    const response = await post(`/v1beta/models/pass-gemini:generateContent?key=${gateway.key}`, body, { 'x-goog-api-client': 'google-genai-sdk/2' });
    expect(await response.text()).toBe(answer);
    const call = lastCall();
    expect([call.text, call.path]).toEqual([body, '/v1beta/models/gemini-3.1-pro-preview:generateContent']);
    expect(call.headers['x-goog-api-key']).toMatch(/^sk-provider-/);
    expectNothingOfCaller(call);
  });

  it.each(['openai', 'azure'])("of OpenAI's responses at %s: with the tools that OpenAI runs itself", async (provider) => {
    const body = `{"model":"pass-${provider}","input":"What is new?","tools":[{"type":"web_search"},{"type":"mcp","server_label":"x","server_url":"https://example.com"}],"store":true, "brand_new":1.0}`;
    const response = await post('/v1/responses', body);
    expect(response.status).toBe(200);
    await response.text();
    const call = lastCall();
    expect(call.text).toBe(body.replace(`"pass-${provider}"`, '"gpt-5.4"'));
    expectNothingOfCaller(call);
  });

  it.each([
    ['anthropic', 'anthropic'],
    ['gemini', 'gemini'],
    ['responses', 'openai'],
    ['chat', 'openai'],
  ] as const)("of %s's stream, but for line ends", async (dialect, provider) => {
    const model = `pass-${provider}`;
    gateway.simulator.default(speak.streamed('tools', { lineEnd: 'crlf' }));
    const passed = await (await post(toPath(dialect, model, true), JSON.stringify(toBody(dialect, model, true)))).text();
    gateway.simulator.default(speak.streamed('tools'));
    const { path, headers, text } = lastCall();
    const direct = await fetch(gateway.simulator.origin + path, { method: 'POST', headers: { 'content-type': 'application/json', 'anthropic-version': String(headers['anthropic-version']) }, body: text });
    // Comments and the usage chunk that nobody asked for are no part of it.
    const expected = (await direct.text()).split('\n\n').filter((event) => dialect !== 'chat' || !event.includes('"usage":{'));
    expect(passed.split('\n\n')).toEqual(expected);
  });
});

describe.each([
  ['responses', 'openai'],
  ['anthropic', 'anthropic'],
  ['chat', 'anthropic'],
  ['gemini', 'anthropic'],
] as const)("%s's client in front of %s, whose stream fails before it has said a word", (dialect, provider) => {
  it('gets its answer with another key, and no sign of the first', async () => {
    const name = `stumbling-${dialect}-${provider}`;
    await addProviderModel(gateway, name, provider, { secrets: ['sk-first-0123456789', 'sk-second-0123456789'] });
    gateway.simulator.enqueue(speak.streamBrokenAtStart());
    const { headers, told } = await connect(dialect, gateway.weir.url, gateway.key).ask(name, { text: 'Hello', isStream: true });
    expect([headers.get('x-weir-attempts'), told.stop]).toEqual(['2', 'end']);
    const [first, second] = gateway.simulator.calls;
    expect(second.text).toBe(first.text);
    expect(second.key).not.toBe(first.key);
    const [failed, answered] = await gateway.rows(headers.get('x-request-id'), 2);
    expect([failed, answered]).toMatchObject([{ status: 'failed', http_status: 200, cost_nanos: '0' }, { status: 'succeeded' }]);
  });
});

describe('a server that refuses some members', () => {
  const STREAMED: Question = { text: 'Hello', isStream: true };

  beforeAll(() => gateway.addModel('mistral', { provider: 'openai-compatible', baseUrl: gateway.simulator.baseUrl, options: { preset: 'mistral' }, upstreamModel: 'mistral-small-latest' }));

  it.each(DIALECT_NAMES)("is not sent them for %s's callers", async (dialect) => {
    await connect(dialect, gateway.weir.url, gateway.key).ask('mistral', STREAMED);
    if (dialect === 'chat') expect(lastCall().json.stream_options).toEqual({ include_usage: true });
    else expect(lastCall().json).not.toHaveProperty('stream_options');
  });

  it("is not sent the name of its user, which Anthropic's clients always send", async () => {
    const client = new Anthropic({ baseURL: gateway.weir.url, apiKey: gateway.key, maxRetries: 0 });
    await client.messages.create({ model: 'mistral', max_tokens: 10, metadata: { user_id: 'someone' }, messages: [{ role: 'user', content: 'Hello' }] });
    expect(lastCall().json).toEqual({ model: 'mistral-small-latest', max_tokens: 10, messages: [{ role: 'user', content: 'Hello' }] });
  });

  it("is not asked for the usage of a stream where a chat caller did not ask", async () => {
    await (await post('/v1/chat/completions', JSON.stringify({ model: 'mistral', stream: true, messages: [{ role: 'user', content: 'Hello' }] }))).text();
    expect(lastCall().json).toEqual({ model: 'mistral-small-latest', stream: true, messages: [{ role: 'user', content: 'Hello' }] });
  });
});

describe('a server that refuses some members, of which its owner says that they are taken out', () => {
  const MESSAGES = [{ role: 'user', content: 'Hello' }];
  const CHAT = { seed: 5, user: 'someone', model: 'lenient', messages: MESSAGES, temperature: 0.5, metadata: { a: 'b' } };
  const send = async (body: object) => expect((await post('/v1/chat/completions', JSON.stringify(body))).status).toBe(200);

  beforeAll(() => gateway.addModel('lenient', { provider: 'openai-compatible', baseUrl: gateway.simulator.baseUrl, options: { preset: 'mistral', drop_unsupported: true }, upstreamModel: 'mistral-small-latest' }));

  it('is sent all others, in their order and as they were', async () => {
    await send(CHAT);
    expect(lastCall().text).toBe(JSON.stringify({ model: 'mistral-small-latest', messages: MESSAGES, temperature: 0.5 }));
    await send({ ...CHAT, stream: true, stream_options: { include_usage: true } });
    expect(lastCall().text).toBe(JSON.stringify({ model: 'mistral-small-latest', messages: MESSAGES, temperature: 0.5, stream: true }));
  });

  it('gets them where its owner does not say so', async () => {
    await send({ ...CHAT, model: 'mistral' });
    expect(lastCall().json).toEqual({ ...CHAT, model: 'mistral-small-latest' });
  });

  it('is sent the cap that the budget affords behind what is left', async () => {
    await gateway.addModel('lenient-dear', { provider: 'openai-compatible', baseUrl: gateway.simulator.baseUrl, options: { preset: 'mistral', drop_unsupported: true }, upstreamModel: 'mistral-small-latest', price: OUTPUT_PRICE });
    const { key } = await addKey(gateway.weir, { budgets: [BUDGET] });
    expect((await gateway.weir.post('/v1/chat/completions', key, { ...CHAT, model: 'lenient-dear' })).status).toBe(200);
    expect(lastCall().json).toEqual({ model: 'mistral-small-latest', messages: MESSAGES, temperature: 0.5, max_tokens: AFFORDABLE_TOKENS });
  });
});

describe("Anthropic's client", () => {
  it('knows the id of its request, of an answer and of an error', async () => {
    const client = new Anthropic({ baseURL: gateway.weir.url, apiKey: gateway.key, maxRetries: 0 });
    const ask = (model: string) => client.messages.create({ model, max_tokens: 10, messages: [{ role: 'user', content: 'Hello' }] });
    expect((await ask('pass-openai'))._request_id).toMatch(/^[0-9a-f-]{36}$/);
    await expect(ask('nobody')).rejects.toMatchObject({ requestID: expect.stringMatching(/^[0-9a-f-]{36}$/) });
  });
});

describe('under a budget', () => {
  // A starved machine may take its Redis for gone, and says so with a 503: that is another test's matter.
  beforeAll(async () => {
    gateway.simulator.default(speak.scene('text'));
    const { key } = await addKey(gateway.weir, { budgets: [{ amount_usd: 100, period: 'month' }] });
    await waitFor(async () => (await gateway.weir.post(toPath('chat', ''), key, toBody('chat', 'dear-openai'))).status === 200);
  });

  const pairs = PAIRS.filter(([dialect]) => dialect !== 'anthropic');

  it.each(pairs)("%s's callers without a cap are given what it affords, in the words of %s", async (dialect, provider) => {
    const model = `dear-${provider}`;
    const { key } = await addKey(gateway.weir, { budgets: [BUDGET] });
    await waitForModel(gateway.weir, key, model);
    await connect(dialect, gateway.weir.url, key).ask(model, { text: 'Hello', isStream: true });
    const call = lastCall();
    const format = toSpokenFormat(dialect, provider);
    expect(toHeard(format, call).outputCap).toBe(AFFORDABLE_TOKENS);
    expect(call.text).toContain(`"${CAP_NAMES[provider] ?? (format === 'openai-responses' ? 'max_output_tokens' : 'max_completion_tokens')}":${AFFORDABLE_TOKENS}`);
  });

  it.each(PROVIDERS)("Anthropic's callers, who always set a cap, keep it at %s, or are refused", async (provider) => {
    const model = `dear-${provider}`;
    const { key } = await addKey(gateway.weir, { budgets: [BUDGET] });
    await waitForModel(gateway.weir, key, model);
    const client = connect('anthropic', gateway.weir.url, key);
    expect(await refusalOf('anthropic', client.ask(model, { text: 'Hello', isStream: false, outputCap: AFFORDABLE_TOKENS + 1 }))).toMatchObject({ status: 429, kind: 'rate_limit_error' });
    await client.ask(model, { text: 'Hello', isStream: false, outputCap: AFFORDABLE_TOKENS });
    expect(toHeard(toSpokenFormat('anthropic', provider), lastCall()).outputCap).toBe(AFFORDABLE_TOKENS);
    expect(gateway.simulator.calls).toHaveLength(1);
  });

  it.each<[DialectName, string, object, string]>([
    ['responses', 'openai', { tools: [{ type: 'web_search' }] }, 'tools'],
    ['responses', 'azure', { previous_response_id: 'resp_1' }, 'previous_response_id'],
    ['anthropic', 'anthropic', { tools: [{ type: 'web_search_20250305', name: 'web_search' }] }, 'tools'],
    ['gemini', 'gemini', { tools: [{ google_search: {} }] }, 'tools'],
  ])("%s's callers are refused what the price of tokens does not cover at %s: %j", async (dialect, provider, members, param) => {
    // Priced by the table, not by its owner's word.
    const model = `table-${dialect}-${provider}`;
    await addProviderModel(gateway, model, PROVIDERS.find((name) => name === provider) ?? 'openai', { price: null });
    const { key } = await addKey(gateway.weir, { budgets: [{ amount_usd: 100, period: 'month' }] });
    await waitForModel(gateway.weir, key, model);
    const response = await gateway.weir.post(toPath(dialect, model), key, { ...toBody(dialect, model), ...members });
    const body: unknown = await response.json();
    expect([response.status, JSON.stringify(body)]).toEqual([400, expect.stringContaining(`'${param}'`)]);
    expectErrorShape(dialect, 400, body);
    expect(gateway.simulator.calls).toHaveLength(0);
  });
});

describe('what cannot be said', () => {
  it.each<[DialectName, string, object, string]>([
    ['chat', 'anthropic', { n: 2 }, 'n'],
    ['chat', 'gemini', { logit_bias: { 50256: -100 } }, 'logit_bias'],
    ['chat', 'anthropic', { frequenzy_penalty: 1 }, 'frequenzy_penalty'],
    ['responses', 'openai-compatible', { tools: [{ type: 'web_search' }] }, 'tools[0].type'],
    ['responses', 'anthropic', { previous_response_id: 'resp_1' }, 'previous_response_id'],
    ['anthropic', 'openai', { container: 'c' }, 'container'],
    ['anthropic', 'gemini', { tools: [{ type: 'bash_20250124', name: 'bash' }] }, 'tools'],
    ['gemini', 'openai', { tools: [{ googleSearch: {} }] }, 'tools'],
    ['gemini', 'anthropic', { cachedContent: 'cachedContents/x' }, 'cachedContent'],
  ])("of a request of %s's callers at %s is refused by its name: %j", async (dialect, provider, members, param) => {
    const model = `pass-${provider}`;
    const response = await post(toPath(dialect, model), JSON.stringify({ ...toBody(dialect, model), ...members }));
    const body: unknown = await response.json();
    expect([response.status, JSON.stringify(body)]).toEqual([400, expect.stringContaining(param)]);
    expectErrorShape(dialect, 400, body);
    expect(gateway.simulator.calls).toHaveLength(0);
  });
});

describe("Anthropic's token count", () => {
  const count = (model: string) =>
    new Anthropic({ baseURL: gateway.weir.url, apiKey: gateway.key, maxRetries: 0 }).messages.countTokens({
      model,
      system: 'Be brief.',
      messages: [{ role: 'user', content: 'How many tokens has this sentence, more or less?' }],
      tools: [{ name: 'get_time', input_schema: { type: 'object', properties: {} } }],
    });

  it("is Anthropic's own where the model is behind Anthropic", async () => {
    gateway.simulator.forPath('/v1/messages/count_tokens', respond.json({ input_tokens: 2095 }));
    expect(await count('pass-anthropic')).toMatchObject({ input_tokens: 2095 });
    expect(lastCall().json).toMatchObject({ model: 'claude-opus-4-8', system: 'Be brief.' });
    expect(lastCall().json).not.toHaveProperty('max_tokens');
  });

  it.each(PROVIDERS.filter((provider) => provider !== 'anthropic'))('is answered for a model behind %s, without a call', async (provider) => {
    const { input_tokens } = await count(`pass-${provider}`);
    expect(input_tokens).toBeGreaterThan(5);
    expect(input_tokens).toBeLessThan(1000);
    expect(gateway.simulator.calls).toHaveLength(0);
  });
});

/** What each provider calls the cap of the output, where its callers' dialects do not differ. */
const CAP_NAMES: Readonly<Partial<Record<string, string>>> = { 'openai-compatible': 'max_tokens', anthropic: 'max_tokens', gemini: 'maxOutputTokens' };
