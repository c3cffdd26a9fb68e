import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { azureChatEvents, chatAnswer, chatEvents, cut, RawClient, type Reply, reset, respond, toEvent, toOpenAiErrorBody } from '@weir/testing';
import { TestGateway, type TestModel } from './support/test-gateway';
import { Weir } from './support/weir';

const canary = (): string => randomBytes(16).toString('hex');

// No form that a pattern could know: the log must not hold them because they are never given to it.
const PROVIDER_KEY = canary();
const OPENAI_KEY = `sk-proj-${canary()}`;
const PROMPT = `prompt ${canary()}`;
const ANSWER = `answer ${canary()}`;
const ENCRYPTION_KEY = randomBytes(32).toString('hex');

let gateway: TestGateway;
let folder: string;
let azure: TestModel;
/** Everything a caller or an admin was told: where from, and what. */
const told: { of: string; text: string }[] = [];
/** Each with a key of its own, so that what is disabled or broken in one case serves the next no less. */
let models: { model: TestModel; key: string }[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-canary-'));
  gateway = await TestGateway.start({ LOG_LEVEL: 'trace', LOG_FILE: join(folder, 'weir.log'), ENCRYPTION_KEY });
  azure = await gateway.addModel('gpt-azure', { provider: 'azure', baseUrl: gateway.simulator.origin, secrets: [PROVIDER_KEY] });
  const setup = { timeoutMs: 1000, streamTimeoutMs: 300 };
  const add = async (name: string, key: string) => ({ model: await gateway.addModel(name, { ...setup, secrets: [key] }), key });
  models = await Promise.all([...Array(32).keys()].flatMap((index) => [add(`gpt-openai-${index}`, OPENAI_KEY), add(`gpt-provider-${index}`, PROVIDER_KEY)]));
});
afterAll(async () => {
  await gateway.stop();
  await rm(folder, { recursive: true, force: true });
});
afterEach(() => gateway.simulator.reset());

async function note(of: string, response: Response): Promise<string> {
  const text = await response.text().catch(() => 'the answer broke off');
  told.push({ of, text: `${response.status} ${JSON.stringify([...response.headers])} ${text}` });
  return text;
}

const toBody = (model: string, stream = false): string =>
  JSON.stringify({ model, stream, user: PROMPT, messages: [{ role: 'system', content: PROMPT }, { role: 'assistant', tool_calls: [{ id: 'x', type: 'function', function: { name: 'f', arguments: PROMPT } }] }, { role: 'user', content: PROMPT }] });

async function chat(of: string, model: string, stream = false): Promise<void> {
  await note(of, await gateway.weir.post('/v1/chat/completions', gateway.key, toBody(model, stream)));
}

function takeModel(): { model: TestModel; key: string } {
  const taken = models.pop();
  if (taken === undefined) throw new Error('too few models were made');
  return taken;
}

/** The secrets themselves; what they are called is said when one is found. */
function secrets(): Record<string, string> {
  const secretOf = (key: string): string => key.slice(key.indexOf('_') + 1, -6);
  return {
    'the provider key': PROVIDER_KEY,
    "the other provider's key": OPENAI_KEY.slice('sk-proj-'.length),
    "the caller's key": secretOf(gateway.key),
    'the admin key': secretOf(gateway.weir.adminKey),
    'the encryption key': ENCRYPTION_KEY,
    "the database's password": new URL(gateway.database.url).password || 'no password is set',
  };
}

/** Where a text holds one of the values, plain or encoded, with what stands in front of it. */
function findLeaks(where: string, text: string, values: Record<string, string>): string[] {
  const leaks: string[] = [];
  for (const [what, value] of Object.entries(values)) {
    for (const form of new Set([value, Buffer.from(value).toString('base64').replace(/=+$/, ''), encodeURIComponent(value)])) {
      const at = text.indexOf(form);
      if (at !== -1) leaks.push(`${what} is in ${where}: …${text.slice(Math.max(0, at - 100), at).replaceAll('\n', ' ')}‹here›`);
    }
  }
  return leaks;
}

describe('the canaries are sent', () => {
  const SAID = (key: string): string => `Incorrect API key provided: ${key} (Authorization: Bearer ${key}, api-key=${key}) for the prompt ${PROMPT}`;
  const error = (key: string, status: number, code: string | null): Reply => respond.json(toOpenAiErrorBody(SAID(key), 'invalid_request_error', code), status).withHeaders({ 'x-echo': key, 'www-authenticate': `Bearer ${key}`, 'set-cookie': `k=${key}` });

  it.each<[string, (key: string) => Reply]>([
    ['401', (key) => error(key, 401, 'invalid_api_key')],
    ['403', (key) => error(key, 403, null)],
    ['402', (key) => error(key, 402, null)],
    ['404', (key) => error(key, 404, 'model_not_found')],
    ['429', (key) => error(key, 429, 'rate_limit_exceeded').withHeaders({ 'retry-after': key })],
    ['a used-up quota', (key) => error(key, 429, 'insufficient_quota')],
    ['500', (key) => error(key, 500, null)],
    ['500 in words', (key) => respond.status(500, SAID(key))],
    ['500 in HTML', (key) => respond.pieces('text/html', `<html>${SAID(key)}</html>`)],
    ['a bare string', (key) => respond.json({ error: SAID(key), error_type: key }, 400)],
    ['a detail', (key) => respond.json({ detail: [{ msg: SAID(key) }] }, 422)],
    ['every field of an error', (key) => respond.json({ error: { message: key, type: key, param: key, code: key, innererror: { code: key, content: SAID(key) } } }, 400)],
    ['an error with escapes', (key) => respond.pieces('application/json', `{"error":{"message":"\\u0020${[...key].map((letter) => `\\u00${letter.charCodeAt(0).toString(16)}`).join('')}"}}`)],
    ['a redirect', (key) => respond.redirect(`http://127.0.0.1:1/?key=${key}&prompt=${encodeURIComponent(PROMPT)}`)],
    ['a redirect to a user', (key) => respond.redirect(`http://${key}@127.0.0.1:1/`)],
    ['no JSON', (key) => respond.notJson(`{"prompt":"${PROMPT}","key":"${key}"`)],
    ['an error under 200', (key) => error(key, 200, null)],
    ['huge headers', (key) => respond.json(chatAnswer(ANSWER)).withHeaders({ 'x-echo': `${key}${'x'.repeat(100_000)}${PROMPT}` })],
    ["headers of the provider's", (key) => respond.json(chatAnswer('fine')).withHeaders({ 'openai-processing-ms': key, 'x-request-id': key, 'x-ratelimit-limit-requests': key, location: key, 'x-echo': key })],
    ['nonsense', (key) => respond.raw(`${key} ${PROMPT}\r\n\r\n`)],
    ['a broken chunk', (key) => respond.truncatedChunked(SAID(key))],
    ['a reset', (key) => respond.resetMidBody(SAID(key))],
    ['another encoding', (key) => respond.pieces('application/json', SAID(key)).withHeaders({ 'content-encoding': key })],
    ['a stream that begins with an error', (key) => respond.stream(toEvent({ error: { message: SAID(key), code: 400 } }))],
    ['a stream that begins with another error', (key) => respond.stream(toEvent({ error: { message: SAID(key), type: key, code: key } }))],
    ['a stream with an error in it', (key) => respond.stream(...chatEvents('fine').slice(0, 2), toEvent({ error: { message: SAID(key), type: key, param: key, code: 400 } }))],
    ['a stream with a flat error in it', (key) => respond.stream(...chatEvents('fine').slice(0, 2), `event: error\ndata: {"message":"${SAID(key)}"}\n\n`)],
    ['a stream that is no JSON', (key) => respond.stream(...chatEvents('fine').slice(0, 2), `data: ${SAID(key)}\n\n`)],
    ['a stream with comments and ids', (key) => respond.stream(`: ${SAID(key)}\n`, `id: ${key}\n`, `retry: ${key}\n`, `event: ${key}\n`, ...chatEvents('fine'))],
    ['a stream that is cut', () => respond.stream(...chatEvents('fine').slice(0, 2), cut)],
    ['a stream that is reset', () => respond.stream(...azureChatEvents('fine').slice(0, 2), reset)],
  ])('by an upstream, in %s', async (what, toReply) => {
    for (const { model, key } of [takeModel(), takeModel()]) {
      gateway.simulator.always(toReply(key));
      await Promise.all([chat(what, model.name), chat(`${what}, streamed`, model.name, true)]);
      gateway.simulator.always(null);
    }
  });

  it('to an upstream that is not there, speaks no TLS, or says nothing', async () => {
    const garbage = createServer((socket) => socket.on('error', () => undefined).end(`${PROVIDER_KEY}\x16\x03\0${PROMPT}`)).listen(0, '127.0.0.1');
    await once(garbage, 'listening');
    const address = garbage.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    for (const [index, baseUrl] of ['http://127.0.0.1:1/v1', 'http://weir-canary.invalid/v1', `https://127.0.0.1:${port}/v1`, `http://127.0.0.1:${port}/v1`].entries()) {
      const model = await gateway.addModel(`gpt-gone-${index}`, { baseUrl, secrets: [PROVIDER_KEY] });
      await chat(baseUrl, model.name);
    }
    const { model } = takeModel();
    gateway.simulator.always(respond.never());
    await chat('a silent upstream', model.name);
    garbage.close();
  });

  it('by callers, in good requests and in bad ones', async () => {
    const { weir, key } = gateway;
    gateway.simulator.always(respond.json(chatAnswer('fine')));
    await chat('a good request', azure.name);
    await note('a key in the query', await fetch(`${weir.url}/v1/chat/completions?key=${key}&api-key=${key}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: toBody(azure.name) }));
    for (const path of [`/v1/models?key=${key}`, `/v1/${key}/models`, `/${key}`, `/v1/models/${key}`, `/v1/nothing?key=${key}`, `/openai/deployments/${key}/chat/completions?key=${key}`, `/proxy/openai/v1/models?key=${key}`, `/health/${key}?key=${key}`, '/health/all', '/health']) {
      await note(path.replaceAll(key, '‹key›'), await fetch(weir.url + path, { headers: { authorization: `Bearer ${key}` } }));
      await note(`POST ${path.replaceAll(key, '‹key›')}`, await fetch(weir.url + path, { method: 'POST', headers: { 'api-key': key, 'content-type': 'application/json' }, body: toBody(azure.name) }));
    }
    for (const authorization of [`Bearer ${key}x`, `Bearer ${key.slice(0, -1)}`, `Basic ${Buffer.from(`x:${key}`).toString('base64')}`, key, `Bearer ${weir.adminKey}`, `Bearer ${PROVIDER_KEY}`, `Bearer ${OPENAI_KEY}`]) {
      await note('a wrong key', await fetch(`${weir.url}/v1/chat/completions`, { method: 'POST', headers: { authorization, 'content-type': 'application/json' }, body: toBody(azure.name) }));
    }
    const bodies = [toBody(key), toBody(azure.name).slice(0, -5), `"${PROMPT}"`, `${toBody(azure.name)}${PROMPT}`, JSON.stringify({ model: azure.name, messages: PROMPT }), JSON.stringify({ model: azure.name, messages: [PROMPT], stream: key }), JSON.stringify({ model: { [key]: PROMPT }, messages: [] }), JSON.stringify({ model: azure.name, messages: [], api_key: key }), JSON.stringify({ model: azure.name, stream: true, stream_options: PROMPT, messages: [1] }), `{"model":"${azure.name}","${key}":1,"${key}":2}`];
    for (const body of bodies) await note(`a bad body`, await weir.post('/v1/chat/completions', key, body));
    await note('a form', await weir.post('/v1/chat/completions', key, PROMPT, { 'content-type': `multipart/form-data; boundary=${key}` }));
  });

  it('in what is no HTTP, and by callers who leave', async () => {
    for (const bytes of [`${gateway.key} ${PROMPT}\r\n\r\n`, `GET / HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${gateway.key}\0\r\n\r\n`, `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${gateway.key}\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n${PROMPT}`, `GET /${gateway.key} HTTP/1.1\r\nhost: x\r\nx: ${'x'.repeat(100_000)}\r\n\r\n`]) {
      const client = await RawClient.connect(gateway.weir.url);
      client.send(bytes);
      told.push({ of: 'what is no HTTP', text: (await client.readToEnd()).bytes });
    }
    const client = await RawClient.connect(gateway.weir.url);
    client.sendJson('/v1/chat/completions', JSON.parse(toBody(azure.name, true)), { authorization: `Bearer ${gateway.key}` });
    await gateway.simulator.waitForCalls(1);
    client.reset();
  });

  it('to the admin API, where they belong and where they do not', async () => {
    const { weir } = gateway;
    const admin = async (method: string, path: string, body?: unknown): Promise<void> => void (await note(`admin ${method} ${path.slice(0, 40)}`, await weir.adminResponse(method, path, body)));
    const upstream = await gateway.addUpstream('upstream with canaries');
    const keys = `/upstreams/${upstream.id}/keys`;
    await admin('POST', keys, { secret: OPENAI_KEY, label: 'canary' });
    await admin('POST', keys, { secret: OPENAI_KEY, label: 'again' });
    for (const body of [{ secret: [OPENAI_KEY] }, { secret: { key: OPENAI_KEY } }, { secret: `${OPENAI_KEY}\r\n` }, { secret: OPENAI_KEY, label: 5 }, { secret: OPENAI_KEY, enabled: OPENAI_KEY }, { key: OPENAI_KEY }, [OPENAI_KEY]]) await admin('POST', keys, body);
    for (const base_url of [`https://${OPENAI_KEY}@api.example.com/v1`, `https://x:${OPENAI_KEY}@api.example.com/v1`, `https://api.example.com/v1?key=${OPENAI_KEY}`, OPENAI_KEY]) await admin('POST', '/upstreams', { name: 'n', provider: 'openai', base_url });
    await admin('POST', '/upstreams', { name: 'n', provider: OPENAI_KEY, base_url: 'https://x.example' });
    await admin('POST', '/upstreams', { name: 'n', provider: 'azure', base_url: 'https://x.example', options: { api_version: OPENAI_KEY, [OPENAI_KEY]: 1 } });
    await admin('POST', '/upstreams', { name: 'n', provider: 'openai', base_url: 'https://x.example', timeout_ms: OPENAI_KEY });
    await admin('PATCH', `/upstreams/${azure.upstreamId}`, { base_url: 'https://elsewhere.example', secrets: { [azure.keyIds[0]]: 5, other: PROVIDER_KEY } });
    await admin('POST', '/models', { name: 'm', operation: OPENAI_KEY, targets: [{ upstream_id: OPENAI_KEY, upstream_model: 'x' }] });
    await admin('POST', '/keys', { organization_id: OPENAI_KEY, name: 'n' });
    await admin('POST', '/session', { key: OPENAI_KEY });
    await admin('POST', '/session', { admin_key: `${weir.adminKey}x` });
    for (const path of [`/keys/${OPENAI_KEY}`, `/${OPENAI_KEY}`, `/keys?search=${OPENAI_KEY}`, `/keys?cursor=${OPENAI_KEY}`, `/keys?limit=${OPENAI_KEY}`, `/requests?request_id=${OPENAI_KEY}`]) await admin('GET', path);
    for (const authorization of [`Bearer ${gateway.key}`, `Bearer ${weir.adminKey}x`, `Bearer ${OPENAI_KEY}`]) await note('a wrong admin key', await fetch(`${weir.adminUrl}/admin/keys`, { headers: { authorization } }));
    await note('a broken body', await fetch(`${weir.adminUrl}/admin/keys`, { method: 'POST', headers: { authorization: `Bearer ${weir.adminKey}`, 'content-type': 'application/json' }, body: `{"secret":"${OPENAI_KEY}` }));
    for (const collection of ['organizations', 'projects', 'users', 'keys', 'upstreams', `upstreams/${azure.upstreamId}`, `upstreams/${azure.upstreamId}/keys`, `upstreams/${upstream.id}/keys`, 'models', 'limits', 'usage', 'requests?limit=200', 'audit?limit=200']) await admin('GET', `/${collection}`);
  });

  it('at the start of a process that cannot start', async () => {
    const url = new URL(gateway.database.url);
    url.password = PROVIDER_KEY;
    url.port = '1';
    const environments: Record<string, string>[] = [{ ENCRYPTION_KEY: PROVIDER_KEY }, { ENCRYPTION_KEYS: `k1:${PROVIDER_KEY}` }, { DATABASE_URL: url.href }, { DATABASE_URL: `nonsense://${PROVIDER_KEY}` }, { REDIS_URL: `nonsense://x:${PROVIDER_KEY}@y` }, { PORT: PROVIDER_KEY }];
    const start = async (environment: Record<string, string>): Promise<string> => {
      const thrown: unknown = await Weir.start({ databaseUrl: gateway.database.url, environment }).then(
        (weir) => weir.stop(),
        (error: unknown) => error,
      );
      return thrown instanceof Error ? thrown.message : 'it started';
    };
    const all = await Promise.all(environments.map(start));
    for (const [index, environment] of environments.entries()) {
      const [variable] = Object.keys(environment);
      told.push({ of: `a start with a wrong ${variable}`, text: all[index] });
      expect([variable, all[index]]).toEqual([variable, expect.stringMatching(/\nweir: \S/)]);
    }
  });
});

describe('no canary is found', () => {
  const prompts = { 'the prompt': PROMPT, "the prompt's canary": PROMPT.slice('prompt '.length), "the answer's canary": ANSWER.slice('answer '.length) };

  it('in what anybody was told', () => {
    expect(told.length).toBeGreaterThan(200);
    expect(told.flatMap(({ of, text }) => findLeaks(`what was told of ${of}`, text, secrets()))).toEqual([]);
  });

  it('the prompt neither, but to who had sent it, in his provider’s own words about it', () => {
    const others = told.filter(({ of, text }) => of.startsWith('admin') || text.startsWith('5'));
    expect(others.flatMap(({ of, text }) => findLeaks(`what was told of ${of}`, text, prompts))).toEqual([]);
  });

  it('in the metrics', async () => {
    expect(findLeaks('the metrics', await gateway.weir.metrics(), { ...secrets(), ...prompts })).toEqual([]);
  });

  it('in any table of the database', async () => {
    const tables = await gateway.database.query<{ name: string }>("SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'");
    expect(tables.map(({ name }) => name)).toEqual(expect.arrayContaining(['usage_records', 'audit_records', 'upstream_keys', 'proxy_keys']));
    for (const { name } of tables) {
      const rows = JSON.stringify(await gateway.database.query(`SELECT * FROM ${name}`));
      expect(findLeaks(`the table ${name}`, rows, { ...secrets(), ...prompts })).toEqual([]);
    }
  });

  it('in the output and in the log file, at the level trace', async () => {
    await gateway.weir.stop();
    const files = await readdir(folder);
    const logs = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')));
    expect(logs.join('').split('\n').length).toBeGreaterThan(100);
    expect(findLeaks('the output', gateway.weir.output, { ...secrets(), ...prompts })).toEqual([]);
    expect(findLeaks('the log file', logs.join(''), { ...secrets(), ...prompts })).toEqual([]);
  });
});
