import { chatAnswer, chatEvents, Gate, respond, toEvent } from '@weir/testing';
import OpenAI from 'openai';
import { chat, openChat } from './support/chat';
import { type JsonValue } from './support/control-plane';
import { MeterScene, USD } from './support/meter-scene';
import { waitFor } from './support/wait-for';
import { waitForModel } from './support/weir';

const CHAT = 'usage-chat';
const REASONING = 'usage-reasoning';
const EMBED = 'usage-embed';
const MODELS = [CHAT, REASONING, EMBED];
/** In nano-dollars a token, and nano-dollars a request: odd, so that nothing fits by chance. */
const RATE = { input: 1_001, cached: 137, cacheWrite: 1_751, output: 7_013, request: 31 };
const PRICE = {
  input_per_million_usd: '1.001',
  cached_input_per_million_usd: '0.137',
  cache_write_per_million_usd: '1.751',
  output_per_million_usd: '7.013',
  per_request_usd: '0.000000031',
};

interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  readonly prompt_tokens_details?: { readonly cached_tokens?: number; readonly cache_write_tokens?: number };
  readonly completion_tokens_details?: { readonly reasoning_tokens?: number };
}

interface Row {
  readonly organization_id: string;
  readonly project_id: string | null;
  readonly key_id: string;
  readonly operation: string;
  readonly model: string;
  readonly status: string;
  readonly input_tokens: string;
  readonly cached_input_tokens: string;
  readonly output_tokens: string;
  readonly units: Readonly<Record<string, number>> | null;
  readonly estimated: boolean;
  readonly cost_nanos: string;
  readonly request_id: string;
  readonly attempt: number;
}

let scene: MeterScene;
let keys: { id: string; key: string; organizationId: string }[];
let projectId: string;
let adminKey: string;
let rows: Row[];
const fromMs = Math.floor((Date.now() - 60_000) / 60_000) * 60_000;
/** What the simulator said that it used. */
const reported: Usage[] = [];

beforeAll(async () => {
  scene = await MeterScene.start({ processes: 2 });
  for (const name of MODELS) await scene.makeModel(name, PRICE, name === EMBED ? { operation: 'embeddings' } : {});
  const own = await scene.makeKey(CHAT, { name: 'own' });
  const project = await scene.weir.admin<{ id: string }>('POST', '/projects', { organization_id: own.organizationId, name: 'project' });
  projectId = project.id;
  const inProject = await scene.weir.admin<{ id: string; key: string }>('POST', '/keys', { organization_id: own.organizationId, project_id: projectId, name: 'in the project', budgets: [{ amount_usd: 1000, period: 'month' }] });
  for (const weir of scene.weirs) await waitForModel(weir, inProject.key, CHAT);
  keys = [own, { ...inProject, organizationId: own.organizationId }, await scene.makeKey(CHAT, { name: 'foreign' })];
  const user = await scene.weir.admin<{ id: string }>('POST', '/users', { organization_id: own.organizationId, username: 'usage-admin', role: 'admin' });
  adminKey = (await scene.weir.admin<{ key: string }>('POST', `/users/${user.id}/keys`, {})).key;
  await makeCalls();
  rows = await waitForAllRows();
});
afterAll(() => scene.stop());

const weirOf = (index: number) => scene.weirs[index % scene.weirs.length];
const count = (value: unknown): number => Number(value ?? 0);

function say(usage: Usage): Usage {
  reported.push(usage);
  return usage;
}

const toUsage = (index: number): Usage => {
  const input = 100 + 13 * index;
  const output = 10 + 7 * index;
  return {
    prompt_tokens: input,
    completion_tokens: output,
    total_tokens: input + output,
    prompt_tokens_details: { cached_tokens: 3 * index, cache_write_tokens: index % 3 },
    completion_tokens_details: { reasoning_tokens: 2 * index },
  };
};

/** Thirty-three of all kinds, one after the other, so that the simulator's queue fits. */
async function makeCalls(): Promise<void> {
  for (let index = 0; index < 30; index++) {
    const { key } = keys[index % 3];
    const model = index % 2 === 0 ? CHAT : REASONING;
    const weir = weirOf(index);
    switch (index % 6) {
      case 0:
        scene.simulator.enqueue(respond.json({ ...chatAnswer('whole'), usage: say(toUsage(index)) }));
        await chat(weir, key, model);
        break;
      case 1:
        scene.simulator.enqueue(respond.stream(...chatEvents('streamed', { usage: say(toUsage(index)) })));
        await chat(weir, key, model, { stream: true });
        break;
      case 2:
        // The first attempt fails, the second answers.
        scene.simulator.enqueue(respond.status(500), respond.json({ ...chatAnswer('again'), usage: say(toUsage(index)) }));
        await chat(weir, key, model);
        break;
      case 3:
        await abortInMiddle(weirOf(index), key, model);
        break;
      case 4:
        scene.simulator.enqueue(respond.json({ error: { message: 'wrong', type: 'invalid_request_error' } }, 400));
        await chat(weir, key, model);
        break;
      case 5: {
        const usage = say({ prompt_tokens: 50 + index, completion_tokens: 0, total_tokens: 50 + index });
        scene.simulator.enqueue(respond.json({ object: 'list', data: [{ object: 'embedding', index: 0, embedding: [0.5] }], model: 'e', usage: { prompt_tokens: usage.prompt_tokens, total_tokens: usage.total_tokens } }));
        await (await weir.post('/v1/embeddings', key, { model: EMBED, input: 'Hello' })).text();
      }
    }
  }
  // A stream that reports before it breaks, and one that breaks without.
  scene.simulator.enqueue(respond.stream(...chatEvents('said', { usage: null }).slice(0, 3), toEvent({ id: 'x', object: 'chat.completion.chunk', choices: [], usage: say(toUsage(40)) }), { ending: 'cut' }));
  await chat(scene.weir, keys[0].key, CHAT, { stream: true });
  scene.simulator.enqueue(respond.stream(...chatEvents('unsaid', { usage: null }).slice(0, 3), { ending: 'reset' }));
  await chat(scene.weir, keys[0].key, CHAT, { stream: true });
}

async function abortInMiddle(weir: Parameters<typeof chat>[0], key: string, model: string): Promise<void> {
  const gate = new Gate();
  const calls = scene.simulator.calls.length;
  scene.simulator.enqueue(respond.stream(...chatEvents('left in the middle').slice(0, 4), gate));
  const leaving = new AbortController();
  const response = await openChat(weir, key, model, { stream: true, signal: leaving.signal });
  await response.body?.getReader().read();
  leaving.abort();
  await scene.simulator.waitForAbort(scene.simulator.calls[calls]);
  gate.open();
}

/** One an attempt: as many as the simulator had calls. */
async function waitForAllRows(): Promise<Row[]> {
  const expected = scene.simulator.calls.length;
  const found = await waitFor(
    async () => {
      const all = await scene.query<Row>('SELECT * FROM usage_records');
      return all.length >= expected ? all : null;
    },
    { what: `${expected} rows` },
  );
  expect(found).toHaveLength(expected);
  return found;
}

const MEASURES = ['attempts', 'requests', 'input_tokens', 'cached_input_tokens', 'cache_write_tokens', 'output_tokens', 'reasoning_tokens', 'cost_nanos', 'estimated_attempts', 'succeeded_attempts', 'failed_attempts', 'aborted_attempts', 'unpriced_attempts'] as const;
type Sums = Record<(typeof MEASURES)[number], number>;

function sum(some: readonly Row[]): Sums {
  const total = (value: (row: Row) => unknown): number => some.reduce((all, row) => all + count(value(row)), 0);
  return {
    attempts: some.length,
    requests: new Set(some.map(({ request_id }) => request_id)).size,
    input_tokens: total((row) => row.input_tokens),
    cached_input_tokens: total((row) => row.cached_input_tokens),
    cache_write_tokens: total((row) => row.units?.cache_write_tokens),
    output_tokens: total((row) => row.output_tokens),
    reasoning_tokens: total((row) => row.units?.reasoning_tokens),
    cost_nanos: total((row) => row.cost_nanos),
    estimated_attempts: total((row) => (row.estimated ? 1 : 0)),
    succeeded_attempts: total((row) => (row.status === 'succeeded' ? 1 : 0)),
    failed_attempts: total((row) => (row.status === 'failed' ? 1 : 0)),
    aborted_attempts: total((row) => (row.status === 'aborted' ? 1 : 0)),
    unpriced_attempts: 0,
  };
}

const pick = (view: JsonValue): Sums => Object.fromEntries(MEASURES.map((name) => [name, view[name]])) as Sums;

async function readAll(path: string, key = scene.weir.adminKey): Promise<JsonValue[]> {
  const all: JsonValue[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const separator = path.includes('?') ? '&' : '?';
    const response: Response = await fetch(`${scene.weirs[1].adminUrl}/admin${path}${separator}limit=7${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`, { headers: { authorization: `Bearer ${key}` } });
    const page = (await response.json()) as JsonValue;
    if (!response.ok) throw new Error(JSON.stringify(page));
    all.push(...page.data);
    cursor = page.has_more ? page.next_cursor : null;
  }
  return all;
}

const own = (): Row[] => rows.filter(({ organization_id }) => organization_id === keys[0].organizationId);

describe('what thirty mixed calls used', () => {
  it('is in the rows to the token, as the simulator reported it, and priced to the nano-dollar', () => {
    const told = rows.filter(({ estimated, input_tokens }) => !estimated && count(input_tokens) > 0);
    const all = reported.map((usage) => [usage.prompt_tokens, usage.prompt_tokens_details?.cached_tokens ?? 0, usage.completion_tokens, usage.completion_tokens_details?.reasoning_tokens ?? 0]);
    const rowsTold = told.map((row) => [count(row.input_tokens), count(row.cached_input_tokens), count(row.output_tokens), count(row.units?.reasoning_tokens)]);
    expect(rowsTold.map(String).sort()).toEqual(all.map(String).sort());
    for (const row of rows) {
      const [input, cached, output] = [count(row.input_tokens), count(row.cached_input_tokens), count(row.output_tokens)];
      const written = count(row.units?.cache_write_tokens);
      const tokens = (input - cached - written) * RATE.input + cached * RATE.cached + written * RATE.cacheWrite + output * RATE.output;
      const expected = input + output === 0 ? 0 : tokens + RATE.request;
      expect([row.status, row.model, count(row.cost_nanos)]).toEqual([row.status, row.model, expected]);
    }
    const statuses = (status: string): number => rows.filter((row) => row.status === status).length;
    expect([statuses('succeeded'), statuses('failed'), statuses('aborted'), statuses('unknown')]).toEqual([20, 12, 5, 0]);
  });

  it.each([[''], ['organization'], ['project'], ['key'], ['model'], ['operation'], ['upstream'], ['status'], ['day'], ['hour'], ['model,key'], ['organization,project,key,model,operation,status,hour']])('is the same in /admin/usage by %p as in the rows', async (groups) => {
    const views = await readAll(`/usage?from=${new Date(fromMs).toISOString()}${groups === '' ? '' : `&group_by=${groups}`}`);
    const names = groups === '' ? [] : groups.split(',');
    const column: Record<string, keyof Row> = { organization: 'organization_id', project: 'project_id', key: 'key_id', model: 'model', operation: 'operation', status: 'status' };
    const total = views.map(pick).reduce<Sums>((all, one) => Object.fromEntries(MEASURES.map((name) => [name, (all[name] ?? 0) + one[name]])) as Sums, {} as Sums);
    // A request whose attempts went apart is counted where its first one is: a sum of sums stays what it is.
    expect(total).toEqual(sum(rows));
    for (const view of views) {
      const some = rows.filter((row) => names.every((name) => !(name in column) || (row[column[name]] ?? null) === view[name]));
      if (names.some((name) => !(name in column))) continue;
      const { requests: _requests, ...rest } = sum(some);
      expect(pick(view)).toMatchObject(rest);
      expect(Number(view.cost_usd) * USD).toBeCloseTo(view.cost_nanos, 3);
    }
  });

  it('is the same in /admin/requests, page by page', async () => {
    const views = await readAll('/requests');
    const toLine = (row: JsonValue): string => [row.request_id, row.attempt, row.organization_id, row.project_id, row.key_id, row.model, row.status, count(row.input_tokens), count(row.cached_input_tokens), count(row.output_tokens), row.estimated, count(row.cost_nanos), row.units?.reasoning_tokens ?? 0].join(' ');
    expect(views.map(toLine).sort()).toEqual(rows.map(toLine).sort());
    const [first] = views;
    expect(await readAll(`/requests?request_id=${first.request_id}`)).toContainEqual(first);
  });

  it('is the same in the CSV', async () => {
    const response = await fetch(`${scene.weir.adminUrl}/admin/requests/export`, { headers: { authorization: `Bearer ${scene.weir.adminKey}` } });
    const [header, ...lines] = parseCsv(await response.text());
    const cell = (line: string[], name: string): string => line[header.indexOf(name)];
    const toLine = (line: string[]): string => ['request_id', 'attempt', 'key_id', 'model', 'status', 'input_tokens', 'cached_input_tokens', 'output_tokens', 'cost_nanos'].map((name) => cell(line, name)).join(' ');
    const expected = rows.map((row) => [row.request_id, row.attempt, row.key_id, row.model, row.status, row.input_tokens, row.cached_input_tokens, row.output_tokens, row.cost_nanos].join(' '));
    expect(lines.map(toLine).sort()).toEqual(expected.sort());
  });

  it('is the same in OpenAI’s shape, by OpenAI’s client', async () => {
    const { usage } = new OpenAI({ adminAPIKey: scene.weir.adminKey, apiKey: 'unused', baseURL: `${scene.weir.adminUrl}/v1`, maxRetries: 0 }).admin.organization;
    const start = fromMs / 1000;
    for (const bucket_width of ['1m', '1h', '1d'] as const) {
      const page = await usage.completions({ start_time: start, bucket_width, group_by: ['model', 'api_key_id'], limit: bucket_width === '1m' ? 60 : 3 });
      const results = page.data.flatMap((bucket) => bucket.results as JsonValue[]);
      for (const model of [CHAT, REASONING]) {
        for (const { id } of keys) {
          const some = results.filter((result) => result.model === model && result.api_key_id === id);
          const total = (name: string): number => some.reduce((all, result) => all + result[name], 0);
          const expected = sum(rows.filter((row) => row.model === model && row.key_id === id));
          expect([total('input_tokens'), total('input_cached_tokens'), total('input_cache_write_tokens'), total('output_tokens'), total('num_model_requests')]).toEqual([expected.input_tokens, expected.cached_input_tokens, expected.cache_write_tokens, expected.output_tokens, expected.requests]);
        }
      }
    }
    const embeddings = await usage.embeddings({ start_time: start, bucket_width: '1d' });
    expect((embeddings.data.flatMap(({ results }) => results) as JsonValue[]).reduce((all, result) => all + result.input_tokens, 0)).toBe(sum(rows.filter(({ model }) => model === EMBED)).input_tokens);
    const costs = await usage.costs({ start_time: start, group_by: ['project_id', 'line_item'] });
    const results = costs.data.flatMap((bucket) => bucket.results as JsonValue[]);
    for (const line_item of MODELS) {
      for (const project_id of [null, projectId]) {
        const dollars = results.filter((result) => result.line_item === line_item && result.project_id === project_id).reduce((all, result) => all + result.amount.value, 0);
        expect(Math.round(dollars * USD)).toBe(sum(rows.filter((row) => row.model === line_item && row.project_id === project_id)).cost_nanos);
      }
    }
  });

  it('is shown to an admin of one organization as its own alone', async () => {
    const expected = sum(own());
    const [all] = await readAll('/usage', adminKey);
    expect(pick(all)).toEqual(expected);
    expect((await readAll('/usage?group_by=organization', adminKey)).map(({ organization }) => organization)).toEqual([keys[0].organizationId]);
    const requests = await readAll('/requests', adminKey);
    expect(requests).toHaveLength(own().length);
    expect(JSON.stringify(requests)).not.toContain(keys[2].id);
    expect(requests.filter((view) => 'upstream_id' in view || 'upstream_key_id' in view)).toEqual([]);
    const csv = await (await fetch(`${scene.weir.adminUrl}/admin/requests/export`, { headers: { authorization: `Bearer ${adminKey}` } })).text();
    expect(parseCsv(csv)).toHaveLength(own().length + 1);
    expect(csv).not.toContain(keys[2].organizationId);
    const { usage } = new OpenAI({ adminAPIKey: adminKey, apiKey: 'unused', baseURL: `${scene.weir.adminUrl}/v1`, maxRetries: 0 }).admin.organization;
    const costs = await usage.costs({ start_time: fromMs / 1000 });
    const dollars = (costs.data.flatMap(({ results }) => results) as JsonValue[]).reduce((total, result) => total + result.amount.value, 0);
    expect(Math.round(dollars * USD)).toBe(expected.cost_nanos);
    expect(await readAll(`/usage?organization_id=${keys[2].organizationId}`, adminKey)).toEqual([]);
    expect(await readAll(`/requests?key_id=${keys[2].id}`, adminKey)).toEqual([]);
    expect(await readAll(`/limits?organization_id=${keys[2].organizationId}`, adminKey)).toEqual([]);
    expect(await readAll(`/limits?scope=key&key_id=${keys[2].id}`, adminKey)).toEqual([]);
  });

  it('is what the rollups hold', async () => {
    for (const table of ['usage_hourly', 'usage_daily']) {
      const [found] = await scene.query<Record<string, string>>(`SELECT sum(attempts) AS attempts, sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens, sum(cached_input_tokens) AS cached_input_tokens, sum(cost_nanos) AS cost_nanos FROM ${table}`);
      const { attempts, input_tokens, output_tokens, cached_input_tokens, cost_nanos } = sum(rows);
      expect(Object.fromEntries(Object.entries(found).map(([name, value]) => [name, Number(value)]))).toEqual({ attempts, input_tokens, output_tokens, cached_input_tokens, cost_nanos });
    }
  });

  it('was charged to the budget', async () => {
    expect(await scene.settledNanos(keys[1].id)).toBe(sum(rows.filter(({ key_id }) => key_id === keys[1].id)).cost_nanos);
  });
});

describe('/admin/limits', () => {
  it('shows what a key, its project, its organization and the model have in use while calls are open, and after', async () => {
    const model = 'usage-limited';
    const limits = { rpm: 100, rpd: 1000, tpm: 100_000, concurrency: 10 };
    const budgets = [{ amount_usd: '0.5', period: 'day' }];
    const modelId = await scene.makeModel(model, { per_request_usd: '0.01' }, { limits });
    const { organizationId } = await scene.makeKey(model);
    await scene.weir.admin('PATCH', `/organizations/${organizationId}`, { limits, budgets });
    const project = await scene.weir.admin<{ id: string }>('POST', '/projects', { organization_id: organizationId, name: 'p', limits, budgets });
    const issued = await scene.weir.admin<{ id: string; key: string }>('POST', '/keys', { organization_id: organizationId, project_id: project.id, name: 'k', limits, budgets });
    for (const weir of scene.weirs) await waitForModel(weir, issued.key, model);
    const read = async (): Promise<JsonValue[]> =>
      (await Promise.all([`scope=key&key_id=${issued.id}`, `scope=project&project_id=${project.id}`, `scope=organization&organization_id=${organizationId}`, `scope=model&organization_id=${organizationId}&model_id=${modelId}`].map((query) => readAll(`/limits?${query}`)))).flat();
    const used = (views: JsonValue[], name: string): number[] => views.map((view) => view.limits.find((limit: JsonValue) => limit.name === name).used);
    const money = (views: JsonValue[]): string[][] => views.slice(0, 3).map(({ budgets: [budget] }) => [budget.spent_usd, budget.held_usd, budget.remaining_usd]);

    const gate = new Gate();
    scene.simulator.always(respond.echo().after(gate));
    const earlier = scene.simulator.calls.length;
    const open = Array.from({ length: 3 }, (_, index) => chat(weirOf(index), issued.key, model, { fields: { max_tokens: 100 } }));
    await scene.simulator.waitForCalls(earlier + 3);
    const during = await read();
    expect(during).toHaveLength(4);
    expect(used(during, 'requests_per_minute')).toEqual([3, 3, 3, 3]);
    expect(used(during, 'requests_per_day')).toEqual([3, 3, 3, 3]);
    expect(used(during, 'concurrency')).toEqual([3, 3, 3, 3]);
    for (const tokens of used(during, 'tokens_per_minute')) expect(tokens).toBeGreaterThanOrEqual(300);
    expect(money(during)).toEqual(Array(3).fill(['0', '0.03', '0.47']));
    gate.open();
    const answers = await Promise.all(open);
    const after = await waitFor(async () => {
      const views = await read();
      return used(views, 'concurrency').every((number) => number === 0) && money(views).every(([, held]) => held === '0') ? views : null;
    });
    expect(used(after, 'requests_per_minute')).toEqual([3, 3, 3, 3]);
    const tokens = answers.reduce((total, { body }) => total + body.usage.total_tokens, 0);
    await waitFor(async () => used(await read(), 'tokens_per_minute').every((number) => number === tokens), { what: 'the tokens to be what was used' });
    expect(money(after)).toEqual(Array(3).fill(['0.03', '0', '0.47']));
    expect(JSON.stringify(await readAll('/limits?scope=organization', adminKey))).not.toContain(organizationId);
  });
});

/** RFC 4180. */
function parseCsv(text: string): string[][] {
  return text
    .trimEnd()
    .split('\r\n')
    .map((line) => [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, plain]) => (quoted === undefined ? plain : quoted.replaceAll('""', '"'))));
}

