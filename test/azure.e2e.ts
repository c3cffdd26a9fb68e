import { AZURE_ERRORS, azureChatEvents, chatAnswer, respond } from '@weir/testing';
import { AzureOpenAI, BadRequestError, OpenAI } from 'openai';
import { TestGateway, type TestModel } from './support/test-gateway';
import { waitFor } from './support/wait-for';
import { addKey } from './support/weir';

const MESSAGES = [{ role: 'user' as const, content: 'hello there, Azure' }];
const API_VERSION = '2024-06-01';

let gateway: TestGateway;
/** On Azure's dated URL shape, on its v1 shape, and on OpenAI. */
let dated: TestModel;
let v1: TestModel;

beforeAll(async () => {
  gateway = await TestGateway.start();
  const azure = { provider: 'azure', baseUrl: gateway.simulator.origin };
  dated = await gateway.addModel('gpt-dated', { ...azure, upstreamModel: 'my deployment/ä', options: { api_version: API_VERSION } });
  v1 = await gateway.addModel('gpt-v1', { ...azure, baseUrl: `${gateway.simulator.origin}/openai/v1`, upstreamModel: 'my-deployment' });
  await gateway.addModel('gpt-default-version', { ...azure, upstreamModel: 'my-deployment' });
  await gateway.addModel('embed-azure', { ...azure, operation: 'embeddings', upstreamModel: 'my-embeddings', options: { api_version: 'v1' } });
  await gateway.addModel('gpt-openai');
});
afterAll(() => gateway.stop());
afterEach(() => gateway.simulator.reset());

/** An Azure client of which nothing but the endpoint and the key is changed. */
function connect(options: { apiKey?: string; deployment?: string } = {}): AzureOpenAI {
  return new AzureOpenAI({ endpoint: gateway.weir.url, apiKey: gateway.key, apiVersion: '2024-10-21', maxRetries: 0, ...options });
}

function lastCall() {
  const call = gateway.simulator.calls.at(-1);
  if (call === undefined) throw new Error('nothing reached the upstream');
  return call;
}

describe('an Azure client with its endpoint changed to Weir', () => {
  it.each(['gpt-openai', 'gpt-dated', 'gpt-v1'])('chats and streams with %s', async (model) => {
    const answer = await connect().chat.completions.create({ model, messages: MESSAGES });
    expect(answer.choices[0].message.content).toBe('hello there, Azure');
    let text = '';
    for await (const chunk of await connect().chat.completions.create({ model, messages: MESSAGES, stream: true })) text += chunk.choices[0]?.delta?.content ?? '';
    expect(text).toBe('hello there, Azure');
  });

  it('embeds', async () => {
    const floats = await connect().embeddings.create({ model: 'embed-azure', input: 'x', encoding_format: 'float' });
    const decoded = await connect().embeddings.create({ model: 'embed-azure', input: 'x' });
    expect(decoded.data[0].embedding).toHaveLength(floats.data[0].embedding.length);
    expect(decoded.data[0].embedding[0]).toBeCloseTo(floats.data[0].embedding[0], 5);
  });

  it('names its deployment once for all', async () => {
    const answer = await connect({ deployment: 'gpt-openai' }).chat.completions.create({ model: '', messages: MESSAGES });
    expect(answer.choices[0].message.content).toBe('hello there, Azure');
    expect(lastCall().json.model).toBe('upstream-gpt-openai');
  });

  it("takes Azure's v1 paths with OpenAI's client, and lists models there", async () => {
    const client = new OpenAI({ baseURL: `${gateway.weir.url}/openai/v1/`, apiKey: gateway.key, maxRetries: 0 });
    const answer = await client.chat.completions.create({ model: 'gpt-v1', messages: MESSAGES });
    expect(answer.choices[0].message.content).toBe('hello there, Azure');
    expect((await client.models.list()).data.map(({ id }) => id)).toContain('gpt-dated');
    const embedded = await client.embeddings.create({ model: 'embed-azure', input: ['x', 'y'] });
    expect(embedded.data).toHaveLength(2);
  });

  it('is refused in words it understands', async () => {
    await expect(connect({ apiKey: 'nobody' }).chat.completions.create({ model: 'gpt-dated', messages: MESSAGES })).rejects.toMatchObject({ status: 401, code: 'invalid_api_key' });
    await expect(connect().chat.completions.create({ model: 'no-deployment', messages: MESSAGES })).rejects.toMatchObject({ status: 404, code: 'model_not_found' });
    const limited = await addKey(gateway.weir, { limits: { rpm: 1 } });
    await connect({ apiKey: limited.key }).chat.completions.create({ model: 'gpt-dated', messages: MESSAGES });
    const refused = connect({ apiKey: limited.key }).chat.completions.create({ model: 'gpt-dated', messages: MESSAGES });
    await expect(refused).rejects.toMatchObject({ status: 429, code: 'rate_limit_exceeded' });
  });
});

describe('a call to Azure', () => {
  const post = (path: string, body: string) => gateway.weir.post(path, null, body, { 'api-key': gateway.key });
  const chat = (model: string): string => `{"model":"${model}","messages":[{"role":"user","content":"x"}],"seed":12345678901234567890}`;

  it.each([
    ['the dated shape, its version as set and its deployment escaped', 'gpt-dated', '/openai/deployments/my%20deployment%2F%C3%A4/chat/completions?api-version=2024-06-01'],
    ['the dated shape, with the default version', 'gpt-default-version', '/openai/deployments/my-deployment/chat/completions?api-version=2024-10-21'],
    ['the v1 shape, without a version', 'gpt-v1', '/openai/v1/chat/completions'],
  ])('uses %s', async (_what, model, path) => {
    const response = await post('/v1/chat/completions', chat(model));
    expect(response.status).toBe(200);
    const call = lastCall();
    expect(call.path).toBe(path);
    expect(call.headers['api-key']).toMatch(/^sk-provider-/);
    expect(call.headers.authorization).toBeUndefined();
    expect(call.text).toBe(chat(model === 'gpt-dated' ? 'my deployment/ä' : 'my-deployment'));
  });

  it('embeds on the v1 shape where the version says so', async () => {
    const response = await post('/openai/deployments/embed-azure/embeddings?api-version=2023-05-15', '{"input":"x"}');
    expect(response.status).toBe(200);
    expect([lastCall().path, lastCall().json]).toEqual(['/openai/v1/embeddings', { model: 'my-embeddings', input: 'x' }]);
  });

  it('takes the model from the path, whatever the body says, and leaves the rest of the body alone', async () => {
    await post('/openai/deployments/gpt-v1/chat/completions?api-version=2024-10-21', ' {"messages":[{"role":"user","content":"x"}],"seed":12345678901234567890}');
    expect(lastCall().text).toBe(' {"model":"my-deployment","messages":[{"role":"user","content":"x"}],"seed":12345678901234567890}');
    await post('/openai/deployments/gpt-v1/chat/completions?api-version=2024-10-21', chat('gpt-openai'));
    expect(lastCall().text).toBe(chat('my-deployment'));
  });

  it("does not pass on the caller's api-version", async () => {
    await post('/openai/deployments/gpt-dated/chat/completions?api-version=1999-01-01', chat('gpt-dated'));
    expect(lastCall().path).toContain('?api-version=2024-06-01');
  });
});

describe("Azure's streams", () => {
  const EVENTS = azureChatEvents('a filtered answer');

  it('keep the filter results and the chunks without a delta, byte for byte', async () => {
    gateway.simulator.enqueue(respond.stream(...EVENTS), respond.stream(...EVENTS));
    const body = { model: dated.name, messages: MESSAGES, stream: true };
    const asked = await gateway.weir.post('/v1/chat/completions', gateway.key, { ...body, stream_options: { include_usage: true } });
    expect(await asked.text()).toBe(EVENTS.join(''));
    const unasked = await gateway.weir.post('/v1/chat/completions', gateway.key, body);
    // The prompt's filter results come with `choices: []` as well, and are no usage chunk.
    expect(await unasked.text()).toBe([...EVENTS.slice(0, -2), EVENTS.at(-1)].join(''));
    const [row] = await gateway.rows(unasked.headers.get('x-request-id'));
    expect(row).toMatchObject({ status: 'succeeded', estimated: false });
    expect(Number(row.output_tokens)).toBeGreaterThan(0);
  });

  it('read well with the official client', async () => {
    gateway.simulator.enqueue(respond.stream(...EVENTS));
    const stream = await connect().chat.completions.create({ model: dated.name, messages: MESSAGES, stream: true });
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(chunks[0]).toMatchObject({ choices: [], prompt_filter_results: [{ prompt_index: 0 }] });
    expect(chunks.map((chunk) => chunk.choices[0]?.delta?.content ?? '').join('')).toBe('a filtered answer');
  });
});

describe("Azure's errors", () => {
  const chat = (model: TestModel, stream = false) => connect().chat.completions.create({ model: model.name, messages: MESSAGES, stream });

  it.each([false, true])('pass when the content filter refused the prompt (stream: %s)', async (stream) => {
    gateway.simulator.enqueue(respond.azureError('content_filter'));
    const { error } = AZURE_ERRORS.content_filter;
    const refusal: unknown = await chat(v1, stream).catch((thrown: unknown) => thrown);
    expect(refusal).toBeInstanceOf(BadRequestError);
    expect(refusal).toMatchObject({ status: 400, code: 'content_filter', param: 'prompt' });
    expect(refusal instanceof Error && refusal.message).toContain(error.message);
    expect(gateway.simulator.calls).toHaveLength(1);
    expect(await gateway.upstreamKey(v1)).toMatchObject({ status: 'active', failure_count: 0 });
  });

  it('tell what the content filter found', async () => {
    gateway.simulator.enqueue(respond.azureError('content_filter'));
    const response = await gateway.weir.post('/v1/chat/completions', gateway.key, { model: v1.name, messages: MESSAGES });
    const { error } = JSON.parse(await response.text());
    expect(error.innererror).toEqual(AZURE_ERRORS.content_filter.error.innererror);
  });

  it('with numbers in quotes for codes move on to the next key: 401 for good, 429 for as long as it says', async () => {
    const azure = { provider: 'azure', baseUrl: gateway.simulator.origin, secrets: ['azure-key-refused-1', 'azure-key-throttled', 'azure-key-good-0001'] };
    const model = await gateway.addModel('gpt-azure-keys', azure);
    gateway.simulator.forKey('azure-key-refused-1', respond.azureError('unauthorized'));
    gateway.simulator.forKey('azure-key-throttled', respond.azureError('rate_limited').withHeaders({ 'retry-after-ms': '45678', 'retry-after': '46' }));
    // Which key is tried first is left to chance: a few calls meet all of them.
    for (let call = 0; call < 12; call += 1) await expect(chat(model)).resolves.toMatchObject({ object: 'chat.completion' });
    const statuses = await waitFor(async () => {
      const known = await Promise.all([0, 1, 2].map((index) => gateway.upstreamKey(model, index)));
      return known[0].status === 'disabled' && known[1].status === 'cooling' ? known.map(({ status }) => status) : null;
    });
    expect(statuses).toEqual(['disabled', 'cooling', 'active']);
  });

  it('429 with every key throttled tells the caller when to come back, to the millisecond', async () => {
    const model = await gateway.addModel('gpt-azure-throttled', { provider: 'azure', baseUrl: gateway.simulator.origin });
    gateway.simulator.always(respond.azureError('rate_limited').withHeaders({ 'retry-after-ms': '45678', 'retry-after': '46' }));
    const response = await gateway.weir.post('/v1/chat/completions', gateway.key, { model: model.name, messages: MESSAGES });
    const { error } = JSON.parse(await response.text());
    expect([response.status, error.code]).toEqual([503, 'no_upstream_available']);
    const waitMs = Number(response.headers.get('retry-after-ms'));
    expect(waitMs).toBeGreaterThan(40_000);
    expect(waitMs).toBeLessThanOrEqual(45_678);
    expect(response.headers.get('retry-after')).toBe(String(Math.ceil(waitMs / 1000)));
  });

  it('about a deployment that is not there pass as 404', async () => {
    gateway.simulator.enqueue(respond.azureError('deployment_not_found'));
    await expect(chat(v1)).rejects.toMatchObject({ status: 404, code: 'DeploymentNotFound', message: expect.stringContaining(AZURE_ERRORS.deployment_not_found.error.message) });
  });

  it('of the server are tried again', async () => {
    gateway.simulator.enqueue(respond.azureError('server_error'), respond.json(chatAnswer('after all')));
    await expect(chat(dated)).resolves.toMatchObject({ choices: [{ message: { content: 'after all' } }] });
  });
});
