import Anthropic from '@anthropic-ai/sdk';
import { chatAnswer, chatEvents, cut, Gate, RawClient, readScene, type Reply, respond, toEvents } from '@weir/testing';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request as httpRequest, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import OpenAI from 'openai';
import { readAnswer, repeat } from './support/chat';
import { connectGoogle } from './support/google-client';
import { newProviderKey, TestGateway } from './support/test-gateway';
import { waitFor } from './support/wait-for';
import { addKey } from './support/weir';

const MAX_UPLOAD_BYTES = 60 * 1024 * 1024;
const BUDGET = { budgets: [{ amount_usd: '1', period: 'day' }] };
const TOOL_NAMES = expect.arrayContaining([expect.any(String)]);

let gateway: TestGateway;
/** By upstream name: the key that Weir holds there. */
const secrets: Record<string, string[]> = {};
/** Of a caller with a budget. */
let budgetKey: string;

beforeAll(async () => {
  gateway = await TestGateway.start({ MAX_UPLOAD_BYTES: String(MAX_UPLOAD_BYTES) });
  const { origin, baseUrl } = gateway.simulator;
  await addUpstream('openai one', { provider: 'openai', baseUrl });
  await addUpstream('azure one', { provider: 'azure', baseUrl: origin, options: { base_model: 'gpt-4o' } });
  await addUpstream('claude', { provider: 'anthropic', baseUrl: origin });
  await addUpstream('google', { provider: 'gemini', baseUrl: `${origin}/v1beta` });
  await addUpstream('azure files', { provider: 'azure', baseUrl: `${origin}/files`, options: { proxy_paths: '/openai/files' } });
  await addUpstream('files', { provider: 'openai-compatible', baseUrl: `${origin}/files/v1`, options: { proxy_paths: '/v1/files,/v1/batches', proxy_request_usd: 0.25 }, keyCount: 2 });
  await addUpstream('gpu', { provider: 'openai-compatible', baseUrl: `${origin}/gpu/v1`, options: { proxy_request_usd: 0.01, proxy_paths: '/' } });
  await addUpstream('plain', { provider: 'openai-compatible', baseUrl: `${origin}/plain/v1` });
  await addUpstream('fragile', { provider: 'openai-compatible', baseUrl: `${origin}/fragile/v1`, options: { proxy_paths: '/' }, keyCount: 2 });
  await addUpstream('pair', { provider: 'openai-compatible', baseUrl: `${origin}/pair/v1`, options: { proxy_paths: '/' }, keyCount: 2 });
  ({ key: budgetKey } = await addKey(gateway.weir, BUDGET));
  await waitFor(async () => (await call('GET', '/proxy/pair/v1/models')).status !== 400, { what: 'the upstreams to be known' });
  // Budgets are counted from the ledger first.
  await waitFor(async () => (await call('POST', '/proxy/gpu/first', { body: {}, key: budgetKey })).status !== 503, { what: 'budgets to be counted' });
  gateway.simulator.reset();
});
afterAll(() => gateway.stop());
afterEach(() => gateway.simulator.reset());
// It stands for servers of which nobody knows the paths.
beforeEach(() => gateway.simulator.default(respond.json({ ok: true })));

async function addUpstream(name: string, { keyCount = 1, ...setup }: { provider: string; baseUrl: string; options?: Record<string, unknown>; keyCount?: number }): Promise<void> {
  secrets[name] = Array.from({ length: keyCount }, newProviderKey);
  await gateway.addUpstream(name, { ...setup, secrets: secrets[name] });
}

type Init = Omit<RequestInit, 'method' | 'body'> & { body?: unknown; key?: string | null; headers?: Record<string, string> };

function call(method: string, path: string, { body, key = gateway.key, headers = {}, ...init }: Init = {}): Promise<Response> {
  const isText = body === undefined || typeof body === 'string' || body instanceof Uint8Array || body instanceof ReadableStream;
  return fetch(gateway.weir.url + path, {
    method,
    redirect: 'manual',
    headers: { ...(key === null ? {} : { authorization: `Bearer ${key}` }), ...(isText ? {} : { 'content-type': 'application/json' }), ...headers },
    body: isText ? (body as string) : JSON.stringify(body),
    ...(body instanceof ReadableStream ? { duplex: 'half' } : {}),
    ...init,
  });
}

const chatBody = (fields: object = {}) => ({ model: 'gpt-4o', messages: [{ role: 'user', content: 'Hello!' }], max_tokens: 50, ...fields });
const lastCall = () => gateway.simulator.calls[gateway.simulator.calls.length - 1];

describe("a vendor's own SDK, whose base URL is below /proxy/", () => {
  const openai = () => new OpenAI({ baseURL: `${gateway.weir.url}/proxy/openai/v1`, apiKey: gateway.key, maxRetries: 0 });
  const anthropic = () => new Anthropic({ baseURL: `${gateway.weir.url}/proxy/anthropic`, apiKey: gateway.key, maxRetries: 0 });
  const google = () => connectGoogle(`${gateway.weir.url}/proxy/gemini`, gateway.key);
  const sse = (bytes: Buffer): Reply => respond.stream(...toEvents(bytes));
  const json = (bytes: Buffer): Reply => respond.json(JSON.parse(bytes.toString('utf8')));

  it('OpenAI: chat, stream, tools and responses', async () => {
    const request = { model: 'gpt-4o', messages: [{ role: 'user' as const, content: 'Hello!' }] };
    gateway.simulator.enqueue(json(readScene('openai-chat', 'text', 'gpt-4o', false)), sse(readScene('openai-chat', 'text', 'gpt-4o', true)), json(readScene('openai-chat', 'tools', 'gpt-4o', false)), json(readScene('openai-responses', 'text', 'gpt-4o', false)));
    const answer = await openai().chat.completions.create(request);
    let text = '';
    for await (const chunk of await openai().chat.completions.create({ ...request, stream: true })) text += chunk.choices[0]?.delta.content ?? '';
    expect(text).toBe(answer.choices[0].message.content);
    const tools = await openai().chat.completions.create(request);
    expect(tools.choices[0].message.tool_calls?.length).toBeGreaterThan(1);
    expect((await openai().responses.create({ model: 'gpt-4o', input: 'Hello!' })).output_text).not.toBe('');
    expect(gateway.simulator.calls.map(({ path }) => path)).toEqual(['/v1/chat/completions', '/v1/chat/completions', '/v1/chat/completions', '/v1/responses']);
    // Nothing is put into a stream's request.
    expect(gateway.simulator.calls[1].json).toEqual({ ...request, stream: true });
  });

  it('Azure: chat with its api-version', async () => {
    const answer = await call('POST', '/proxy/azure/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21', { body: chatBody(), key: null, headers: { 'api-key': gateway.key } });
    expect(answer.status).toBe(200);
    expect(lastCall()).toMatchObject({ path: '/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21', key: secrets['azure one'][0] });
  });

  it('Anthropic: messages, stream, tools and the count of tokens', async () => {
    const request = { model: 'claude-opus-4-8', max_tokens: 100, messages: [{ role: 'user' as const, content: 'Hello!' }] };
    gateway.simulator.enqueue(
      json(readScene('anthropic', 'text', request.model, false)),
      sse(readScene('anthropic', 'text', request.model, true)),
      sse(readScene('anthropic', 'tools', request.model, true)),
      respond.json({ input_tokens: 4711 }),
    );
    const answer = await anthropic().messages.create(request);
    const streamed = await anthropic().messages.stream(request).finalMessage();
    expect(streamed.content).toMatchObject(answer.content.map((block) => ({ type: block.type, ...(block.type === 'text' ? { text: block.text } : {}) })));
    const tools = await anthropic().messages.stream(request).finalMessage();
    expect(tools.content.flatMap((block) => (block.type === 'tool_use' ? [block.name] : []))).toEqual(TOOL_NAMES);
    expect(await anthropic().messages.countTokens({ model: request.model, messages: request.messages })).toEqual({ input_tokens: 4711 });
    expect(gateway.simulator.calls.map(({ path }) => path)).toEqual(['/v1/messages', '/v1/messages', '/v1/messages', '/v1/messages/count_tokens']);
    expect(lastCall().headers).toMatchObject({ 'x-api-key': secrets.claude[0] });
  });

  it('Google: content, stream and tools', async () => {
    const model = 'gemini-3.1-pro-preview';
    gateway.simulator.enqueue(json(readScene('gemini', 'text', model, false)), sse(readScene('gemini', 'text', model, true)), json(readScene('gemini', 'tools', model, false)));
    const answer = await google().models.generateContent({ model, contents: 'Hello!' });
    let text = '';
    for await (const chunk of await google().models.generateContentStream({ model, contents: 'Hello!' })) text += chunk.text ?? '';
    expect(text).toBe(answer.text);
    expect((await google().models.generateContent({ model, contents: 'Hello!' })).functionCalls?.length).toBeGreaterThan(0);
    expect(gateway.simulator.calls.map(({ path }) => path)).toEqual([
      `/v1/models/${model}:generateContent`,
      `/v1/models/${model}:streamGenerateContent?alt=sse`,
      `/v1/models/${model}:generateContent`,
    ]);
    expect(lastCall().headers['x-goog-api-key']).toBe(secrets.google[0]);
  });
});

describe('what is sent', () => {
  it('arrives byte for byte, with query and odd headers, and the key is Weir’s', async () => {
    const body = '{ "model" : "gpt-4o",\n "messages":[{"role":"user","content":"gr\\u00fc\u00dfe \ud83d\udc4b"}], "seed": 12345678901234567890, "odd": 1.0 }';
    const headers = {
      'content-type': 'application/json; charset=utf-8', 'x-odd': 'a; b="c", d', accept: 'application/x-odd, */*', 'user-agent': 'odd/1', 'openai-organization': 'org-callers', 'openai-project': 'p',
      cookie: 'a=b', 'x-forwarded-for': '10.0.0.1', 'accept-encoding': 'gzip', 'api-key': 'callers', 'x-goog-api-key': 'callers', 'x-api-key': 'callers', 'idempotency-key': 'k', 'proxy-authorization': 'Basic x',
    };
    expect((await call('POST', '/proxy/openai/v1/chat/completions?a=%20b&a=2&&c', { body, headers })).status).toBe(200);
    const { text, path, headers: sent } = lastCall();
    expect([path, text]).toEqual(['/v1/chat/completions?a=%20b&a=2&&c', body]);
    expect(sent).toMatchObject({ 'x-odd': 'a; b="c", d', accept: 'application/x-odd, */*', 'user-agent': 'odd/1', 'content-type': headers['content-type'], authorization: `Bearer ${secrets['openai one'][0]}`, 'accept-encoding': 'identity' });
    for (const name of ['openai-organization', 'openai-project', 'cookie', 'x-forwarded-for', 'api-key', 'x-goog-api-key', 'x-api-key', 'idempotency-key', 'proxy-authorization']) expect(sent).not.toHaveProperty(name);
    expect(JSON.stringify(sent)).not.toContain(gateway.key);
  });

  it('a key in the query is taken out, however it is written', async () => {
    for (const name of ['key', '%6bey', 'k%65y']) {
      const answer = await call('GET', `/proxy/gemini/v1beta/models?pageSize=5&${name}=${gateway.key}&x=1`, { key: null });
      expect(answer.status).toBe(200);
      expect(lastCall().path).toBe('/v1beta/models?pageSize=5&x=1');
    }
  });

  it('binaries go through as they are, with and without a length', async () => {
    const bytes = randomBytes(300_000);
    expect((await call('POST', '/proxy/gpu/odd/upload', { body: bytes, headers: { 'content-type': 'application/x-odd' } })).status).toBe(200);
    expect(lastCall().body.equals(bytes)).toBe(true);
    expect(lastCall().headers).toMatchObject({ 'content-length': '300000', 'content-type': 'application/x-odd' });
    expect((await call('POST', '/proxy/gpu/odd/upload', { body: Readable.toWeb(Readable.from([bytes, bytes])) })).status).toBe(200);
    expect(lastCall().body.equals(Buffer.concat([bytes, bytes]))).toBe(true);
    expect(lastCall().headers).toMatchObject({ 'transfer-encoding': 'chunked' });
  });

  it.each(['GET', 'HEAD', 'DELETE', 'PUT', 'PATCH', 'POST'])('%s goes through where the upstream opens it', async (method) => {
    const answer = await call(method, '/proxy/files/v1/files/file-1?x=y', { headers: { accept: 'text/plain' } });
    expect(answer.status).toBe(200);
    expect(lastCall()).toMatchObject({ method, path: '/files/v1/files/file-1?x=y', text: '' });
  });

  it('a connection takes the next request behind the one before', async () => {
    const client = await RawClient.connect(gateway.weir.url);
    client.sendJson('/proxy/openai/v1/chat/completions', chatBody({ seed: 1 }), { authorization: `Bearer ${gateway.key}` });
    client.sendJson('/proxy/gpu/any', { seed: 2 }, { authorization: `Bearer ${gateway.key}` });
    client.sendJson('/proxy/openai/v1/files', { seed: 3 }, { authorization: `Bearer ${gateway.key}` });
    const read = await client.readUntil('HTTP/1.1 ', 3);
    expect([...read.matchAll(/HTTP\/1\.1 (\d+)/g)].map((match) => match[1])).toEqual(['200', '200', '403']);
    // Both are on their way at once; their answers come in order.
    expect(gateway.simulator.calls.map(({ json }) => json.seed).sort()).toEqual([1, 2]);
    client.leave();
  });
});

describe('what comes back', () => {
  it('is the provider’s status, headers and bytes, without its organization and its limits', async () => {
    const bytes = randomBytes(100_000);
    const reply = respond.raw(
      'HTTP/1.1 206 Partial\r\ncontent-type: audio/x-odd; a="b"\r\nx-odd: gr\xfc\xdf\r\nopenai-organization: org-secret\r\nopenai-project: proj-secret\r\nset-cookie: a=b\r\nx-ratelimit-limit-requests: 7\r\n' +
        'x-request-id: theirs\r\nanthropic-organization-id: org-secret\r\naccess-control-allow-origin: *\r\nx-accel-redirect: /etc/passwd\r\nconnection: close, x-hop\r\nx-hop: 1\r\n' + `content-length: ${bytes.length}\r\n\r\n`,
      bytes,
    );
    gateway.simulator.enqueue(reply);
    const answer = await call('GET', '/proxy/openai/v1/models/gpt-4o');
    expect(answer.status).toBe(206);
    const headers = Object.fromEntries(answer.headers);
    expect(headers).toMatchObject({ 'content-type': 'audio/x-odd; a="b"', 'content-length': '100000', 'x-weir-upstream': 'openai%20one', 'x-weir-attempts': '1' });
    expect(headers['x-request-id']).not.toBe('theirs');
    for (const name of ['openai-organization', 'openai-project', 'set-cookie', 'anthropic-organization-id', 'access-control-allow-origin', 'x-accel-redirect', 'x-hop']) expect(headers).not.toHaveProperty(name);
    expect(headers['x-ratelimit-limit-requests']).not.toBe('7');
    expect(Buffer.from(await answer.arrayBuffer()).equals(bytes)).toBe(true);
  });

  it('keeps the pieces of a stream apart, as they come', async () => {
    const gate = new Gate();
    gateway.simulator.enqueue(respond.pieces('application/x-ndjson', '{"a":1}\n', gate, '{"b":2}\n'));
    const answer = await call('POST', '/proxy/gpu/api/generate', { body: {} });
    const reader = answer.body?.getReader();
    expect(Buffer.from((await reader?.read())?.value ?? '').toString()).toBe('{"a":1}\n');
    gate.open();
    expect(Buffer.from((await reader?.read())?.value ?? '').toString()).toBe('{"b":2}\n');
    expect((await reader?.read())?.done).toBe(true);
  });

  it.each([
    ['nothing at all, 204', respond.raw('HTTP/1.1 204 No Content\r\nx-odd: 1\r\n\r\n'), 204, ''],
    ['an empty 200', respond.empty(), 200, ''],
    ['HTML', respond.html(), 200, '<html><body><h1>Bad Gateway</h1></body></html>'],
    ['what is not JSON', respond.notJson('{"half'), 200, '{"half'],
  ])('may be %s', async (_what, reply, status, text) => {
    gateway.simulator.enqueue(reply);
    const answer = await call('POST', '/proxy/openai/v1/chat/completions', { body: chatBody() });
    expect([answer.status, await answer.text()]).toEqual([status, text]);
  });

  it('gzip that nobody asked for is a fault of the upstream', async () => {
    gateway.simulator.default(respond.gzip(chatAnswer('x')));
    const answer = await readAnswer(await call('POST', '/proxy/openai/v1/chat/completions', { body: chatBody() }));
    expect(answer).toMatchObject({ status: 502, body: { error: { code: 'upstream_error' } } });
  });

  it('a redirect is not followed, and where it leads is not told', async () => {
    gateway.simulator.default(respond.redirect(`${gateway.simulator.origin}/elsewhere`));
    const answer = await call('POST', '/proxy/fragile/any', { body: {} });
    expect(answer.status).toBe(502);
    expect(answer.headers.get('location')).toBeNull();
    expect(gateway.simulator.calls.map(({ path }) => path)).not.toContain('/elsewhere');
  });

  it("a provider's own 4xx passes as it is, but for the key that it repeats", async () => {
    const [secret] = secrets['openai one'];
    const body = `{"error":{"message":"no such thing, ${secret}","odd":[1.0]}}`;
    gateway.simulator.enqueue(respond.raw(`HTTP/1.1 422 Odd\r\ncontent-type: application/problem+json; x=1\r\nx-odd: 1\r\nopenai-organization: org\r\ncontent-length: ${body.length}\r\n\r\n${body}`));
    const answer = await call('POST', '/proxy/openai/v1/chat/completions', { body: chatBody() });
    expect(answer.status).toBe(422);
    expect(Object.fromEntries(answer.headers)).toMatchObject({ 'content-type': 'application/problem+json; x=1', 'x-odd': '1' });
    expect(answer.headers.has('openai-organization')).toBe(false);
    expect(await answer.text()).toBe(body.replace(secret, '[secret]'));
  });

  it('a refusal that is packed is told in Weir’s words: the key could be in it', async () => {
    gateway.simulator.always(respond.raw(`HTTP/1.1 400 Bad\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n\x1f\x8b\x08\x00`));
    const answer = await readAnswer(await call('POST', '/proxy/openai/v1/chat/completions', { body: chatBody() }));
    expect(answer.status).toBe(400);
    expect(answer.body.error).toMatchObject({ type: expect.any(String) });
  });
});

describe('paths', () => {
  it.each([
    ['POST', '/proxy/nobody/v1/chat/completions', 400],
    ['POST', '/proxy/', 400],
    ['GET', '/proxy/openai/v1/../admin', 400],
    ['GET', '/proxy/openai/v1/%2e%2e/admin', 400],
    ['GET', '/proxy/openai//v1/models', 400],
    ['GET', '/proxy/openai/v1\\models', 400],
    ['GET', '/proxy/openai/v1%5cmodels', 400],
    ['GET', '/proxy/openai/v1%2fmodels', 400],
    ['GET', '/proxy/openai/v1/models/a%00b', 400],
    ['GET', '/proxy/openai/v1/models/a%0d%0ab', 400],
    ['GET', '/proxy/openai/v1/models/..;/x', 400],
    ['GET', '/proxy/openai/v1/responses/resp_1', 403],
    ['DELETE', '/proxy/openai/v1/responses/resp_1', 403],
    ['GET', '/proxy/openai/v1/files', 403],
    ['POST', '/proxy/openai/v1/batches', 403],
    ['GET', '/proxy/plain/v1/responses/resp_1', 403],
    ['GET', '/proxy/plain/v1/files/file-1/content', 403],
    ['GET', '/proxy/gpu/%6detrics', 400],
    ['POST', '/proxy/plain/v1/load_lora_adapter', 403],
    ['POST', '/proxy/files/v1/chat/completions', 403],
    ['DELETE', '/proxy/openai/v1/models/gpt-4o', 403],
    ['TRACE', '/proxy/gpu/any', 405],
  ])('%s %s is %d, and nobody is asked', async (method, path, status) => {
    const answered = await new Promise<number>((resolve, reject) => {
      const request = httpRequest(gateway.weir.url, { method, path, headers: { authorization: `Bearer ${gateway.key}` } }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      request.on('error', reject).end();
    });
    expect(answered).toBe(status);
    expect(gateway.simulator.calls).toHaveLength(0);
  });

  it('of several upstreams of a vendor, only those are asked that open the path', async () => {
    const answers = await repeat(12, (index) => call('POST', index % 2 === 0 ? '/proxy/azure/openai/files' : '/proxy/azure/openai/v1/chat/completions', { body: chatBody() }));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(gateway.simulator.calls.map(({ path }) => path))).toEqual(new Set(['/files/openai/files', '/openai/v1/chat/completions']));
  });
});

describe('errors of Weir’s own', () => {
  it.each([
    ['openai', '/v1/chat/completions', { error: { type: expect.any(String), code: 'invalid_api_key' } }],
    ['anthropic', '/v1/messages', { type: 'error', error: { type: 'authentication_error' } }],
    ['gemini', '/v1beta/models/gemini-3:generateContent', { error: { code: 401, status: 'UNAUTHENTICATED' } }],
  ])('are said in the format of %s', async (name, path, expected) => {
    const answer = await readAnswer(await call('POST', `/proxy/${name}${path}`, { body: {}, key: 'wk_wrong' }));
    expect(answer.status).toBe(401);
    expect(answer.body).toMatchObject(expected);
  });

  it('a limit and a budget too, also under the upstream’s own name', async () => {
    const { key } = await addKey(gateway.weir, { limits: { rpm: 1, rpd: 0 } });
    const body = { model: 'claude-opus-4-8', max_tokens: 10, messages: [{ role: 'user', content: 'x' }] };
    gateway.simulator.default(respond.json(JSON.parse(readScene('anthropic', 'text', body.model, false).toString('utf8'))));
    expect((await call('POST', '/proxy/claude/v1/messages', { body, key })).status).toBe(200);
    const limited = await readAnswer(await call('POST', '/proxy/claude/v1/messages', { body, key }));
    expect(limited).toMatchObject({ status: 429, body: { type: 'error', error: { type: 'rate_limit_error' } } });
    expect(limited.headers.get('retry-after')).not.toBeNull();
    const dear = await readAnswer(await call('POST', '/proxy/claude/v1/messages', { body: { ...body, max_tokens: 1_000_000_000 }, key: budgetKey }));
    expect([dear.status, dear.text]).toEqual([429, expect.any(String)]);
    expect(dear.body).toMatchObject({ type: 'error', error: { type: expect.any(String) } });
    const closed = await readAnswer(await call('GET', '/proxy/claude/v1/organizations/me'));
    expect(closed).toMatchObject({ status: 403, body: { type: 'error', error: { type: 'permission_error' } } });
  });

  it('a chat that is sent as something else than JSON is refused: its price would not be known', async () => {
    expect((await call('POST', '/proxy/gpu/v1/chat/completions', { body: JSON.stringify(chatBody()), headers: { 'content-type': 'text/plain' } })).status).toBe(415);
    expect((await call('POST', '/proxy/gpu/v1/chat/completions', { body: '{"model":', headers: { 'content-type': 'application/json' } })).status).toBe(400);
    expect(gateway.simulator.calls).toHaveLength(0);
  });

  it('a key with a list of models reaches no other, and nothing that names none', async () => {
    await Promise.all([gateway.addModel('gpt-4o', { provider: 'openai-compatible' }), gateway.addModel('gpu/qwen3', { provider: 'openai-compatible' })]);
    const { key } = await addKey(gateway.weir, { models: ['gpt-4o', 'gpu/qwen3'] });
    const statusOf = async (path: string, body: unknown): Promise<number> => (await call('POST', path, { body, key })).status;
    expect(await statusOf('/proxy/openai/v1/chat/completions', chatBody())).toBe(200);
    expect(await statusOf('/proxy/gpu/v1/chat/completions', chatBody({ model: 'qwen3' }))).toBe(200);
    expect(await statusOf('/proxy/openai/v1/chat/completions', chatBody({ model: 'gpt-5' }))).toBe(403);
    expect(await statusOf('/proxy/gpu/any', { model: 'gpt-4o' })).toBe(403);
    expect(await statusOf('/proxy/gpu/api/chat/completions/', chatBody({ model: 'gpt-5' }))).toBe(403);
    expect((await call('GET', '/proxy/openai/v1/models', { key })).status).toBe(403);
    expect(gateway.simulator.calls).toHaveLength(2);
  });

  it("a key may be allowed a provider's own names, which are no models here, and they open that place alone", async () => {
    const { key } = await addKey(gateway.weir, { models: ['openai/ft:own-1', 'gpu/own-*'] });
    const statusOf = async (path: string, model: string): Promise<number> => (await call('POST', path, { body: chatBody({ model }), key })).status;
    expect(await statusOf('/proxy/openai/v1/chat/completions', 'ft:own-1')).toBe(200);
    expect(await statusOf('/proxy/gpu/v1/chat/completions', 'own-2')).toBe(200);
    expect(await statusOf('/proxy/gpu/v1/chat/completions', 'ft:own-1')).toBe(403);
    expect(await statusOf('/v1/chat/completions', 'openai/ft:own-1')).toBe(404);
    for (const models of [['ft:own-1'], ['nowhere/own-1']]) {
      await expect(addKey(gateway.weir, { models })).rejects.toThrow('The field models[0] names no model.');
    }
  });
});

describe('what it costs', () => {
  it('is read where the path is known, whole and streamed, and priced by the table', async () => {
    const body = chatBody();
    gateway.simulator.enqueue(respond.json(JSON.parse(readScene('openai-chat', 'text', 'gpt-4o', false).toString('utf8'))));
    const whole = await call('POST', '/proxy/openai/v1/chat/completions', { body, key: budgetKey });
    expect([whole.status, await whole.text()]).toEqual([200, expect.any(String)]);
    const [row] = await gateway.rows(whole.headers.get('x-request-id'));
    const { usage } = JSON.parse(readScene('openai-chat', 'text', 'gpt-4o', false).toString('utf8'));
    expect(row).toMatchObject({ operation: 'proxy', model: 'gpt-4o', upstream_model: 'gpt-4o', status: 'succeeded', estimated: false, input_tokens: String(usage.prompt_tokens), output_tokens: String(usage.completion_tokens) });
    expect(Number(row.cost_nanos)).toBeGreaterThan(0);
    gateway.simulator.enqueue(respond.stream(...chatEvents('some words that are counted')));
    const streamed = await call('POST', '/proxy/openai/v1/chat/completions', { body: chatBody({ stream: true, stream_options: { include_usage: true } }), key: budgetKey });
    await streamed.text();
    expect((await gateway.rows(streamed.headers.get('x-request-id')))[0]).toMatchObject({ status: 'succeeded', operation: 'proxy' });
  });

  it('anthropic’s and google’s are read too', async () => {
    gateway.simulator.forPath('/v1/messages', respond.stream(...toEvents(readScene('anthropic', 'text', 'x', true))));
    gateway.simulator.forPath('/v1beta/models/gemini-2.5-pro:generateContent', respond.json(JSON.parse(readScene('gemini', 'text', 'x', false).toString('utf8'))));
    for (const [path, body] of [
      ['/proxy/anthropic/v1/messages', { model: 'claude-sonnet-4-5', max_tokens: 20, stream: true, messages: [{ role: 'user', content: 'x' }] }],
      ['/proxy/gemini/v1beta/models/gemini-2.5-pro:generateContent', { contents: [{ parts: [{ text: 'x' }] }], generationConfig: { maxOutputTokens: 50 } }],
    ] as const) {
      const answer = await call('POST', path, { body, key: budgetKey });
      expect([path, answer.status]).toEqual([path, 200]);
      await answer.text();
      const [row] = await gateway.rows(answer.headers.get('x-request-id'));
      expect(row).toMatchObject({ estimated: false, status: 'succeeded' });
      expect([Number(row.input_tokens) > 0, Number(row.output_tokens) > 0, Number(row.cost_nanos) > 0]).toEqual([true, true, true]);
    }
  });

  it('is the price of a request where nobody knows, and not to be had under a budget without one', async () => {
    const answer = await call('POST', '/proxy/gpu/odd', { body: {}, key: budgetKey });
    expect(answer.status).toBe(200);
    await answer.text();
    expect((await gateway.rows(answer.headers.get('x-request-id')))[0]).toMatchObject({ model: '', cost_nanos: '10000000', status: 'succeeded', http_status: 200 });
    const unpriced = await readAnswer(await call('POST', '/proxy/fragile/odd', { body: {}, key: budgetKey }));
    expect(unpriced).toMatchObject({ status: 403, body: { error: { code: 'model_not_priced' } } });
    const free = await call('POST', '/proxy/fragile/odd', { body: {} });
    await free.text();
    expect((await gateway.rows(free.headers.get('x-request-id')))[0]).toMatchObject({ cost_nanos: null });
  });

  it('under a budget all that it may write must be affordable, because no cap is put in, and a stream must tell its usage', async () => {
    const { key } = await addKey(gateway.weir, { budgets: [{ amount_usd: '0.02', period: 'day' }] });
    const send = async (fields: object) => readAnswer(await call('POST', '/proxy/openai/v1/chat/completions', { body: chatBody(fields), key }));
    expect(await send({ max_tokens: undefined })).toMatchObject({ status: 429, body: { error: { code: 'budget_exceeded' } } });
    expect(await send({ stream: true })).toMatchObject({ status: 400, body: { error: { param: 'stream_options.include_usage' } } });
    expect(await send({ tools: [], web_search_options: {} })).toMatchObject({ status: 400, body: { error: { param: 'web_search_options' } } });
    expect(gateway.simulator.calls).toHaveLength(0);
    expect(await send({})).toMatchObject({ status: 200 });
  });

  it('embeddings hold no output', async () => {
    gateway.simulator.enqueue(respond.json({ object: 'list', data: [], model: 'm', usage: { prompt_tokens: 7, total_tokens: 7 } }));
    const { key } = await addKey(gateway.weir, { budgets: [{ amount_usd: '0.001', period: 'day' }] });
    const answer = await call('POST', '/proxy/openai/v1/embeddings', { body: { model: 'text-embedding-3-small', input: 'Hello!' }, key });
    expect(answer.status).toBe(200);
    await answer.text();
    expect((await gateway.rows(answer.headers.get('x-request-id')))[0]).toMatchObject({ input_tokens: '7', output_tokens: '0', estimated: false });
  });
});

describe('what fails', () => {
  it.each([
    ['a refused key', respond.openAiError('invalid_api_key')],
    ['a throttled key', respond.rateLimited({ retryAfterMs: 50 })],
    ['a fault', respond.status(503)],
  ])('%s: the next one is asked with the same bytes', async (_what, reply) => {
    const name = `next ${_what.replaceAll(' ', '-')}`;
    await addUpstream(name, { provider: 'openai-compatible', baseUrl: `${gateway.simulator.origin}/next/v1`, options: { proxy_paths: '/' }, keyCount: 2 });
    gateway.simulator.default(respond.json({ ok: true }));
    // The upstream may be known before its second key is. Keys are asked in turn.
    await waitFor(async () => {
      await call('GET', `/proxy/${encodeURIComponent(name)}/x`);
      return new Set(gateway.simulator.calls.map(({ key }) => key)).size === 2;
    });
    gateway.simulator.reset();
    gateway.simulator.enqueue(reply, respond.json({ ok: true }));
    const answer = await call('POST', `/proxy/${encodeURIComponent(name)}/v1/chat/completions`, { body: chatBody({ model: 'qwen3' }) });
    expect([answer.status, await answer.text(), answer.headers.get('x-weir-attempts')]).toEqual([200, '{"ok":true}', '2']);
    const [first, second] = gateway.simulator.calls;
    expect(second.text).toBe(first.text);
    expect(second.key).not.toBe(first.key);
    expect(await gateway.rows(answer.headers.get('x-request-id'), 2)).toMatchObject([{ status: 'failed' }, { status: 'succeeded' }]);
  });

  it('a body that was sent on as it came is not sent again', async () => {
    gateway.simulator.default(respond.status(503));
    const answer = await readAnswer(await call('POST', '/proxy/pair/any', { body: randomBytes(1000) }));
    expect(answer).toMatchObject({ status: 502, body: { error: { code: 'upstream_error' } } });
    expect(gateway.simulator.calls).toHaveLength(1);
  });

  it('an answer that breaks off is torn, never ended as if it were whole', async () => {
    for (const reply of [respond.stream(...chatEvents('some words').slice(0, 3), cut), respond.pieces('audio/mpeg', 'abc', cut), respond.wrongContentLength('{"a":1}', 100)]) {
      gateway.simulator.enqueue(reply);
      const client = await RawClient.connect(gateway.weir.url);
      client.sendJson('/proxy/openai/v1/chat/completions', chatBody({ stream: true }), { authorization: `Bearer ${gateway.key}` });
      const { bytes } = await client.readToEnd();
      expect(bytes).toMatch(/^HTTP\/1\.1 200 /);
      expect(bytes.endsWith('0\r\n\r\n')).toBe(false);
      expect(bytes).not.toContain('upstream_error');
    }
    expect(gateway.simulator.calls).toHaveLength(3);
  });

  it('a caller that leaves takes the upstream’s work with it', async () => {
    gateway.simulator.default(respond.never());
    const leaving = new AbortController();
    const open = call('POST', '/proxy/gpu/slow', { body: {}, signal: leaving.signal });
    await gateway.simulator.waitForCalls(1);
    leaving.abort();
    await expect(open).rejects.toThrow();
    await gateway.simulator.waitForAbort();
  });

  it('a caller that leaves in the middle of its upload, too', async () => {
    const client = await RawClient.connect(gateway.weir.url);
    client.send(`POST /proxy/gpu/upload HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${gateway.key}\r\ncontent-length: 1000000\r\n\r\n${'x'.repeat(100_000)}`);
    await waitFor(async () => gateway.simulator.calls.length === 1);
    client.leave();
    await gateway.simulator.waitForAbort();
  });

  it('who is refused before the body was read can use the connection no more, but gets the answer', async () => {
    const client = await RawClient.connect(gateway.weir.url);
    client.send(`POST /proxy/openai/v1/files/x HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${gateway.key}x\r\ncontent-length: 1000000\r\n\r\n`);
    const { bytes } = await client.readToEnd();
    expect(bytes).toMatch(/^HTTP\/1\.1 401 /);
  });

  it('a provider that refuses while the body still comes is heard', async () => {
    const early = createServer((request, response) => {
      response.writeHead(400, { 'content-type': 'application/json', connection: 'close' });
      response.write('{"error":{"message":"too');
      response.end(' odd"}}');
      request.resume();
    }).listen(0, '127.0.0.1');
    await once(early, 'listening');
    const { port } = early.address() as AddressInfo;
    await addUpstream('early', { provider: 'openai-compatible', baseUrl: `http://127.0.0.1:${port}`, options: { proxy_paths: '/' } });
    await waitFor(async () => (await call('GET', '/proxy/early/x')).headers.has('x-weir-upstream'));
    const client = await RawClient.connect(gateway.weir.url);
    client.send(`POST /proxy/early/upload HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${gateway.key}\r\ncontent-length: 1000000\r\n\r\n${'x'.repeat(10_000)}`);
    expect(await client.readUntil('odd')).toMatch(/^HTTP\/1\.1 400 [^]*connection: close[^]*too odd/i);
    await client.readToEnd();
    early.close();
  });
});

describe('uploads', () => {
  it('of 50 MB go through as fast as the upstream reads, with flat memory', async () => {
    const reads = new Gate();
    const slow = createServer((request, response) => void readSlowly(request, response, reads)).listen(0, '127.0.0.1');
    await once(slow, 'listening');
    await addUpstream('slow', { provider: 'openai-compatible', baseUrl: `http://127.0.0.1:${(slow.address() as AddressInfo).port}`, options: { proxy_paths: '/' } });
    await waitFor(async () => (await call('GET', '/proxy/slow/x')).status === 200);
    const memory = (): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${gateway.weir.child.pid}/status`, 'utf8'))?.[1]) * 1024;
    const before = memory();
    const piece = randomBytes(64 * 1024);
    const hash = createHash('sha256');
    let sent = 0;
    function* pieces(): Generator<Buffer> {
      for (let index = 0; index < 800; index += 1) {
        hash.update(piece);
        sent += piece.length;
        yield piece;
      }
    }
    const answering = call('POST', '/proxy/slow/upload', { body: Readable.toWeb(Readable.from(pieces(), { objectMode: false })) });
    // What fits into the buffers on the way is taken, and then no more.
    let taken = -1;
    await waitFor(async () => sent > 0 && sent === taken ? true : ((taken = sent), null), { intervalMs: 300 });
    expect(sent).toBeLessThan(20 * 1024 * 1024);
    expect(memory() - before).toBeLessThan(20 * 1024 * 1024);
    reads.open();
    const answer = await answering;
    expect([answer.status, await answer.text(), sent]).toEqual([200, hash.digest('hex'), 800 * piece.length]);
    slow.close();
  });

  it('larger than MAX_UPLOAD_BYTES are 413, with and without a length, and no word about the upstream', async () => {
    const client = await RawClient.connect(gateway.weir.url);
    client.send(`POST /proxy/pair/any HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${gateway.key}\r\ncontent-length: ${MAX_UPLOAD_BYTES + 1}\r\n\r\n`);
    expect(await client.readUntil('\r\n\r\n')).toMatch(/^HTTP\/1\.1 413 /);
    client.leave();
    expect(gateway.simulator.calls).toHaveLength(0);
    const chunk = Buffer.alloc(1024 * 1024, 'x');
    const endless = await RawClient.connect(gateway.weir.url);
    endless.send(`POST /proxy/pair/any HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${gateway.key}\r\ntransfer-encoding: chunked\r\n\r\n`);
    for (let sent = 0; sent <= MAX_UPLOAD_BYTES; sent += chunk.length) {
      endless.send(Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')]));
    }
    expect(await endless.readUntil('\r\n\r\n')).toMatch(/^HTTP\/1\.1 413 /);
    expect(endless.bytes).toContain('body_too_large');
    endless.leave();
    expect(gateway.simulator.calls.every(({ isBodyWhole }) => !isBodyWhole)).toBe(true);
    expect(await gateway.weir.metrics()).not.toMatch(/weir_upstream_attempts_total\{[^}]*upstream="pair"[^}]*outcome="fault"/);
  });
});

/** An upstream that does not read a body before it may, and answers with its hash. */
async function readSlowly(request: IncomingMessage, response: ServerResponse, reads: Gate): Promise<void> {
  const hash = createHash('sha256');
  if (request.method === 'POST') await reads.whenOpen();
  for await (const piece of request as AsyncIterable<Buffer>) hash.update(piece);
  response.end(hash.digest('hex'));
}
