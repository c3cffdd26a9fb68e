import { chatAnswer, chatEvents, cut, Gate, respond } from '@weir/testing';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chat, type ChatAnswer, openChat } from './support/chat';
import { findFreePort } from './support/find-free-port';
import { OtlpReceiver } from './support/otlp-receiver';
import { createTestDatabase, type TestDatabase } from './support/postgres';
import { createTestRedis } from './support/redis';
import { TestGateway, type TestModel } from './support/test-gateway';
import { waitFor } from './support/wait-for';
import { addKey, Weir } from './support/weir';

const PROMPT = 'the-prompt-that-nobody-else-may-read';
const ANSWER = 'the answer that nobody else may read';
const COLLECTOR_TOKEN = 'collector-token-4711';
const CALLER_TRACE = '0af7651916cd43dd8448eb211c80319c';
const CALLER_SPAN = 'b7ad6b7169203331';
const TRACEPARENT = `00-${CALLER_TRACE}-${CALLER_SPAN}-01`;
/** Soon, so that tests do not wait; what tests wait for are the spans. */
const PROMPTLY = { OTEL_BSP_SCHEDULE_DELAY: '20' };

/** A module that says at the end of a process how many it has loaded. The metrics' library brings OpenTelemetry's interface, which does nothing by itself. */
const WITNESS = "process.on('exit', () => { const loaded = Object.keys(require.cache); console.log('LOADED ' + loaded.filter((path) => /@opentelemetry.(?!api.)/.test(path)).length + ' of ' + loaded.length); });";

const idOf = ({ headers }: ChatAnswer): string | null => headers.get('x-request-id');

describe('traces', () => {
  let receiver: OtlpReceiver;
  let gateway: TestGateway;
  let hosted: TestModel;

  beforeAll(async () => {
    receiver = await OtlpReceiver.start();
    gateway = await TestGateway.start({
      OTEL_EXPORTER_OTLP_ENDPOINT: `${receiver.url}/otlp/`,
      OTEL_EXPORTER_OTLP_HEADERS: `x-collector-token=${COLLECTOR_TOKEN}`,
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test,service.instance.id=node-1',
      OTEL_SERVICE_NAME: 'weir-under-test',
      ...PROMPTLY,
    });
    hosted = await gateway.addModel('hosted', { price: { input_per_million_usd: 1, output_per_million_usd: 2 }, upstreamModel: 'gpt-upstream' });
  });
  afterAll(async () => {
    await gateway.stop();
    await receiver.stop();
  });
  beforeEach(() => gateway.simulator.reset());

  const ask = (options: Parameters<typeof chat>[3] = {}, model = hosted.name): Promise<ChatAnswer> => chat(gateway.weir, gateway.key, model, { content: PROMPT, ...options });

  it('of a whole answer are a span of the call and one of its attempt, in the words of the conventions', async () => {
    gateway.simulator.enqueue(respond.json(chatAnswer(ANSWER, 'gpt-upstream-2026')));
    const answer = await ask({ fields: { max_tokens: 77 } });
    const { call, attempts } = await receiver.waitForCall(idOf(answer), 1);
    expect(call).toMatchObject({
      name: 'chat hosted',
      kind: 'server',
      parentSpanId: '',
      hasFailed: false,
      resource: { 'service.name': 'weir-under-test', 'service.instance.id': 'node-1', 'deployment.environment.name': 'test', 'process.pid': gateway.weir.child.pid },
    });
    const [usage] = await gateway.rows(idOf(answer));
    const tokens = { 'gen_ai.usage.input_tokens': Number(usage.input_tokens), 'gen_ai.usage.output_tokens': Number(usage.output_tokens) };
    const told = { 'gen_ai.response.model': 'gpt-upstream-2026', 'gen_ai.response.id': 'chatcmpl-scripted' };
    expect(call.attributes).toEqual({
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'openai',
      'gen_ai.request.model': 'hosted',
      'gen_ai.request.max_tokens': 77,
      'http.request.method': 'POST',
      'http.route': '/v1/chat/completions',
      'http.response.status_code': 200,
      'weir.request_id': idOf(answer),
      'weir.organization_id': expect.any(String),
      'weir.key_id': expect.any(String),
      'weir.attempts': 1,
      'weir.upstream': 'upstream of hosted',
      'weir.first_byte_ms': expect.any(Number),
      'weir.cost_nanos': Number(usage.cost_nanos),
      ...tokens,
      ...told,
    });
    expect(call.events).toEqual([{ name: 'weir.admission', attributes: { 'weir.admission.admitted': true, 'weir.admission.wait_ms': expect.any(Number) } }]);
    const [attempt] = attempts;
    expect(attempt).toMatchObject({ name: 'chat gpt-upstream', kind: 'client', traceId: call.traceId, parentSpanId: call.spanId, hasFailed: false });
    expect(attempt.attributes).toEqual({
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'openai',
      'gen_ai.request.model': 'gpt-upstream',
      'http.request.method': 'POST',
      'http.response.status_code': 200,
      'server.address': '127.0.0.1',
      'server.port': Number(new URL(gateway.simulator.origin).port),
      'weir.attempt': 1,
      'weir.upstream': 'upstream of hosted',
      'weir.upstream_key_id': hosted.keyIds[0],
      'weir.cost_nanos': Number(usage.cost_nanos),
      ...tokens,
      ...told,
    });
    expect(call.startNanos <= attempt.startNanos && attempt.startNanos <= attempt.endNanos && attempt.endNanos <= call.endNanos).toBe(true);
    expect(receiver.posts[0]).toMatchObject({ path: '/otlp/v1/traces', headers: { 'x-collector-token': COLLECTOR_TOKEN, 'content-type': 'application/x-protobuf' } });
  });

  it('of a stream tell its usage, its model and its first byte', async () => {
    gateway.simulator.enqueue(respond.stream(...chatEvents(ANSWER, { model: 'gpt-streamed' })));
    const { call, attempts } = await receiver.waitForCall(idOf(await ask({ stream: true })), 1);
    const streamed = { 'gen_ai.request.stream': true, 'gen_ai.response.time_to_first_chunk': expect.any(Number), 'gen_ai.response.model': 'gpt-streamed', 'gen_ai.usage.output_tokens': expect.any(Number) };
    expect(call.attributes).toMatchObject({ ...streamed, 'weir.first_byte_ms': expect.any(Number) });
    expect(attempts[0].attributes).toMatchObject(streamed);
  });

  it('of an answer told in another dialect say why it ended', async () => {
    const { name } = await gateway.addModel('translated', { provider: 'anthropic', upstreamModel: 'claude-upstream' });
    const message = { id: 'msg_1', type: 'message', role: 'assistant', model: 'claude-upstream-1', content: [{ type: 'text', text: ANSWER }], stop_reason: 'max_tokens', stop_sequence: null };
    gateway.simulator.enqueue(respond.json({ ...message, usage: { input_tokens: 5, output_tokens: 7, cache_read_input_tokens: 3, cache_creation_input_tokens: 2 } }));
    const { attempts } = await receiver.waitForCall(idOf(await ask({}, name)), 1);
    expect(attempts[0].attributes).toMatchObject({
      'gen_ai.provider.name': 'anthropic',
      'gen_ai.response.id': 'msg_1',
      'gen_ai.response.model': 'claude-upstream-1',
      'gen_ai.response.finish_reasons': ['length'],
      'gen_ai.usage.input_tokens': 10,
      'gen_ai.usage.cache_read.input_tokens': 3,
      'gen_ai.usage.cache_write.input_tokens': 2,
    });
  });

  it('of a call that was tried again hold both attempts', async () => {
    gateway.simulator.enqueue(respond.status(503), respond.echo());
    const answer = await ask();
    expect(answer.status).toBe(200);
    const { call, attempts } = await receiver.waitForCall(idOf(answer), 2);
    const [failed, second] = attempts.sort((one, other) => Number(one.attributes['weir.attempt']) - Number(other.attributes['weir.attempt']));
    expect(failed).toMatchObject({ kind: 'client', hasFailed: true, attributes: { 'weir.attempt': 1, 'error.type': 'fault', 'http.response.status_code': 503 } });
    expect(second).toMatchObject({ kind: 'client', hasFailed: false, attributes: { 'weir.attempt': 2, 'http.request.resend_count': 1, 'http.response.status_code': 200 } });
    expect(second.spanId).not.toBe(failed.spanId);
    expect(call).toMatchObject({ hasFailed: false, attributes: { 'weir.attempts': 2, 'http.response.status_code': 200 } });
    expect(call.attributes).not.toHaveProperty(['error.type']);
  });

  it('of a call that a limit refused say which one, and hold no attempt', async () => {
    const { key } = await addKey(gateway.weir, { limits: { rpm: 1 } });
    await chat(gateway.weir, key, hosted.name, { content: PROMPT });
    const refused = await chat(gateway.weir, key, hosted.name, { content: PROMPT });
    expect(refused.status).toBe(429);
    const { call } = await receiver.waitForCall(idOf(refused), 0);
    expect(call).toMatchObject({ hasFailed: false, attributes: { 'http.response.status_code': 429, 'error.type': 'rate_limit_exceeded', 'weir.attempts': 0 } });
    expect(call.events).toMatchObject([{ name: 'weir.admission', attributes: { 'weir.admission.admitted': false, 'weir.admission.refused_by': 'requests_per_minute', 'weir.admission.scope': 'key' } }]);
    expect(receiver.spans.filter(({ parentSpanId }) => parentSpanId === call.spanId)).toEqual([]);
  });

  it('of a call whose caller left say so, and blame nobody', async () => {
    gateway.simulator.enqueue(respond.stream(...chatEvents(ANSWER).slice(0, 3), new Gate()));
    const caller = new AbortController();
    const response = await openChat(gateway.weir, gateway.key, hosted.name, { content: PROMPT, stream: true, signal: caller.signal });
    await response.body?.getReader().read();
    caller.abort();
    const { call, attempts } = await receiver.waitForCall(response.headers.get('x-request-id'), 1);
    expect(call).toMatchObject({ hasFailed: false, attributes: { 'error.type': 'client_closed_request', 'weir.aborted': true } });
    expect(attempts[0]).toMatchObject({ hasFailed: false, attributes: { 'error.type': 'aborted' } });
  });

  it('of a stream that broke call it failed', async () => {
    gateway.simulator.enqueue(respond.stream(...chatEvents(ANSWER).slice(0, 3), cut));
    const { call, attempts } = await receiver.waitForCall(idOf(await ask({ stream: true })), 1);
    expect(call).toMatchObject({ hasFailed: true, attributes: { 'http.response.status_code': 200, 'error.type': expect.any(String) } });
    expect(attempts[0].hasFailed).toBe(true);
  });

  it('show of a stranger neither the key nor the model that were asked with', async () => {
    const response = await gateway.weir.post('/v1/chat/completions', 'sk-weir-stranger-key', { model: 'stranger-model', messages: [] });
    const { call } = await receiver.waitForCall(response.headers.get('x-request-id'), 0);
    expect(call.attributes).toMatchObject({ 'http.response.status_code': 401, 'error.type': 'invalid_api_key' });
    expect(JSON.stringify(call.attributes)).not.toMatch(/stranger/);
    const unknown = await ask({}, 'model that nobody made');
    expect(JSON.stringify((await receiver.waitForCall(idOf(unknown), 0)).call.attributes)).not.toMatch(/nobody made/);
  });

  it('go on with the trace of a caller', async () => {
    const answer = await ask({ headers: { traceparent: TRACEPARENT, tracestate: 'vendor=1' } });
    const { call, attempts } = await receiver.waitForCall(idOf(answer), 1);
    expect(call).toMatchObject({ traceId: CALLER_TRACE, parentSpanId: CALLER_SPAN, traceState: 'vendor=1' });
    expect(attempts[0].traceId).toBe(CALLER_TRACE);
  });

  it.each([
    ['of zeros', `00-${'0'.repeat(32)}-${CALLER_SPAN}-01`],
    ['in capitals', TRACEPARENT.toUpperCase()],
    ['too short', TRACEPARENT.slice(0, -4)],
    ['of a version that is none', `ff${TRACEPARENT.slice(2)}`],
    ['with more behind it', `${TRACEPARENT}-x`],
  ])('begin anew where a traceparent is none: %s', async (_what, traceparent) => {
    const { call } = await receiver.waitForCall(idOf(await ask({ headers: { traceparent } })), 1);
    expect(call).toMatchObject({ traceId: expect.stringMatching(/^(?!0{32})[0-9a-f]{32}$/), parentSpanId: '' });
    expect(call.traceId).not.toBe(CALLER_TRACE);
  });

  it('are left out where the caller does not want any', async () => {
    const unwanted = await ask({ headers: { traceparent: `00-${CALLER_TRACE}-${CALLER_SPAN}-00` } });
    // Spans go out in the order in which calls end.
    await receiver.waitForCall(idOf(await ask()), 1);
    expect(receiver.spans.filter(({ attributes }) => attributes['weir.request_id'] === idOf(unwanted))).toEqual([]);
    expect(gateway.simulator.calls).toHaveLength(2);
  });

  it("are told on to servers of one's own, and to no provider", async () => {
    const own = await gateway.addModel('own', { provider: 'openai-compatible' });
    const headers = { traceparent: TRACEPARENT, tracestate: 'vendor=1', baggage: 'who=me' };
    await ask({ headers });
    const { attempts } = await receiver.waitForCall(idOf(await ask({ headers }, own.name)), 1);
    await fetch(`${gateway.weir.url}/proxy/openai/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${gateway.key}`, 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ model: 'gpt-4o', messages: [{ role: 'user', content: PROMPT }] }),
    });
    const [toHosted, toOwn, byProxy] = gateway.simulator.calls;
    expect(toOwn.headers).toMatchObject({ traceparent: `00-${CALLER_TRACE}-${attempts[0].spanId}-01`, tracestate: 'vendor=1' });
    expect(toOwn.headers).not.toHaveProperty('baggage');
    for (const call of [toHosted, byProxy]) {
      for (const name of Object.keys(headers)) expect(call.headers).not.toHaveProperty(name);
    }
  });

  it('are named in the log line of their request', async () => {
    const answer = await ask();
    const { call } = await receiver.waitForCall(idOf(answer), 1);
    const line = await waitFor(() => gateway.weir.output.split('\n').find((text) => text.includes(`"${idOf(answer)}"`) && text.includes('"msg":"request"')), { what: 'the log line' });
    expect(JSON.parse(line)).toMatchObject({ trace_id: call.traceId });
  });

  it('are counted in the metrics', async () => {
    await receiver.waitForCall(idOf(await ask()), 1);
    await waitFor(async () => Number(/^weir_trace_spans_total\{result="exported"\} (\d+)$/m.exec(await gateway.weir.metrics())?.[1]) >= 2, { what: 'the count of spans' });
  });

  it('hold no prompt, no answer and no secret in all of their bytes', async () => {
    // Whatever is asked, and answered, in any of the tests above.
    await receiver.waitForCall(idOf(await ask({ fields: { user: 'user-of-the-caller', stop: ['stop-of-the-caller'] } })), 1);
    const bytes = Buffer.concat(receiver.posts.map(({ body }) => body)).toString('latin1');
    expect(bytes).toContain('gen_ai.request.model');
    for (const secret of [PROMPT, ANSWER, 'nobody else may', gateway.key, hosted.secret, gateway.weir.adminKey, COLLECTOR_TOKEN, 'of-the-caller', 'who=me', 'stranger']) {
      expect(bytes).not.toContain(secret);
    }
    expect(gateway.weir.output).not.toContain(COLLECTOR_TOKEN);
  });
});

let folder: string;
let witness: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'weir-test-traces-'));
  witness = join(folder, 'witness.js');
  writeFileSync(witness, WITNESS);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a collector that is away', () => {
  it('is warned of once, costs nobody an answer and no more memory than its queue, and gets at the end what waits', async () => {
    const [database, redis, port] = await Promise.all([createTestDatabase(), createTestRedis(), findFreePort()]);
    const weir = await Weir.start({
      databaseUrl: database.url,
      redisUrl: redis.url,
      nodeFlags: ['--require', witness],
      // A batch is sent when it is full, and else only at the end.
      environment: {
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `http://127.0.0.1:${port}/v1/traces`,
        OTEL_EXPORTER_OTLP_TIMEOUT: '900',
        OTEL_BSP_SCHEDULE_DELAY: '3600000',
        OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '2',
        OTEL_BSP_MAX_QUEUE_SIZE: '4',
      },
    });
    const count = async (result: string): Promise<number> => Number(new RegExp(`^weir_trace_spans_total\\{result="${result}"\\} (\\d+)$`, 'm').exec(await weir.metrics())?.[1] ?? 0);
    let made = 0;
    const call = async (): Promise<string | null> => {
      made += 1;
      const answer = await chat(weir, 'sk-weir-nobody', 'any');
      expect(answer.status).toBe(401);
      return idOf(answer);
    };
    const linesOf = (text: string): number => weir.output.split('\n').filter((line) => line.includes(text)).length;
    let receiver: OtlpReceiver | null = null;
    try {
      // Nobody is there: batch after batch fails.
      for (let refused = 2; refused <= 6; refused += 2) {
        await call();
        await call();
        await waitFor(async () => (await count('refused')) >= refused, { what: `${refused} spans refused`, timeoutMs: 30_000 });
      }
      // Somebody is there, and never answers.
      receiver = await OtlpReceiver.start(port);
      receiver.mode = 'hangs';
      for (let calls = 0; calls < 40; calls += 1) await call();
      expect(await count('dropped')).toBeGreaterThan(0);
      receiver.mode = 'refuses';
      await waitFor(async () => (await count('refused')) + (await count('dropped')) >= 40, { what: 'all spans to be given up', timeoutMs: 30_000 });
      expect(linesOf('the collector of traces takes no spans')).toBe(1);
      receiver.mode = 'takes';
      await waitFor(
        async () => {
          await call();
          return linesOf('the collector of traces takes spans again') >= 1;
        },
        { what: 'a batch that is taken', timeoutMs: 30_000 },
      );
      // Until no more than one waits: then there is room for what follows.
      await waitFor(async () => (await count('exported')) + (await count('refused')) + (await count('dropped')) >= made - 1, { what: 'an empty queue', timeoutMs: 30_000 });
      const last = [await call(), await call(), await call()];
      await weir.stop();
      expect(weir.exitCode).toBe(0);
      const exported = receiver.spans.map(({ attributes }) => attributes['weir.request_id']);
      expect(exported).toEqual(expect.arrayContaining(last));
      expect(weir.output).not.toContain('no spans today');
      // What no start without traces shows.
      expect(weir.output).toMatch(/^LOADED [1-9]\d* of \d{3,}$/m);
    } finally {
      await weir.stop();
      await receiver?.stop();
      await Promise.all([database.drop(), redis.close()]);
    }
  }, 120_000);
});

describe('without traces', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());

  async function run(environment: Readonly<Record<string, string>>): Promise<string> {
    const weir = await Weir.start({ databaseUrl: database.url, environment, nodeFlags: ['--require', witness] });
    expect((await chat(weir, 'sk-weir-nobody', 'any')).status).toBe(401);
    await weir.stop();
    return weir.output;
  }

  it('nothing of OpenTelemetry is loaded, and no log line has a trace', async () => {
    const output = await run({ OTEL_SERVICE_NAME: 'weir', OTEL_TRACES_SAMPLER: 'always_on' });
    expect(output).toMatch(/^LOADED 0 of \d{3,}$/m);
    expect(output).toContain('"msg":"request"');
    expect(output).not.toMatch(/trace_id|OTEL_/);
  });

  it.each<[string, Readonly<Record<string, string>>, string]>([
    ['a sampler that nobody knows', { OTEL_TRACES_SAMPLER: 'sometimes-hunter2' }, 'OTEL_TRACES_SAMPLER must be'],
    ['a certificate that is not there', { OTEL_EXPORTER_OTLP_CERTIFICATE: '/nowhere/hunter2.pem' }, 'OTEL_EXPORTER_OTLP_CERTIFICATE names a file'],
  ])('a wrong variable is warned of in one line that says what to do, and Weir serves: %s', async (_what, environment, words) => {
    const output = await run({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318', ...environment });
    const lines = output.split('\n').filter((line) => line.includes('OTEL_'));
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0])).toMatchObject({ level: 40, msg: expect.stringContaining(words) });
    expect(output).not.toContain('hunter2');
  });
});
