import { chatEvents, Gate, respond, UpstreamSimulator } from '@weir/testing';
import { chat, type ChatAnswer, openChat } from './support/chat';
import { type JsonValue } from './support/control-plane';
import { createTestDatabase, type TestDatabase } from './support/postgres';
import { Program } from './support/program';
import { createTestRedis, type TestRedis } from './support/redis';
import { waitFor } from './support/wait-for';
import { addKey, addModel, addUpstream, waitForModel, Weir } from './support/weir';

const MODEL = 'echo';
const UPSTREAM = 'simulator "one" \\ back';
const PROMPT = 'prompt-canary-4711';
const SECRET = 'sk-provider-canary-0815';

let simulator: UpstreamSimulator;
let database: TestDatabase;
let redis: TestRedis;
let weir: Weir;
let made: { id: string; key: string; organizationId: string };
let upstreamId: string;
let keyIds: string[];

beforeAll(async () => {
  simulator = await new UpstreamSimulator().start();
  [database, redis] = await Promise.all([createTestDatabase(), createTestRedis()]);
  weir = await Weir.start({ databaseUrl: database.url, redisUrl: redis.url });
  ({ id: upstreamId, keyIds } = await addUpstream(weir, { name: UPSTREAM, baseUrl: simulator.baseUrl, secrets: [SECRET, `${SECRET}-2`] }));
  await addModel(weir, MODEL, [upstreamId], { price: { input_per_million_usd: 1, output_per_million_usd: 2 } });
  made = await addKey(weir, { limits: { rpm: 1000 } });
  await waitForModel(weir, made.key, MODEL);
});

afterAll(async () => {
  await weir.stop();
  await Promise.all([simulator.stop(), database.drop(), redis.close()]);
});

beforeEach(() => simulator.reset());

async function get(url: string, headers: Readonly<Record<string, string>> = {}): Promise<{ status: number; body: JsonValue; headers: Headers }> {
  const response = await fetch(url, { headers });
  return { status: response.status, body: await response.json(), headers: response.headers };
}

describe.each([
  ['the data plane', () => weir.url],
  ['the control plane', () => weir.adminUrl],
])('health on the port of %s', (_what, url) => {
  it('/health names what it stands on', async () => {
    const { status, body } = await get(`${url()}/health`);
    expect(status).toBe(200);
    expect(body).toEqual({ status: 'healthy', timestamp: expect.any(String), services: { database: 'healthy', redis: 'healthy' } });
    expect(new Date(body.timestamp).toISOString()).toBe(body.timestamp);
    expect(Math.abs(Date.parse(body.timestamp) - Date.now())).toBeLessThan(60_000);
  });

  it.each(['/livez', '/health/liveliness'])('%s', async (path) => {
    expect(await get(url() + path)).toMatchObject({ status: 200, body: { status: 'alive' } });
  });

  it.each(['/readyz', '/health/readiness'])('%s', async (path) => {
    expect(await get(url() + path)).toMatchObject({ status: 200, body: { status: 'ready' } });
  });

  it('/health/all tells everybody how many are well, and the owner who', async () => {
    await chat(weir, made.key, MODEL);
    const calls = simulator.calls.length;
    const { body } = await get(`${url()}/health/all`);
    const open = { id: upstreamId, status: 'healthy', latency_ms: expect.any(Number), breaker: 'closed', keys: { active: 2, cooling: 0, exhausted: 0, disabled: 0, ejected: 0 } };
    expect(body).toEqual({ status: 'healthy', timestamp: expect.any(String), upstreams: [open] });
    const owner = await get(`${url()}/health/all`, { authorization: `Bearer ${weir.adminKey}` });
    expect(owner.body.upstreams).toEqual([{ ...open, name: UPSTREAM, provider: 'openai', open_calls: 0 }]);
    // A proxy key is no admin key, and a health check no paid call.
    const caller = await get(`${url()}/health/all`, { authorization: `Bearer ${made.key}` });
    expect(caller.body.upstreams).toEqual([open]);
    expect(simulator.calls).toHaveLength(calls);
  });
});

describe('what is where', () => {
  it('the admin API and the metrics are not on the port of the data plane, nor models on theirs', async () => {
    for (const path of ['/admin/organizations', '/admin/docs', '/metrics']) {
      expect(await get(weir.url + path, { authorization: `Bearer ${weir.adminKey}` })).toMatchObject({ status: 404, body: { error: { code: 'not_found' } } });
    }
    expect((await get(`${weir.adminUrl}/v1/models`, { authorization: `Bearer ${made.key}` })).status).toBe(404);
    expect((await fetch(`${weir.metricsUrl}/health`)).status).toBe(404);
  });
});

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Prometheus's text format (https://prometheus.io/docs/instrumenting/exposition_formats/), strictly. */
function parseMetrics(text: string): Sample[] {
  const types = new Map<string, string>();
  const samples: Sample[] = [];
  expect(text.endsWith('\n')).toBe(true);
  for (const line of text.split('\n').filter((each) => each !== '')) {
    const type = /^# TYPE (\w+) (counter|gauge|histogram|summary)$/.exec(line);
    if (type !== null) {
      expect(types.has(type[1])).toBe(false);
      types.set(type[1], type[2]);
    } else if (!/^# HELP \w+ \S/.test(line)) {
      samples.push(parseSample(line));
    }
  }
  for (const { name } of samples) expect([name, name.replace(/_(bucket|sum|count)$/, '')].some((each) => types.has(each)) ? '' : name).toBe('');
  const keys = samples.map(({ name, labels }) => name + JSON.stringify(Object.entries(labels).sort()));
  expect(new Set(keys).size).toBe(keys.length);
  return samples;
}

function parseSample(line: string): Sample {
  const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (-?[\d.e+-]+|NaN|[+-]?Inf)$/i.exec(line);
  if (match === null) throw new Error(`not a sample: ${line}`);
  const [, name, list = '', value] = match;
  const labels = Object.fromEntries([...list.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"(?:,|$)/g)].map(([, label, text]) => [label, text.replace(/\\(.)/g, (_, character: string) => (character === 'n' ? '\n' : character))]));
  return { name, labels, value: Number(value.replace('Inf', 'Infinity')) };
}

describe('/metrics', () => {
  const scrape = async (): Promise<Sample[]> => parseMetrics(await weir.metrics());

  function sum(samples: readonly Sample[], name: string, labels: Readonly<Record<string, string>> = {}): number {
    const matching = samples.filter((sample) => sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value));
    return matching.reduce((total, { value }) => total + value, 0);
  }

  it('is what Prometheus reads', async () => {
    const response = await fetch(`${weir.metricsUrl}/metrics`);
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    const samples = parseMetrics(await response.text());
    for (const name of ['weir_open_requests', 'weir_ledger_backlog_rows', 'weir_proxy_keys', 'weir_snapshot_fresh', 'weir_process_resident_memory_bytes', 'weir_nodejs_eventloop_lag_seconds']) {
      expect(samples.map((sample) => sample.name)).toContain(name);
    }
    expect(sum(samples, 'weir_proxy_keys')).toBe(1);
    expect(sum(samples, 'weir_snapshot_fresh')).toBe(1);
    const promtool = await Program.run('sh', ['-c', `command -v promtool >/dev/null || exit 0; ${process.execPath} -e "fetch('${weir.metricsUrl}/metrics').then((r) => r.text()).then((t) => process.stdout.write(t))" | promtool check metrics`]);
    expect(promtool.output).not.toMatch(/error while linting|parsing/);
  });

  it('counts what was sent, and nothing else', async () => {
    const before = await scrape();
    const answers: ChatAnswer[] = [];
    for (let index = 0; index < 5; index += 1) answers.push(await chat(weir, made.key, MODEL));
    const streamed = await chat(weir, made.key, MODEL, { stream: true });
    simulator.enqueue(respond.openAiError('server_error'));
    answers.push(await chat(weir, made.key, MODEL));
    simulator.enqueue(respond.openAiError('invalid_value'));
    await chat(weir, made.key, MODEL);
    await chat(weir, made.key, 'unheard-of');
    await chat(weir, 'sk-weir-wrong', MODEL);
    expect(streamed.status).toBe(200);
    const after = await scrape();
    const grown = (name: string, labels: Readonly<Record<string, string>> = {}): number => sum(after, name, labels) - sum(before, name, labels);

    expect(grown('weir_requests_total')).toBe(10);
    expect(grown('weir_requests_total', { operation: 'chat', status: '200', outcome: 'succeeded' })).toBe(7);
    for (const status of ['400', '401', '404']) expect(grown('weir_requests_total', { status, outcome: 'refused' })).toBe(1);
    expect(grown('weir_request_duration_seconds_count', { operation: 'chat' })).toBe(10);
    expect(grown('weir_request_duration_seconds_bucket', { operation: 'chat', le: '+Inf' })).toBe(10);
    expect(grown('weir_request_first_byte_seconds_count', { operation: 'chat' })).toBe(10);
    expect(grown('weir_upstream_attempts_total', { upstream: UPSTREAM })).toBe(9);
    expect(grown('weir_upstream_attempts_total', { upstream: UPSTREAM, class: 'success' })).toBe(7);
    expect(grown('weir_upstream_attempts_total', { upstream: UPSTREAM, class: 'fault' })).toBe(1);
    expect(grown('weir_upstream_attempts_total', { upstream: UPSTREAM, class: 'caller' })).toBe(1);
    const total = (field: string): number => answers.reduce((all, { body }) => all + body.usage[field], 0);
    // The stream says what each of the others said.
    expect(grown('weir_tokens_total', { direction: 'input', model: MODEL })).toBe((total('prompt_tokens') / 6) * 7);
    expect(grown('weir_tokens_total', { direction: 'output', model: MODEL })).toBe((total('completion_tokens') / 6) * 7);
    expect(sum(after, 'weir_limiter_fallbacks_total')).toBe(0);
    expect(sum(after, 'weir_upstream_breaker_state', { upstream: UPSTREAM, state: 'closed' })).toBe(1);
    expect(sum(after, 'weir_upstream_breaker_state', { upstream: UPSTREAM })).toBe(1);
    expect(sum(after, 'weir_open_requests')).toBe(0);
    await waitFor(async () => sum(await scrape(), 'weir_ledger_backlog_rows') === 0);
    const [{ rows }] = await database.query<{ rows: number }>('SELECT count(*)::int AS rows FROM usage_records');
    const written = await scrape();
    expect(sum(written, 'weir_ledger_rows_total', { result: 'written' })).toBe(rows);
    expect(sum(written, 'weir_ledger_rows_total', { result: 'repeated' }) + sum(written, 'weir_ledger_rows_total', { result: 'lost' })).toBe(0);
    // What a caller makes up is no label.
    expect(await weir.metrics()).not.toContain('unheard-of');
  });

  it('tells how long Redis took to decide on limits', async () => {
    const before = await scrape();
    for (let index = 0; index < 4; index += 1) await chat(weir, made.key, MODEL);
    const name = 'weir_limiter_duration_seconds_count';
    expect(sum(await scrape(), name, { store: 'redis' }) - sum(before, name, { store: 'redis' })).toBe(4);
  });

  it('shows open requests, and an aborted one as aborted', async () => {
    const before = await scrape();
    const [first] = chatEvents('Hello');
    simulator.enqueue(respond.stream(first, new Gate()));
    const controller = new AbortController();
    const response = await openChat(weir, made.key, MODEL, { stream: true, signal: controller.signal });
    expect(response.status).toBe(200);
    expect(sum(await scrape(), 'weir_open_requests')).toBe(1);
    controller.abort();
    await waitFor(async () => sum(await scrape(), 'weir_open_requests') === 0);
    const after = await scrape();
    for (const [name, labels] of [
      ['weir_requests_total', { status: '499', outcome: 'aborted' }],
      ['weir_upstream_attempts_total', { class: 'aborted' }],
    ] as const) {
      expect(sum(after, name, labels) - sum(before, name, labels)).toBe(1);
    }
  });

  it('counts each refused login and each health check for nobody', async () => {
    const before = await scrape();
    await fetch(`${weir.url}/health`);
    await fetch(`${weir.url}/v1/models`, { headers: { authorization: `Bearer ${made.key}` } });
    await fetch(`${weir.url}/nowhere`);
    expect(sum(await scrape(), 'weir_requests_total')).toBe(sum(before, 'weir_requests_total'));
  });
});

describe('the log', () => {
  const lines = (): JsonValue[] =>
    weir.output
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line));
  const findRequest = (id: string | null): Promise<JsonValue> =>
    waitFor(() => lines().find((line) => line.msg === 'request' && line.requestId === id), { what: 'the line of the request' });

  it('has one JSON line a request, with who, what, how long and how it ended', async () => {
    const answer = await chat(weir, made.key, MODEL, { content: PROMPT });
    const line = await findRequest(answer.headers.get('x-request-id'));
    expect(line).toMatchObject({
      level: 30,
      operation: 'chat',
      organizationId: made.organizationId,
      publicId: made.key.split('-')[2].split('_')[0],
      model: MODEL,
      upstream: UPSTREAM,
      status: 200,
      errorCode: null,
      attempts: 1,
      durationMs: expect.any(Number),
      firstByteMs: expect.any(Number),
      inputTokens: answer.body.usage.prompt_tokens,
      outputTokens: answer.body.usage.completion_tokens,
      costNanos: answer.body.usage.prompt_tokens * 1_000 + answer.body.usage.completion_tokens * 2_000,
    });
    expect(Math.abs(line.time - Date.now())).toBeLessThan(60_000);
    expect(lines().filter((each) => each.requestId === line.requestId)).toHaveLength(1);
  });

  it('has a line for what was refused, too, and says why', async () => {
    const unknown = await chat(weir, made.key, 'unheard-of', { content: PROMPT });
    expect(await findRequest(unknown.headers.get('x-request-id'))).toMatchObject({ status: 404, errorCode: 'model_not_found', model: null, upstream: null, attempts: 0 });
    const stranger = await chat(weir, 'sk-weir-wrong', MODEL, { content: PROMPT });
    expect(await findRequest(stranger.headers.get('x-request-id'))).toMatchObject({ status: 401, errorCode: 'invalid_api_key', publicId: null, organizationId: null });
    simulator.enqueue(respond.openAiError('server_error'));
    const retried = await chat(weir, made.key, MODEL, { content: PROMPT });
    expect(await findRequest(retried.headers.get('x-request-id'))).toMatchObject({ status: 200, attempts: 2 });
  });

  it('says when a key of a provider is refused, by its id', async () => {
    simulator.forKey(SECRET, respond.openAiError('invalid_api_key'));
    await waitFor(async () => (await chat(weir, made.key, MODEL, { content: PROMPT })).headers.get('x-weir-attempts') === '2');
    const line = await waitFor(() => lines().find((each) => each.upstreamKeyId === keyIds[0] && each.status === 'disabled'));
    expect(line).toMatchObject({ level: 40, newFailures: expect.any(Number), reason: 'the provider refused the key' });
  });

  it('is valid JSON to the last line, and holds no prompt and no secret', async () => {
    const written = weir.output.split('\n').filter((line) => line !== '');
    const banner = written.filter((line) => !line.startsWith('{'));
    expect(banner.join('\n')).toMatch(/^Weir is ready \([\d.]+ s\)\n( {2}\w+ +http:\S+\n?){3}$/);
    for (const line of lines()) expect(line).toMatchObject({ level: expect.any(Number), time: expect.any(Number), msg: expect.any(String) });
    for (const secret of [PROMPT, SECRET, made.key, weir.adminKey]) {
      expect(weir.output).not.toContain(secret);
      expect(await weir.metrics()).not.toContain(secret);
    }
  });
});
