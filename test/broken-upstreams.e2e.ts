import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { chatAnswer, chatEvents, cut, DONE_EVENT, errorEvent, pause, RawClient, type Reply, reset, respond, stall, toEvent } from '@weir/testing';
import { type ModelSetup, TestGateway, type TestModel } from './support/test-gateway';
import { waitFor } from './support/wait-for';

const EVENTS = chatEvents('some words to be broken off');
const BEGUN = EVENTS.slice(0, 4);
const FOUR_KEYS = ['message', 'type', 'param', 'code'];

let gateway: TestGateway;
/** Models of their own for tests that break them; made together, because each takes a moment to be offered. */
let patient: TestModel[];
let hasty: TestModel[];
let pairs: { name: string; upstreamIds: string[]; paths: string[] }[];

beforeAll(async () => {
  gateway = await TestGateway.start();
  const addModels = (word: string, count: number, setup: ModelSetup): Promise<TestModel[]> =>
    Promise.all(Array.from({ length: count }, (_, index) => gateway.addModel(`gpt-${word}-${index}`, setup)));
  patient = await addModels('patient', 45, { timeoutMs: 10_000, streamTimeoutMs: 400 });
  hasty = await addModels('hasty', 3, { timeoutMs: 300 });
  pairs = await Promise.all(Array.from({ length: 16 }, (_, index) => addPair(`gpt-pair-${index}`)));
});
afterAll(() => gateway.stop());
afterEach(() => gateway.simulator.reset());

/** A model whose second upstream is asked only when the first one fails. */
async function addPair(name: string): Promise<(typeof pairs)[number]> {
  const paths = ['broken', 'good'].map((word) => `/${name}-${word}`);
  const keyless = { provider: 'openai-compatible', options: { no_key: true } };
  const upstreams = await Promise.all(paths.map((path) => gateway.addUpstream(path, { ...keyless, baseUrl: gateway.simulator.origin + path })));
  const upstreamIds = upstreams.map(({ id }) => id);
  await gateway.addRoute(name, upstreamIds);
  return { name, upstreamIds, paths };
}

function take<Item>(items: Item[]): Item {
  const item = items.pop();
  if (item === undefined) throw new Error('too few were made');
  return item;
}

async function chat(model: string, stream: boolean) {
  const body = { model, messages: [{ role: 'user', content: 'x' }], stream };
  const response = await gateway.weir.post('/v1/chat/completions', gateway.key, body);
  const text = await response.text();
  return { status: response.status, type: response.headers.get('content-type') ?? '', attempts: Number(response.headers.get('x-weir-attempts')), requestId: response.headers.get('x-request-id'), text };
}

/** The last event, which must be an error in OpenAI's form, and what came before it. */
function splitError(text: string): { passed: string; error: { message: string; type: string; param: string | null; code: string | null } } {
  const start = text.lastIndexOf('data: ');
  const { error } = JSON.parse(text.slice(start + 'data: '.length));
  expect(Object.keys(error)).toEqual(FOUR_KEYS);
  expect(text.endsWith('\n\n')).toBe(true);
  return { passed: text.slice(0, start), error };
}

describe('a stream that breaks before its first event', () => {
  const FIRST = errorEvent('The engine is overloaded.');

  // Retries are a tenth of the requests of the last half minute: here they are half of them.
  beforeAll(async () => {
    const { name } = take(patient);
    for (let round = 0; round < 8; round += 1) await Promise.all(Array.from({ length: 20 }, () => chat(name, false)));
  });

  it.each<[string, Reply]>([
    ['begins with an error event', respond.stream(FIRST, DONE_EVENT)],
    ['begins with comments and an error event', respond.stream(': hello\n\n', ': hello\n\n', FIRST)],
    ['begins with an error field, as llama.cpp writes it', respond.stream('error: {"code":500,"message":"boom","type":"server_error"}\n\n', 'data: [DONE]')],
    ['is empty', respond.stream()],
    ['has nothing but [DONE]', respond.stream(DONE_EVENT)],
    ['has nothing but comments', respond.stream(': a\n\n', ': b\n\n')],
    ['is reset', respond.stream(reset)],
    ['is no JSON', respond.stream('data: {"choices":[\n\n', DONE_EVENT)],
    ['is HTML', respond.html()],
    ['is a JSON error under 200', respond.json({ error: { message: 'boom', type: 'server_error', param: null, code: null } })],
    ['is a whole answer', respond.json(chatAnswer('not streamed'))],
    ['is empty JSON', respond.empty()],
    ['is compressed though nobody asked', respond.stream(...EVENTS).withHeaders({ 'content-encoding': 'gzip' })],
    ['never gets a head', respond.closeBeforeHead()],
    ['is a redirect', respond.redirect('http://127.0.0.1:1/v1/chat/completions')],
    ['is 500', respond.status(500)],
  ])('is answered by another upstream, as if nothing had been: it %s', async (_what, reply) => {
    const { name, upstreamIds, paths } = take(pairs);
    gateway.simulator.forPath(`${paths[0]}/chat/completions`, reply);
    gateway.simulator.forPath(`${paths[1]}/chat/completions`, respond.stream(...EVENTS));
    const answer = await chat(name, true);
    expect([answer.status, answer.attempts, answer.text.slice(0, 150)]).toEqual([200, 2, EVENTS[0].slice(0, 150)]);
    expect(answer.text === EVENTS.toSpliced(-2, 1).join('')).toBe(true);
    const rows = await gateway.rows(answer.requestId, 2);
    expect(rows.map(({ upstream_id, status }) => [upstream_id, status])).toEqual([
      [upstreamIds[0], 'failed'],
      [upstreamIds[1], 'succeeded'],
    ]);
    expect(Number(rows[0].output_tokens)).toBe(0);
  });

  it.each<[string, Reply, number, string]>([
    ['the status of a plain error', respond.stream(FIRST), 502, 'upstream_error'],
    ["the caller's own mistake, told by a number", respond.stream(toEvent({ error: { message: 'too long', type: 'BadRequestError', param: null, code: 400 } })), 400, '400'],
    ["the caller's own mistake, told by OpenAI's type", respond.stream(toEvent({ error: { message: 'too long', type: 'invalid_request_error', param: 'messages', code: 'context_length_exceeded' } })), 400, 'context_length_exceeded'],
    ['a throttling', respond.stream(toEvent({ error: { message: 'slow down', type: 'requests', param: null, code: 'rate_limit_exceeded' } })), 503, 'no_upstream_available'],
    ['an empty stream', respond.stream(), 502, 'upstream_error'],
    ['HTML', respond.html(), 502, 'upstream_error'],
  ])('keeps its status when there is nobody else: %s', async (_what, reply, status, code) => {
    const model = take(patient);
    gateway.simulator.always(reply);
    const answer = await chat(model.name, true);
    expect([answer.status, answer.type]).toEqual([status, 'application/json']);
    expect(JSON.parse(answer.text).error).toMatchObject({ code });
    expect(Object.keys(JSON.parse(answer.text).error)).toEqual(FOUR_KEYS);
    if (status === 400) expect(gateway.simulator.calls).toHaveLength(1);
  });
});

describe('a stream that breaks after its first event', () => {
  it.each<[string, Reply, string, RegExp]>([
    ['ends without [DONE]', respond.stream(...EVENTS.slice(0, -1)), 'upstream_error', /early/],
    ['ends in the middle', respond.stream(...BEGUN), 'upstream_error', /early/],
    ['ends in the middle of an event', respond.stream(...BEGUN, EVENTS[4].slice(0, 30)), 'upstream_error', /./],
    ['is closed in the middle', respond.stream(...BEGUN, cut), 'upstream_error', /./],
    ['is reset in the middle', respond.stream(...BEGUN, reset), 'upstream_error', /./],
    ['stalls in the middle', respond.stream(...BEGUN, stall), 'upstream_timeout', /too long/],
    ['sends an error event', respond.stream(...BEGUN, errorEvent('boom'), DONE_EVENT), 'upstream_error', /error/],
    ['sends a flat error under event: error', respond.stream(...BEGUN, 'event: error\ndata: {"message":"boom","code":"x"}\n\n', DONE_EVENT), 'upstream_error', /error/],
    ['sends an error field', respond.stream(...BEGUN, 'error: {"code":500,"message":"boom"}\n\ndata: [DONE]'), 'upstream_error', /error/],
    ['sends what is no JSON', respond.stream(...BEGUN, 'data: {"choices":[}\n\n', ...EVENTS.slice(4)), 'upstream_error', /not JSON/],
    ['sends invalid UTF-8', respond.stream(...BEGUN, Buffer.from('data: {"x":"\xff"}\n\n', 'latin1'), ...EVENTS.slice(4)), 'upstream_error', /not JSON/],
    ['sends an event beyond all measure', respond.stream(...BEGUN, 'data: "', ...Array.from({ length: 40 }, () => Buffer.alloc(1024 * 1024, 'x'))), 'upstream_error', /./],
  ])('ends with an error event and no [DONE], and is not tried again: it %s', async (_what, reply, code, message) => {
    const model = take(patient);
    gateway.simulator.enqueue(reply);
    const answer = await chat(model.name, true);
    const { passed, error } = splitError(answer.text);
    expect(answer.status).toBe(200);
    expect(EVENTS.slice(0, -1).join('').startsWith(passed)).toBe(true);
    expect(passed.startsWith(BEGUN.join(''))).toBe(true);
    expect(answer.text).not.toContain('[DONE]');
    expect(answer.text).not.toContain('boom');
    expect(error).toMatchObject({ code, type: 'server_error', message: expect.stringMatching(message) });
    expect(gateway.simulator.calls).toHaveLength(1);
    const [row] = await gateway.rows(answer.requestId);
    expect(row).toMatchObject({ status: 'failed', attempt: 1, http_status: 200 });
    // What the caller got is charged.
    expect(Number(row.output_tokens)).toBeGreaterThan(0);
  });

  it('ends for the official SDK in an error, and not in a short answer', async () => {
    const { default: OpenAI } = await import('openai');
    const model = take(patient);
    gateway.simulator.enqueue(respond.stream(...BEGUN));
    const client = new OpenAI({ baseURL: `${gateway.weir.url}/v1`, apiKey: gateway.key, maxRetries: 0 });
    const stream = await client.chat.completions.create({ model: model.name, messages: [{ role: 'user', content: 'x' }], stream: true });
    const read = async (): Promise<void> => {
      for await (const chunk of stream) expect(chunk.choices).toHaveLength(1);
    };
    await expect(read()).rejects.toMatchObject({ code: 'upstream_error' });
  });
});

describe('a whole answer that is broken', () => {
  it.each<[string, Reply, number]>([
    ['HTML under 200', respond.html(), 502],
    ['cut-off JSON', respond.notJson(), 502],
    ['no JSON at all', respond.notJson('OK'), 502],
    ['invalid UTF-8', respond.pieces('application/json', Buffer.from('{"x":"\xff"}', 'latin1')), 502],
    ['empty', respond.empty(), 502],
    ['compressed though nobody asked', respond.gzip(chatAnswer('x')), 502],
    ['an error under 200', respond.json({ error: { message: 'boom', type: 'server_error', param: null, code: null } }), 502],
    ['a redirect', respond.redirect('http://127.0.0.1:1/v1/chat/completions', 307), 502],
    ['not modified', respond.status(304, ''), 502],
    ['shorter than promised', respond.wrongContentLength('{"id":"x"}', 100), 502],
    ['a cut-off chunk', respond.truncatedChunked('{"id":"x"}'), 502],
    ['reset in its head', respond.resetInHead(), 502],
    ['reset in its middle', respond.resetMidBody('{"id":'), 502],
    ['without a head', respond.closeBeforeHead(), 502],
    ['larger than is borne', respond.huge(65 * 1024 * 1024), 502],
    ['with headers beyond measure', respond.hugeHeaders(200_000), 502],
    ['not HTTP', respond.raw('hello, I am no HTTP server\r\n\r\n'), 502],
    ['of a status that is none', respond.raw('HTTP/1.1 99 Odd\r\ncontent-length: 0\r\n\r\n'), 502],
    ['never there', respond.never(), 504],
    ['stalled in its body', respond.headOnly('application/json'), 504],
    ['slower than its time', respond.slowly(JSON.stringify(chatAnswer('x')), { pieceBytes: 1, gapMs: 50 }), 504],
  ])('does not pass: %s', async (_what, reply, status) => {
    const model = take(status === 504 ? hasty : patient);
    gateway.simulator.always(reply);
    const answer = await chat(model.name, false);
    expect(answer.status).toBe(status);
    const { error } = JSON.parse(answer.text);
    expect(Object.keys(error)).toEqual(FOUR_KEYS);
    expect(error).toMatchObject({ code: status === 504 ? 'upstream_timeout' : 'upstream_error', type: 'server_error' });
    expect(answer.text).not.toMatch(/boom|127\.0\.0\.1|ECONN|html/i);
    gateway.simulator.reset();
    expect((await chat(model.name, false)).status).toBe(200);
  });

  it('passes without a length, until the connection closes', async () => {
    const model = take(patient);
    gateway.simulator.enqueue(respond.untilClose(JSON.stringify(chatAnswer('fine'))));
    expect(await chat(model.name, false)).toMatchObject({ status: 200, text: JSON.stringify(chatAnswer('fine')) });
  });

  it.each([
    ['refuses connections', 'http://127.0.0.1:1/v1'],
    ['is not in the DNS', 'http://weir-test.invalid/v1'],
    ['speaks no TLS', null],
  ])('is told as 502 when the upstream %s, and no key is blamed', async (_what, baseUrl) => {
    const name = `gpt-gone-${new URL(baseUrl ?? 'https://x').host}`;
    const model = await gateway.addModel(name, { baseUrl: baseUrl ?? gateway.simulator.baseUrl.replace('http:', 'https:') });
    const answer = await chat(name, false);
    expect(answer.status).toBe(502);
    expect(JSON.parse(answer.text).error).toMatchObject({ code: 'upstream_error' });
    expect(await gateway.upstreamKey(model)).toMatchObject({ status: 'active', failure_count: 0 });
  });

  it('is told as 504 when the upstream takes connections and says nothing', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const address = silent.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const model = await gateway.addModel('gpt-silent', { baseUrl: `http://127.0.0.1:${port}/v1`, timeoutMs: 300 });
    const answer = await chat(model.name, false);
    expect([answer.status, JSON.parse(answer.text).error.code]).toEqual([504, 'upstream_timeout']);
    silent.close();
  });
});

describe('a caller that leaves', () => {
  const leave: [string, (client: RawClient) => void][] = [
    ['tidily', (client) => client.leave()],
    ['with a reset', (client) => client.reset()],
  ];

  async function call(model: TestModel, stream: boolean): Promise<RawClient> {
    const client = await RawClient.connect(gateway.weir.url);
    client.sendJson('/v1/chat/completions', { model: model.name, messages: [{ role: 'user', content: 'x' }], stream }, { authorization: `Bearer ${gateway.key}` });
    return client;
  }

  it.each(leave)('%s before the first byte stops the upstream, is a row of its own kind, and blames nobody', async (_how, go) => {
    const model = take(patient);
    for (const [index, stream] of [false, true].entries()) {
      gateway.simulator.reset();
      gateway.simulator.enqueue(stream ? respond.headOnly() : respond.never());
      const client = await call(model, stream);
      const [seen] = await gateway.simulator.waitForCalls(1);
      go(client);
      await gateway.simulator.waitForAbort(seen);
      await expectAborted(model, index + 1);
    }
  });

  it.each(leave)('%s in the middle of a stream stops the upstream, and what it got is charged', async (_how, go) => {
    const model = take(patient);
    gateway.simulator.enqueue(respond.stream(...BEGUN, stall));
    const client = await call(model, true);
    await client.readUntil('data: ', BEGUN.length);
    go(client);
    await gateway.simulator.waitForAbort(gateway.simulator.calls[0]);
    const [row] = await expectAborted(model, 1);
    expect(Number(row.output_tokens)).toBeGreaterThan(0);
    expect(row.estimated).toBe(true);
  });

  async function expectAborted(model: TestModel, count: number) {
    const rows = await waitFor(async () => {
      const found = await gateway.database.query<{ status: string; output_tokens: string; estimated: boolean }>('SELECT * FROM usage_records WHERE model = $1', [model.name]);
      return found.length === count ? found : null;
    });
    expect(rows.map(({ status }) => status)).toEqual(Array.from({ length: count }, () => 'aborted'));
    expect(await gateway.upstreamKey(model)).toMatchObject({ status: 'active', failure_count: 0 });
    return rows;
  }
});

describe('time limits of a stream', () => {
  it('end one that sends nothing but comments, with a status, because nothing had begun', async () => {
    const model = await gateway.addModel('gpt-comments', { timeoutMs: 300, streamTimeoutMs: 600 });
    const comments = Array.from({ length: 200 }, () => [Buffer.from(': thinking\n\n'), pause(50)]).flat();
    gateway.simulator.always(respond.stream(...comments));
    const answer = await chat(model.name, true);
    gateway.simulator.always(null);
    expect([answer.status, JSON.parse(answer.text).error.code]).toEqual([504, 'upstream_timeout']);
  });

  it('end the connection of a caller who does not read the end of it', async () => {
    const impatient = await TestGateway.start({ STREAM_TIMEOUT_MS: '600' });
    const model = await impatient.addModel('gpt-large-end');
    impatient.simulator.enqueue(respond.stream(toEvent({ choices: [{ index: 0, delta: { content: 'x'.repeat(25_000_000) } }] }), DONE_EVENT));
    const body = JSON.stringify({ model: model.name, stream: true, messages: [{ role: 'user', content: 'x' }] });
    const port = Number(new URL(impatient.weir.url).port);
    const socket = connect(port, '127.0.0.1');
    const closed = once(socket, 'close');
    socket.on('error', () => undefined);
    socket.pause();
    socket.write(`POST /v1/chat/completions HTTP/1.1\r\nhost: weir\r\ncontent-type: application/json\r\nauthorization: Bearer ${impatient.key}\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    await impatient.simulator.waitForCalls(1);
    expect(isServedStill(socket, port)).toBe(true);
    await waitFor(() => !isServedStill(socket, port), { what: 'Weir to end the connection' });
    socket.resume();
    await closed;
    await impatient.stop();
  });
});

/** Whether the server's end of this connection is open, by the kernel's account (proc(5)): a client that does not read hears nothing. */
function isServedStill(socket: Socket, port: number): boolean {
  const toHex = (number: number | undefined): string => (number ?? 0).toString(16).toUpperCase().padStart(4, '0');
  const ends = new RegExp(`:${toHex(port)} [0-9A-F]+:${toHex(socket.localPort)} 01 `);
  return ends.test(readFileSync('/proc/net/tcp', 'latin1'));
}
