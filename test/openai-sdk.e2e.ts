import { chatEvents, OPENAI_ERRORS, respond, stall } from '@weir/testing';
import OpenAI, { APIUserAbortError, AuthenticationError, BadRequestError, InternalServerError, NotFoundError, PermissionDeniedError, RateLimitError } from 'openai';
import { TestGateway, type TestModel } from './support/test-gateway';
import { addKey, waitForModel } from './support/weir';

const TEXT = 'Grüß Gott 👋 — "quoted", \\ and a line\nbreak';
const MESSAGES = [{ role: 'user' as const, content: TEXT }];
const USAGE = { prompt_tokens: expect.any(Number), completion_tokens: expect.any(Number), total_tokens: expect.any(Number) };
const REQUEST_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

let gateway: TestGateway;
let chatModel: TestModel;

beforeAll(async () => {
  gateway = await TestGateway.start();
  const price = { input_per_million_usd: 1, output_per_million_usd: 2 };
  chatModel = await gateway.addModel('gpt-test', { price });
  await gateway.addModel('instruct-test', { operation: 'completions' });
  await gateway.addModel('embed-test', { operation: 'embeddings' });
  const demo = { baseUrl: 'http://demo.weir.internal/v1', provider: 'openai-compatible', options: { no_key: true }, secrets: [], upstreamModel: 'demo/echo' };
  await gateway.addModel('demo/echo', demo);
  await gateway.addModel('demo/instruct', { ...demo, operation: 'completions' });
  await gateway.addModel('demo/embedding', { ...demo, operation: 'embeddings' });
});
afterAll(() => gateway.stop());
afterEach(() => gateway.simulator.reset());

function connect(options: Partial<ConstructorParameters<typeof OpenAI>[0]> = {}): OpenAI {
  return new OpenAI({ baseURL: `${gateway.weir.url}/v1`, apiKey: gateway.key, maxRetries: 0, ...options });
}

/** What a call was refused with. */
async function refusalOf<Refusal extends Error>(call: Promise<unknown>, kind: new (...args: never[]) => Refusal): Promise<Refusal> {
  const refusal: unknown = await call.then(
    () => new Error('it was not refused'),
    (error: unknown) => error,
  );
  if (!(refusal instanceof kind)) throw refusal;
  return refusal;
}

describe.each([
  ['a provider', 'gpt-test', 'instruct-test', 'embed-test'],
  ['demo/echo', 'demo/echo', 'demo/instruct', 'demo/embedding'],
])('the official SDK in front of %s', (_what, chat, completions, embeddings) => {
  it('lists and retrieves models', async () => {
    const models: string[] = [];
    for await (const model of connect().models.list()) models.push(model.id);
    expect(models).toEqual(expect.arrayContaining([chat, completions, embeddings]));
    await expect(connect().models.retrieve(chat)).resolves.toMatchObject({ id: chat, object: 'model' });
  });

  it('chats', async () => {
    const answer = await connect().chat.completions.create({ model: chat, messages: MESSAGES });
    expect(answer).toMatchObject({ object: 'chat.completion', choices: [{ message: { role: 'assistant', content: TEXT }, finish_reason: 'stop' }], usage: USAGE });
    expect(answer._request_id).toMatch(REQUEST_ID);
  });

  it('streams the same text, without the usage chunk that nobody asked for', async () => {
    const stream = await connect().chat.completions.create({ model: chat, messages: MESSAGES, stream: true });
    let text = '';
    for await (const chunk of stream) {
      expect(chunk.choices).toHaveLength(1);
      expect(chunk.usage ?? null).toBeNull();
      text += chunk.choices[0].delta.content ?? '';
    }
    expect(text).toBe(TEXT);
  });

  it('streams the usage chunk to who asks for it', async () => {
    const stream = await connect().chat.completions.create({ model: chat, messages: MESSAGES, stream: true, stream_options: { include_usage: true } });
    const chunks: OpenAI.ChatCompletionChunk[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')).toBe(TEXT);
    const usages = chunks.filter((chunk) => chunk.usage != null);
    expect(usages).toHaveLength(1);
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: USAGE });
    expect((await connect().chat.completions.create({ model: chat, messages: MESSAGES })).usage).toEqual(chunks.at(-1)?.usage);
  });

  it('accumulates a stream into a whole answer', async () => {
    const whole = await connect().chat.completions.stream({ model: chat, messages: MESSAGES }).finalChatCompletion();
    expect(whole.choices[0]).toMatchObject({ message: { content: TEXT }, finish_reason: 'stop' });
  });

  it('completes text, whole and streamed', async () => {
    const whole = await connect().completions.create({ model: completions, prompt: 'once upon a time' });
    expect(whole.choices[0].text).toBe('once upon a time');
    let text = '';
    for await (const chunk of await connect().completions.create({ model: completions, prompt: 'once upon a time', stream: true })) text += chunk.choices[0]?.text ?? '';
    expect(text).toBe('once upon a time');
  });

  it('embeds, as floats and as base64, to the same vectors', async () => {
    const input = ['one', 'two'];
    const floats = await connect().embeddings.create({ model: embeddings, input, encoding_format: 'float' });
    // The SDK asks for base64 by itself and decodes it.
    const decoded = await connect().embeddings.create({ model: embeddings, input });
    expect(floats.data.map(({ index }) => index)).toEqual([0, 1]);
    expect(floats.data[0].embedding.length).toBeGreaterThan(10);
    expect(decoded.data.map(({ embedding }) => embedding.map((value) => value.toFixed(6)))).toEqual(floats.data.map(({ embedding }) => embedding.map((value) => value.toFixed(6))));
    const raw = await gateway.weir.post('/v1/embeddings', gateway.key, { model: embeddings, input, encoding_format: 'base64' });
    expect(typeof JSON.parse(await raw.text()).data[0].embedding).toBe('string');
  });
});

describe('what the official SDK is refused with', () => {
  const chat = (client: OpenAI, model = chatModel.name) => client.chat.completions.create({ model, messages: MESSAGES });

  it.each([
    ["of Weir's form", 'sk-weir-unknown'],
    ["of a provider's form", 'sk-proj-1234567890'],
    ['far too long', 'x'.repeat(5000)],
  ])('401 for a key that is none: %s', async (_what, apiKey) => {
    const refusal = await refusalOf(chat(connect({ apiKey })), AuthenticationError);
    expect(refusal).toMatchObject({ status: 401, code: 'invalid_api_key', type: 'invalid_request_error', param: null, requestID: expect.stringMatching(REQUEST_ID) });
    await refusalOf(connect({ apiKey }).models.list(), AuthenticationError);
    expect(gateway.simulator.calls).toHaveLength(0);
  });

  it('404 for a model that is not there, of another operation, or not listed', async () => {
    for (const model of ['gpt-nobody', 'embed-test']) {
      expect(await refusalOf(chat(connect(), model), NotFoundError)).toMatchObject({ code: 'model_not_found', param: 'model', type: 'invalid_request_error' });
    }
    expect(await refusalOf(connect().models.retrieve('gpt-nobody'), NotFoundError)).toMatchObject({ code: 'model_not_found' });
  });

  it('403 for a model that the key may not use, and does not list it', async () => {
    const limited = await addKey(gateway.weir, { models: ['embed-*'] });
    await waitForModel(gateway.weir, limited.key, 'embed-test');
    const client = connect({ apiKey: limited.key });
    expect(await refusalOf(chat(client), PermissionDeniedError)).toMatchObject({ code: 'model_not_allowed', param: 'model' });
    expect((await client.models.list()).data.map(({ id }) => id)).toEqual(['embed-test']);
    await refusalOf(client.models.retrieve(chatModel.name), NotFoundError);
    await expect(client.embeddings.create({ model: 'embed-test', input: 'x' })).resolves.toMatchObject({ object: 'list' });
  });

  it("a provider's own error about the request, with its status, message, param and code", async () => {
    const { status, error } = OPENAI_ERRORS.context_length_exceeded;
    gateway.simulator.enqueue(respond.openAiError('context_length_exceeded'), respond.openAiError('context_length_exceeded'));
    expect(await refusalOf(chat(connect()), BadRequestError)).toMatchObject({ status, error });
    const streamed = connect({ maxRetries: 2 }).chat.completions.create({ model: chatModel.name, messages: MESSAGES, stream: true });
    expect(await refusalOf(streamed, BadRequestError)).toMatchObject({ status, error });
    // Neither Weir nor the SDK tries again what is the caller's own mistake.
    expect(gateway.simulator.calls).toHaveLength(2);
    expect(await gateway.upstreamKey(chatModel)).toMatchObject({ status: 'active', failure_count: 0 });
  });

  it('429 over the limit, with every header that says when to come back', async () => {
    const limited = await addKey(gateway.weir, { limits: { rpm: 1 } });
    const client = connect({ apiKey: limited.key });
    const first = await client.chat.completions.create({ model: chatModel.name, messages: MESSAGES }).asResponse();
    expect(Object.fromEntries(first.headers)).toMatchObject({
      'x-ratelimit-limit-requests': '1',
      'x-ratelimit-remaining-requests': '0',
      'x-ratelimit-reset-requests': expect.stringMatching(/^(\d+m)?\d+s$/),
    });
    const refusal = await refusalOf(chat(client), RateLimitError);
    expect(refusal).toMatchObject({ status: 429, code: 'rate_limit_exceeded', type: 'requests', requestID: expect.stringMatching(REQUEST_ID) });
    expect(refusal.message).toContain('requests per minute');
    const { headers } = refusal;
    const waitMs = Number(headers.get('retry-after-ms'));
    expect(waitMs).toBeGreaterThan(0);
    expect(waitMs).toBeLessThanOrEqual(61_000);
    expect(Number(headers.get('retry-after'))).toBe(Math.ceil(waitMs / 1000));
    expect(headers.get('x-ratelimit-limit-requests')).toBe('1');
    expect(headers.get('x-ratelimit-remaining-requests')).toBe('0');
    expect(headers.get('x-ratelimit-reset-requests')).toMatch(/^(\d+m)?\d+s$/);
    expect(headers.get('x-should-retry')).toBeNull();
    expect(gateway.simulator.calls).toHaveLength(1);
  });
});

describe("the official SDK's retries", () => {
  it('has nothing to do while Weir finds an answer by itself', async () => {
    const model = await gateway.addModel('gpt-flaky');
    gateway.simulator.enqueue(respond.status(500), respond.status(503));
    const response = await connect().chat.completions.create({ model: model.name, messages: MESSAGES }).asResponse();
    expect([response.status, response.headers.get('x-weir-attempts')]).toEqual([200, '3']);
    const rows = await gateway.rows(response.headers.get('x-request-id'), 3);
    expect(rows.map(({ attempt, status, http_status }) => [attempt, status, http_status])).toEqual([
      [1, 'failed', 500],
      [2, 'failed', 503],
      [3, 'succeeded', 200],
    ]);
  });

  it('repeats a 502 and gets the answer of the second call', async () => {
    const model = await gateway.addModel('gpt-flakier');
    gateway.simulator.enqueue(respond.status(500), respond.status(500), respond.status(500));
    const refusal = await refusalOf(connect().chat.completions.create({ model: model.name, messages: MESSAGES }), InternalServerError);
    expect(refusal).toMatchObject({ status: 502, code: 'upstream_error', type: 'server_error' });
    gateway.simulator.reset();
    const other = await gateway.addModel('gpt-flakiest');
    gateway.simulator.enqueue(respond.status(500), respond.status(500), respond.status(500));
    const answer = await connect({ maxRetries: 1 }).chat.completions.create({ model: other.name, messages: MESSAGES });
    expect(answer.choices[0].message.content).toBe(TEXT);
    expect(gateway.simulator.calls).toHaveLength(4);
  });

  it('does not repeat what waiting will not help', async () => {
    let calls = 0;
    const client = connect({ maxRetries: 3, apiKey: 'sk-weir-nobody', fetch: (url, init) => ((calls += 1), fetch(url, init)) });
    await refusalOf(client.chat.completions.create({ model: chatModel.name, messages: MESSAGES }), AuthenticationError);
    expect(calls).toBe(1);
  });
});

describe('an abort by the official SDK', () => {
  it('stops the upstream before the first byte', async () => {
    gateway.simulator.enqueue(respond.never());
    const controller = new AbortController();
    const waiting = connect().chat.completions.create({ model: chatModel.name, messages: MESSAGES }, { signal: controller.signal });
    const refused = refusalOf(waiting, APIUserAbortError);
    const [call] = await gateway.simulator.waitForCalls(1);
    controller.abort();
    await refused;
    await gateway.simulator.waitForAbort(call);
  });

  it('stops the upstream in the middle of a stream', async () => {
    gateway.simulator.enqueue(respond.stream(...chatEvents('a long answer').slice(0, 3), stall));
    const stream = await connect().chat.completions.create({ model: chatModel.name, messages: MESSAGES, stream: true });
    const read = [];
    for await (const chunk of stream) {
      read.push(chunk);
      if (read.length === 2) stream.controller.abort();
    }
    expect(read.length).toBeGreaterThanOrEqual(2);
    await gateway.simulator.waitForAbort(gateway.simulator.calls[0]);
    expect(await gateway.upstreamKey(chatModel)).toMatchObject({ status: 'active', failure_count: 0 });
  });
});
