import { chatAnswer, chatEvents, DONE_EVENT, Gate, respond, toEvent } from '@weir/testing';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { chat, openChat, readAnswer, repeat } from './support/chat';
import { type JsonValue } from './support/control-plane';
import { greedy } from './support/greedy-upstream';
import { MeterScene, USD } from './support/meter-scene';
import { waitFor } from './support/wait-for';
import { waitForModel } from './support/weir';

const OUTPUT = 'only-output';
const PRICED = 'in-and-out';
const LEGACY = 'legacy';
const BY_REQUEST = 'by-request';
const NANO = 'a-nano';
/** Of the output's price: a thousand dollars a million, so a token costs a tenth of a cent. */
const TOKEN = USD / 1000;

let scene: MeterScene;
let organizationId: string;

beforeAll(async () => {
  scene = await MeterScene.start({ processes: 2 });
  const price = { input_per_million_usd: 10, output_per_million_usd: 1000 };
  await scene.makeModel(OUTPUT, { output_per_million_usd: 1000 });
  await scene.makeModel(PRICED, price);
  await scene.makeModel(LEGACY, price, { operation: 'completions' });
  await scene.makeModel(BY_REQUEST, { per_request_usd: '0.01' });
  for (let index = 0; index < 4; index++) {
    const { id } = await scene.weir.admin<{ id: string }>('POST', '/users', { username: `owner ${index}`, role: 'owner' });
    owners.push((await scene.weir.admin<{ key: string }>('POST', `/users/${id}/keys`, {})).key);
  }
  ({ id: organizationId } = await write<{ id: string }>('POST', '/organizations', { name: 'hostile' }));
  await scene.makeModel(NANO, { per_request_usd: '0.000000001' });
});
afterAll(() => scene.stop());
beforeEach(() => scene.simulator.reset());

const weirOf = (index: number) => scene.weirs[index % scene.weirs.length];
const toNanos = (usd: unknown): number => Math.round(Number(usd) * USD);

/** Once all is settled: the counter of the key's first budget, which is what the ledger has, and within the limit. */
async function balancedNanos(keyId: string, limitNanos: number, rows: number): Promise<number> {
  const spent = await scene.settledNanos(keyId);
  const sum = await waitFor(
    async () => {
      const found = await scene.sumLedger(keyId);
      return found.rows >= rows ? found : null;
    },
    { what: `${rows} rows` },
  );
  expect(sum.costNanos).toBe(spent);
  expect(spent).toBeLessThanOrEqual(limitNanos);
  return spent;
}

describe('an upstream that lies about usage', () => {
  const lie = (prompt: unknown, completion: unknown, more: object = {}): object => ({ prompt_tokens: prompt, completion_tokens: completion, ...more });
  /** What is charged: in tokens; `all` is whatever the budget has, `counted` what Weir counts itself. */
  const LIES: readonly (readonly [string, unknown, number | 'all' | 'counted'])[] = [
    ['negative', lie(-5, -1), 'counted'],
    ['negative input alone', lie(-1_000_000, 3), 'counted'],
    ['missing', undefined, 'counted'],
    ['null', null, 'counted'],
    ['empty', {}, 'counted'],
    ['a text', 'many', 'counted'],
    ['a list', [1, 2], 'counted'],
    ['texts', lie('5', '3'), 'counted'],
    ['fractions', lie(1.5, 2.5), 'counted'],
    ['null inside', lie(null, null), 'counted'],
    ['NaN as null and true', lie(true, false), 'counted'],
    ['larger than the cap', lie(1, 900), 'all'],
    ['huge', lie(1, 1_000_000_000), 'all'],
    ['beyond belief', lie(1, 2 ** 63), 'counted'],
    ['beyond all numbers', lie(1, 1e300), 'counted'],
    ['a total beyond its parts', lie(1, 3, { total_tokens: 900_000 }), 'all'],
    ['more cached than read', lie(1, 3, { prompt_tokens_details: { cached_tokens: 900 } }), 'counted'],
    ['more thought than written', lie(1, 3, { completion_tokens_details: { reasoning_tokens: 900 } }), 'counted'],
    ['negative details', lie(1, 3, { prompt_tokens_details: { cached_tokens: -900 } }), 'counted'],
    ['zero', lie(0, 0, { total_tokens: 0 }), 0],
    ['the truth', lie(2, 3), 3],
  ];

  describe.each([
    ['streamed', true],
    ['not streamed', false],
  ])('%s', (_kind, stream) => {
    it.each(LIES)('%s: is charged within the hold, and the books balance', async (_what, usage, expected) => {
      const { id, key } = await newKey([{ amount_usd: '0.02', period: 'month' }]);
      const text = 'Hello';
      const reply = stream
        ? respond.stream(...chatEvents(text, { usage: null }).slice(0, -1), toEvent({ id: 'x', object: 'chat.completion.chunk', choices: [], usage }), DONE_EVENT)
        : respond.json({ ...chatAnswer(text), usage });
      scene.simulator.enqueue(reply);
      const answer = await chat(scene.weir, key, OUTPUT, { stream, fields: { max_tokens: 20 } });
      expect(answer.status).toBe(200);
      expect(answer.text).toContain('Hel');
      const spent = await balancedNanos(id, USD / 50, 1);
      if (expected === 'all') expect(spent).toBe(USD / 50);
      else if (expected === 'counted') expect([spent > 0, spent <= 20 * TOKEN]).toEqual([true, true]);
      else expect(spent).toBe(expected * TOKEN);
    });
  });

  it.each<[string, readonly unknown[], number | null]>([
    ['growing', [lie(1, 1), lie(1, 2), lie(1, 3)], 3],
    ['then negative', [lie(1, 4), lie(-1, -4)], 4],
    ['then a text', [lie(1, 4), 'nothing'], 4],
    ['then beyond the cap', [lie(1, 4), lie(1, 90_000)], null],
    ['beyond the cap, then less', [lie(1, 90_000), lie(1, 4)], null],
  ])('that changes between chunks, %s: is charged within the hold', async (_what, usages, tokens) => {
    const { id, key } = await newKey([{ amount_usd: '0.02', period: 'month' }]);
    const events = chatEvents('Hello', { usage: null }).slice(0, -1);
    scene.simulator.enqueue(respond.stream(...events, ...usages.map((usage) => toEvent({ id: 'x', object: 'chat.completion.chunk', choices: [{ index: 0, delta: {}, finish_reason: null }], usage })), DONE_EVENT));
    expect((await chat(scene.weir, key, OUTPUT, { stream: true, fields: { max_tokens: 20 } })).text).toContain('[DONE]');
    const spent = await balancedNanos(id, USD / 50, 1);
    if (tokens !== null) expect(spent).toBe(tokens * TOKEN);
  });

  it('is not believed beyond the largest budget either', async () => {
    const { id, key } = await newKey([{ amount_usd: 4_000_000, period: 'total' }]);
    scene.simulator.enqueue(...Array.from({ length: 3 }, () => respond.json({ ...chatAnswer('Hi'), usage: lie(1_000_000_000, 1_000_000_000) })));
    for (let index = 0; index < 3; index++) expect((await chat(weirOf(index), key, OUTPUT, { fields: { max_tokens: 5 } })).status).toBe(200);
    expect(await balancedNanos(id, 4_000_000 * USD, 3)).toBe(3_000_000 * USD);
    scene.simulator.enqueue(...Array.from({ length: 2 }, () => respond.json({ ...chatAnswer('Hi'), usage: lie(1_000_000_000, 1_000_000_000) })));
    expect((await chat(scene.weir, key, OUTPUT, { fields: { max_tokens: 5 } })).status).toBe(200);
    expect(await balancedNanos(id, 4_000_000 * USD, 4)).toBe(4_000_000 * USD);
    expect((await chat(scene.weir, key, OUTPUT, { fields: { max_tokens: 5 } })).status).toBe(429);
  });
});

/** The admin API takes 120 writes a minute of each admin, so that there are several. */
const owners: string[] = [];
let writes = 0;

async function write<Made>(method: string, path: string, body: object): Promise<Made> {
  writes += 1;
  const response = await fetch(`${scene.weir.adminUrl}/admin${path}`, {
    method,
    headers: { authorization: `Bearer ${owners[writes % owners.length]}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as Made;
}

/** A key that both processes know. */
async function newKey(budgets: readonly object[], fields: object = {}): Promise<{ id: string; key: string; organizationId: string }> {
  const made = await write<{ id: string; key: string }>('POST', '/keys', { organization_id: organizationId, name: `key ${writes}`, budgets, ...fields });
  for (const weir of scene.weirs) await waitForModel(weir, made.key, NANO);
  return { ...made, organizationId };
}

describe('a caller that asks for more than its budget', () => {
  const MESSAGES = [{ role: 'user', content: 'Hi' }];
  const part = (type: string, value: object): object => ({ messages: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }, ...Array.from({ length: 5 }, () => ({ type, ...value }))] }] });
  const LIMIT = USD / 20;

  it.each<[string, string, unknown]>([
    ['n: 1000', 'chat', { messages: MESSAGES, n: 1000 }],
    ['n: 1000 of one token', 'chat', { messages: MESSAGES, n: 1000, max_tokens: 1 }],
    ['n: 40 of one token', 'chat', { messages: MESSAGES, n: 40, max_tokens: 1 }],
    ['n without a cap', 'chat', { messages: MESSAGES, n: 3 }],
    ['n written as 1e3', 'chat', '{"messages":[{"role":"user","content":"Hi"}],"max_tokens":1,"n":1e3,"model":"MODEL"}'],
    ['n written as 3.0', 'chat', '{"messages":[{"role":"user","content":"Hi"}],"n":3.0,"model":"MODEL"}'],
    ['best_of in a chat', 'chat', { messages: MESSAGES, best_of: 30, max_tokens: 10 }],
    ['an escaped n', 'chat', '{"messages":[{"role":"user","content":"Hi"}],"\\u006e":500,"max_tokens":1,"model":"MODEL"}'],
    ['an escaped cap', 'chat', '{"messages":[{"role":"user","content":"Hi"}],"max\\u005ftokens":1000000,"model":"MODEL"}'],
    ['an escaped cap that is null', 'chat', '{"messages":[{"role":"user","content":"Hi"}],"max\\u005ftokens":null,"model":"MODEL"}'],
    ['max_tokens: null', 'chat', { messages: MESSAGES, max_tokens: null }],
    ['both caps null', 'chat', { messages: MESSAGES, max_tokens: null, max_completion_tokens: null }],
    ['one cap null', 'chat', { messages: MESSAGES, max_tokens: 3, max_completion_tokens: null }],
    ['a small cap and a large one', 'chat', { messages: MESSAGES, max_tokens: 1, max_completion_tokens: 100_000 }],
    ['a large cap and a small one', 'chat', { messages: MESSAGES, max_tokens: 100_000, max_completion_tokens: 1 }],
    ['Max_Tokens', 'chat', { messages: MESSAGES, Max_Tokens: 100_000, max_tokens: 1 }],
    ['MAX_COMPLETION_TOKENS', 'chat', { messages: MESSAGES, MAX_COMPLETION_TOKENS: 100_000 }],
    ['N', 'chat', { messages: MESSAGES, N: 100_000, max_tokens: 1 }],
    ['Best_Of', 'completions', { prompt: 'Hi', Best_Of: 100_000, max_tokens: 1 }],
    ['n said twice', 'chat', '{"messages":[{"role":"user","content":"Hi"}],"max_tokens":1,"n":1,"n":1000,"model":"MODEL"}'],
    ['n said twice, once escaped', 'chat', '{"messages":[{"role":"user","content":"Hi"}],"max_tokens":1,"n":1,"\\u006e":1000,"model":"MODEL"}'],
    ['a text of n', 'chat', { messages: MESSAGES, n: '1000' }],
    ['n: 0', 'chat', { messages: MESSAGES, n: 0 }],
    ['n: 2 ** 63', 'chat', { messages: MESSAGES, n: 2 ** 63 }],
    ['no cap at all', 'chat', { messages: MESSAGES }],
    ['a stream without a cap', 'chat', { messages: MESSAGES, stream: true, n: 2 }],
    ['a stream that wants no usage', 'chat', { messages: MESSAGES, stream: true, stream_options: { include_usage: false }, n: 4 }],
    ['pictures elsewhere', 'chat', part('image_url', { image_url: { url: 'https://example.com/large.png', detail: 'high' } })],
    ['pictures with a cap', 'chat', { ...part('image_url', { image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } }), max_tokens: 1 }],
    ['files', 'chat', { ...part('file', { file: { file_id: 'file-abc' } }), max_tokens: 1 }],
    ['tools', 'chat', { messages: MESSAGES, tools: [{ type: 'function', function: { name: 'f' } }], tool_choice: 'auto' }],
    ['a long prompt', 'chat', { messages: [{ role: 'user', content: '\u0000\u0001'.repeat(2_000) }], max_tokens: 1 }],
    ['many prompts', 'completions', { prompt: Array(200).fill('Hi') }],
    ['many prompts of tokens', 'completions', { prompt: Array(200).fill([1, 2, 3]), max_tokens: 1 }],
    ['one prompt of tokens', 'completions', { prompt: Array(200).fill(1), max_tokens: 16 }],
    ['many prompts and best_of', 'completions', { prompt: ['a', 'b', 'c'], n: 2, best_of: 20, max_tokens: 5 }],
    ['best_of: 1000', 'completions', { prompt: 'Hi', best_of: 1000, max_tokens: 1 }],
    ['best_of below n', 'completions', { prompt: 'Hi', n: 40, best_of: 1, max_tokens: 1 }],
    ['a completion without a cap', 'completions', { prompt: 'Hi', n: 2 }],
    ['a completion whose cap is null', 'completions', { prompt: 'Hi', max_tokens: null, n: 2 }],
  ])('%s: is refused, or costs no more than was held for it', async (_what, kind, body) => {
    const model = kind === 'chat' ? PRICED : LEGACY;
    const { id, key } = await newKey([{ amount_usd: '0.05', period: 'month' }]);
    scene.simulator.always(greedy);
    const path = kind === 'chat' ? '/v1/chat/completions' : '/v1/completions';
    const sent = typeof body === 'string' ? body.replace('MODEL', model) : { model, ...(body as object) };
    const answer = await readAnswer(await scene.weir.post(path, key, sent));
    if (answer.status !== 200) {
      expect([400, 429]).toContain(answer.status);
      expect(scene.simulator.calls).toHaveLength(0);
      return;
    }
    expect(scene.simulator.calls).toHaveLength(1);
    // Neither too little held for what an upstream may use, nor a body that says it twice.
    const rows = await waitFor(async () => {
      const found = await scene.query<{ error_code: string | null; cost_nanos: string }>('SELECT error_code, cost_nanos FROM usage_records WHERE key_id = $1', [id]);
      return found.length > 0 ? found : null;
    });
    expect(rows.map(({ error_code }) => error_code)).toEqual([null]);
    for (const name of ['max_tokens', 'max_completion_tokens']) expect(scene.simulator.calls[0].text.split(`"${name}"`).length).toBeLessThanOrEqual(2);
    await balancedNanos(id, LIMIT, 1);
  });

  it('in a hundred calls without a cap at once spends no more than the budget', async () => {
    const { id, key } = await newKey([{ amount_usd: '0.5', period: 'month' }]);
    scene.simulator.always(greedy);
    const answers = await repeat(100, (index) => chat(weirOf(index), key, PRICED, { stream: index % 2 === 0, fields: index % 3 === 0 ? { n: 3 } : {} }));
    const admitted = answers.filter(({ status }) => status === 200).length;
    expect(admitted).toBeGreaterThan(0);
    const rows = await scene.query<{ error_code: string }>('SELECT error_code FROM usage_records WHERE key_id = $1 AND error_code IS NOT NULL', [id]);
    expect(rows).toEqual([]);
    await balancedNanos(id, USD / 2, admitted);
  });
});

// Retries draw on a budget of their own: this stands before the calls that use it up.
describe('an upstream that fails after it seems to have worked', () => {
  const usage = { prompt_tokens: 0, completion_tokens: 10 };
  const seeming = () => respond.stream(toEvent({ id: 'x', object: 'chat.completion.chunk', choices: [], usage }), toEvent({ error: { message: 'Overloaded', type: 'server_error', code: 500 } }));

  it('is charged what it reported, and the next attempt only as far as the budget affords it', async () => {
    const { id, key } = await newKey([{ amount_usd: '0.02', period: 'month' }]);
    scene.simulator.always(seeming());
    const answer = await chat(scene.weir, key, OUTPUT, { stream: true, fields: { max_tokens: 12 } });
    expect(answer.status).toBeGreaterThanOrEqual(500);
    // Ten of the twenty tokens are gone, and twelve more are not there.
    expect(scene.simulator.calls).toHaveLength(1);
    expect(await balancedNanos(id, USD / 50, 1)).toBe(10 * TOKEN);
  });

  it('is charged once an attempt where the budget has enough, and the answer comes', async () => {
    const { id, key } = await newKey([{ amount_usd: 1, period: 'month' }]);
    scene.simulator.enqueue(seeming(), respond.json({ error: { message: 'x', type: 'server_error' }, usage }, 500), respond.stream(...chatEvents('Hello', { usage })));
    const answer = await chat(weirOf(1), key, OUTPUT, { stream: true, fields: { max_tokens: 12 } });
    expect(answer.text).toContain('[DONE]');
    expect(scene.simulator.calls).toHaveLength(3);
    expect(await balancedNanos(id, USD, 3)).toBe(20 * TOKEN);
  });

  it('in plain answers that fail is not paid at all', async () => {
    const { id, key } = await newKey([{ amount_usd: 1, period: 'month' }]);
    scene.simulator.enqueue(respond.json({ ...chatAnswer('Hi'), usage, error: { message: 'no', type: 'server_error' } }), respond.json({ ...chatAnswer('Hi'), usage }));
    expect((await chat(scene.weir, key, OUTPUT, { fields: { max_tokens: 12 } })).status).toBe(200);
    expect(await balancedNanos(id, USD, 2)).toBe(10 * TOKEN);
  });
});

/** What a key, its project and its organization have spent and hold, in nano-dollars, by the other process. */
interface Books {
  readonly spent: number;
  readonly held: number;
  readonly limit: number;
}

async function readBooks(index: number, { keyId, projectId, ofOrganization }: { keyId: string; projectId: string; ofOrganization: string }): Promise<Books[]> {
  const queries = [`scope=key&key_id=${keyId}`, `scope=project&project_id=${projectId}`, `scope=organization&organization_id=${ofOrganization}`];
  const pages = await Promise.all(queries.map((query) => weirOf(index).admin<{ data: JsonValue[] }>('GET', `/limits?${query}`)));
  return pages.flatMap(({ data }) => data[0].budgets.map((budget: JsonValue) => ({ spent: toNanos(budget.spent_usd), held: toNanos(budget.held_usd), limit: toNanos(budget.amount_usd) })));
}

/** mulberry32: the same calls each time. */
function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** An organization, a project and a key of it, all with budgets. */
async function newFamily(budgets: { readonly key: readonly object[]; readonly project: readonly object[]; readonly organization: readonly object[] }, fields: object = {}) {
  const organization = await write<{ id: string }>('POST', '/organizations', { name: `family ${writes}`, budgets: budgets.organization });
  const project = await write<{ id: string }>('POST', '/projects', { organization_id: organization.id, name: 'project', budgets: budgets.project });
  const made = await write<{ id: string; key: string }>('POST', '/keys', { organization_id: organization.id, project_id: project.id, name: 'key', budgets: budgets.key, ...fields });
  for (const weir of scene.weirs) await waitForModel(weir, made.key, NANO);
  return { key: made.key, keyId: made.id, projectId: project.id, ofOrganization: organization.id };
}

describe('two hundred calls at once of all sizes, some left, some failing, against small budgets on both processes', () => {
  it.each([1, 2, 3])('never have more spent and held than a budget has, and leave books that balance (seed %p)', async (seed) => {
    const random = seededRandom(seed);
    const family = await newFamily({
      key: [{ amount_usd: '0.6', period: 'day' }, { amount_usd: '0.5', period: 'month', model: PRICED }],
      project: [{ amount_usd: '0.55', period: 'week' }],
      organization: [{ amount_usd: '0.9', period: 'total' }],
    });
    const replies = [
      () => greedy,
      () => respond.echo(),
      () => respond.status(500),
      () => respond.resetBeforeHead(),
      () => greedy.after(Math.floor(random() * 200)),
      () => respond.stream(...chatEvents('a few words', { usage: null }).slice(0, 4), { ending: 'reset' }),
      () => respond.stream(...chatEvents('x'.repeat(Math.floor(random() * 3_000)), { usage: null })),
      () => respond.json({ ...chatAnswer('Hi'), usage: { prompt_tokens: -1, completion_tokens: 1e12 } }),
      () => respond.json({ ...chatAnswer('Hi'), usage: { prompt_tokens: 1, completion_tokens: 900_000, total_tokens: 900_001 } }),
      () => respond.never(),
    ];
    scene.simulator.enqueue(...Array.from({ length: 600 }, () => replies[Math.floor(random() * replies.length)]()));
    const calls = repeat(200, async (index) => {
      const leaving = new AbortController();
      const stream = random() < 0.5;
      const model = random() < 0.7 ? PRICED : BY_REQUEST;
      const fields = random() < 0.5 ? { max_tokens: Math.ceil(random() * 60) } : random() < 0.3 ? { n: 3 } : {};
      // Some never get an answer. The patient ones wait for as long as all others may take on a busy machine.
      const timer = setTimeout(() => leaving.abort(), random() < 0.3 ? random() * 150 : 8_000);
      try {
        return (await chat(weirOf(index), family.key, model, { stream, fields, signal: leaving.signal, content: 'x'.repeat(Math.floor(random() * 500)) })).status;
      } catch {
        return 0;
      } finally {
        clearTimeout(timer);
      }
    });
    let isOver = false;
    void calls.then(() => (isOver = true));
    let [polls, mostHeld] = [0, 0];
    do {
      for (const { spent, held, limit } of await readBooks(polls, family)) {
        expect(spent + held).toBeLessThanOrEqual(limit);
        mostHeld = Math.max(mostHeld, held);
      }
      polls += 1;
    } while (!isOver);
    expect(mostHeld).toBeGreaterThan(0);
    const statuses = await calls;
    expect(statuses).toContain(429);
    expect(statuses).toContain(200);
    const books = await waitFor(async () => {
      const found = await readBooks(0, family);
      return found.every(({ held }) => held === 0) ? found : null;
    });
    const requests = scene.simulator.calls.length;
    const sum = await waitFor(async () => {
      const found = await scene.sumLedger(family.keyId);
      return found.rows >= requests && found.costNanos === books[0].spent ? found : null;
    });
    // One that was left on its way to the upstream has a row, too.
    expect(sum.rows).toBeLessThanOrEqual(requests + statuses.filter((status) => status === 0).length);
    const [{ cost }] = await scene.query<{ cost: string }>('SELECT coalesce(sum(cost_nanos), 0) AS cost FROM usage_records WHERE key_id = $1 AND model = $2', [family.keyId, PRICED]);
    expect(books.map(({ spent }) => spent)).toEqual([sum.costNanos, Number(cost), sum.costNanos, sum.costNanos]);
    expect(await readBooks(1, family)).toEqual(books);
  });
});

describe('a budget at its edges', () => {
  it('of nothing lets nothing through that costs, not even a nano-dollar', async () => {
    const { key } = await newKey([{ amount_usd: 0, period: 'day' }]);
    for (const model of [NANO, BY_REQUEST, PRICED]) {
      const refused = await chat(weirOf(1), key, model);
      expect([refused.status, refused.body.error.code]).toEqual([429, 'budget_exceeded']);
    }
    expect(scene.simulator.calls).toHaveLength(0);
  });

  it('of a nano-dollar is one call of a nano-dollar, over both processes', async () => {
    const { id, key } = await newKey([{ amount_usd: '0.000000001', period: 'total' }]);
    const answers = await repeat(20, (index) => chat(weirOf(index), key, NANO));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(await balancedNanos(id, 1, 1)).toBe(1);
    const [budget] = await scene.readBudgets(id);
    expect(budget).toMatchObject({ amount_usd: '0.000000001', spent_usd: '0.000000001', remaining_usd: '0' });
    expect(answers.find(({ status }) => status === 429)?.body.error.message).toContain('$0.000000001');
  });

  it('of four million dollars counts to the nano-dollar', async () => {
    const { id, key } = await newKey([{ amount_usd: 4_000_000, period: 'total' }]);
    const usage = { prompt_tokens: 0, completion_tokens: 1_000_000_000 };
    scene.simulator.enqueue(...Array.from({ length: 3 }, () => respond.json({ ...chatAnswer('Hi'), usage })));
    for (let index = 0; index < 3; index++) expect((await chat(weirOf(index), key, OUTPUT, { fields: { max_tokens: 1_000_000_000 } })).status).toBe(200);
    expect((await chat(scene.weir, key, NANO)).status).toBe(200);
    expect(await balancedNanos(id, 4_000_000 * USD, 4)).toBe(3_000_000 * USD + 1);
    const gate = new Gate();
    scene.simulator.enqueue(respond.json({ ...chatAnswer('Hi'), usage }).after(gate));
    // What is left is a million less a nano-dollar: too little for this, and enough for a little less.
    expect((await chat(scene.weir, key, OUTPUT, { fields: { max_tokens: 1_000_000_000 } })).status).toBe(429);
    const open = chat(scene.weir, key, OUTPUT, { fields: { max_tokens: 999_999_999 } });
    await waitFor(async () => Number((await scene.readBudgets(id))[0].held_usd) > 0);
    const [held] = await scene.readBudgets(id);
    expect([held.held_usd, held.remaining_usd]).toEqual(['999999.999', '0.000999999']);
    gate.open();
    expect((await open).status).toBe(200);
    expect(await balancedNanos(id, 4_000_000 * USD, 5)).toBe(4_000_000 * USD);
  });

  it.each([-1, 4_000_001, '4000000.000000001', '0.0000000001', 1e-10, 'NaN', Infinity, '1e3', '', ' 1', true, [], { $gt: 0 }])('cannot be %p', async (amount_usd) => {
    const response = await scene.weir.adminResponse('POST', '/keys', { organization_id: organizationId, name: 'k', budgets: [{ amount_usd, period: 'day' }] });
    expect(response.status).toBe(400);
    expect(((await response.json()) as JsonValue).error.param).toContain('budgets[0].amount_usd');
  });

  it('lowered below what is spent refuses, lets open calls end, and goes on when it is raised', async () => {
    const { id, key } = await newKey([{ amount_usd: '0.05', period: 'month' }]);
    for (let index = 0; index < 2; index++) expect((await chat(weirOf(index), key, BY_REQUEST)).status).toBe(200);
    const gate = new Gate();
    scene.simulator.enqueue(respond.stream(...chatEvents('slow').slice(0, 2), gate, ...chatEvents('slow').slice(2)));
    const open = await openChat(scene.weir, key, BY_REQUEST, { stream: true });
    await write('PATCH', `/keys/${id}`, { budgets: [{ amount_usd: '0.015', period: 'month' }] });
    for (const weir of scene.weirs) await waitFor(async () => (await chat(weir, key, NANO)).status === 429);
    const [during] = await scene.readBudgets(id);
    expect(during).toMatchObject({ amount_usd: '0.015', held_usd: '0.01', remaining_usd: '0' });
    gate.open();
    expect(await open.text()).toContain('[DONE]');
    const spent = await scene.settledNanos(id);
    expect([spent >= (3 * USD) / 100, spent < (4 * USD) / 100]).toEqual([true, true]);
    expect((await chat(scene.weir, key, NANO)).status).toBe(429);
    await write('PATCH', `/keys/${id}`, { budgets: [{ amount_usd: '0.05', period: 'month' }] });
    for (const weir of scene.weirs) await waitFor(async () => (await chat(weir, key, NANO)).status === 200);
    await waitFor(async () => (await scene.sumLedger(id)).costNanos === (await scene.settledNanos(id)));
  });
});

describe('limits of all kinds at every level at once', () => {
  const LIMITS = { rpm: 1_000, rpd: 10_000, tpm: 1_000_000, concurrency: 100 };
  const BUDGETS = [{ amount_usd: 100, period: 'day' }, { amount_usd: 100, period: 'week' }, { amount_usd: 100, period: 'month' }, { amount_usd: 100, period: 'total' }];
  const MODEL = 'limited';
  let family: Awaited<ReturnType<typeof newFamily>>;
  let modelId: string;

  beforeAll(async () => {
    modelId = await scene.makeModel(MODEL, { per_request_usd: '0.01' }, { limits: LIMITS });
    family = await newFamily({ key: BUDGETS, project: BUDGETS, organization: BUDGETS }, { limits: LIMITS });
    await write('PATCH', `/projects/${family.projectId}`, { limits: LIMITS });
    await write('PATCH', `/organizations/${family.ofOrganization}`, { limits: LIMITS });
    for (const weir of scene.weirs) await waitForModel(weir, family.key, MODEL);
    await waitFor(async () => (await chat(scene.weir, family.key, MODEL)).status === 200);
  });

  const toPath = (scope: string): string => ({ key: `/keys/${family.keyId}`, project: `/projects/${family.projectId}`, organization: `/organizations/${family.ofOrganization}`, model: `/models/${modelId}` })[scope] ?? '';

  async function readUse(): Promise<JsonValue[]> {
    const queries = [`scope=key&key_id=${family.keyId}`, `scope=project&project_id=${family.projectId}`, `scope=organization&organization_id=${family.ofOrganization}`, `scope=model&organization_id=${family.ofOrganization}&model_id=${modelId}`];
    const pages = await Promise.all(queries.map((query) => scene.weirs[1].admin<{ data: JsonValue[] }>('GET', `/limits?${query}`)));
    return pages.flatMap(({ data }) => [...data[0].limits, ...data[0].budgets]).map(({ used, spent_usd, held_usd }) => [used, spent_usd, held_usd]);
  }

  /** Nothing is open, and all is settled. */
  const whenQuiet = (): Promise<true> => waitFor(async () => (await readUse()).every(([used, , held]: JsonValue[]) => held === undefined || held === '0' || used === 0));

  const scopes = ['key', 'project', 'organization', 'model'];
  const cases: [string, string, object, object][] = [
    ...scopes.map((scope): [string, string, object, object] => [scope, 'requests_per_minute', { limits: { rpm: 1 } }, { limits: LIMITS }]),
    ...scopes.map((scope): [string, string, object, object] => [scope, 'tokens_per_minute', { limits: { tpm: 1 } }, { limits: LIMITS }]),
    ...scopes.slice(0, 3).map((scope): [string, string, object, object] => [scope, 'budget', { budgets: [{ amount_usd: '0.000000001', period: 'day' }, ...BUDGETS.slice(1)] }, { budgets: BUDGETS }]),
  ];

  it.each(cases)('the tight one of the %s (%s) refuses by its name and takes nothing of the others', async (scope, limit, tight, loose) => {
    await write('PATCH', toPath(scope), tight);
    await waitFor(async () => (await chat(weirOf(1), family.key, MODEL)).status === 429);
    await whenQuiet();
    const before = await readUse();
    const refused = await chat(weirOf(1), family.key, MODEL);
    expect(refused.status).toBe(429);
    const named = refused.body.error.limits.filter((entry: JsonValue) => entry.refused === true);
    expect(named).toMatchObject([{ limit, scope }]);
    // Of all kinds at four levels, those of requests a minute and a day, of tokens, of open requests; and four budgets at three.
    expect(refused.body.error.limits).toHaveLength(4 * 4 + 3 * 4);
    expect(await readUse()).toEqual(before);
    await write('PATCH', toPath(scope), loose);
    for (const weir of scene.weirs) await waitFor(async () => (await chat(weir, family.key, MODEL)).status === 200);
  });

  /** Until both processes go by it. */
  const whenKnown = async (scope: string, concurrency: number): Promise<void> => {
    const request = { model: MODEL, messages: [{ role: 'user', content: 'Hi' }] };
    for (const weir of scene.weirs) {
      await waitFor(async () => {
        const { body } = await readAnswer(await weir.post('/v1/explain', family.key, { request }));
        return body.limits.some((entry: JsonValue) => entry.limit === 'concurrency' && entry.scope === scope && entry.max === concurrency);
      });
    }
  };

  it.each(scopes)('the leases of the %s refuse while a call is open, and are free after', async (scope) => {
    await whenQuiet();
    await write('PATCH', toPath(scope), { limits: { ...LIMITS, concurrency: 1 } });
    await whenKnown(scope, 1);
    const gate = new Gate();
    scene.simulator.always(respond.echo().after(gate));
    const open = chat(weirOf(0), family.key, MODEL);
    await scene.simulator.waitForCalls(1);
    const refused = await chat(weirOf(1), family.key, MODEL);
    gate.open();
    expect(refused.status).toBe(429);
    expect(refused.body.error.limits.filter((entry: JsonValue) => entry.refused === true)).toMatchObject([{ limit: 'concurrency', scope }]);
    expect((await open).status).toBe(200);
    await waitFor(async () => (await chat(weirOf(1), family.key, MODEL)).status === 200);
    await write('PATCH', toPath(scope), { limits: LIMITS });
    await whenKnown(scope, LIMITS.concurrency);
  });
});

describe('what is deleted with calls open', () => {
  const budgets = [{ amount_usd: 1, period: 'month' }];

  it.each(['keys', 'projects', 'models'] as const)('of %s: the calls end, their rows land, and the organization’s books balance', async (collection) => {
    const model = `deleted-with-${collection}`;
    const modelId = await scene.makeModel(model, { per_request_usd: '0.01' });
    const family = await newFamily({ key: budgets, project: budgets, organization: budgets });
    for (const weir of scene.weirs) await waitForModel(weir, family.key, model);
    const gate = new Gate();
    const events = chatEvents('a long answer');
    scene.simulator.always(respond.stream(...events.slice(0, 2), gate, ...events.slice(2)));
    const streams = await repeat(6, (index) => openChat(weirOf(index), family.key, model, { stream: true }));
    scene.simulator.always(respond.echo().after(gate));
    const plain = Array.from({ length: 4 }, (_, index) => chat(weirOf(index), family.key, model));
    await scene.simulator.waitForCalls(10);
    const id = { keys: family.keyId, projects: family.projectId, models: modelId }[collection];
    const deleted = await scene.weirs[1].adminResponse('DELETE', `/${collection}/${id}`);
    if (collection === 'projects' && deleted.status === 409) {
      // It has a key: first that one.
      expect((await scene.weirs[1].adminResponse('DELETE', `/keys/${family.keyId}`)).status).toBe(200);
    } else expect(deleted.status).toBe(200);
    for (const weir of scene.weirs) await waitFor(async () => !(await weir.modelNames(family.key)).includes(model));
    expect([401, 403, 404]).toContain((await chat(scene.weir, family.key, model)).status);
    gate.open();
    for (const stream of streams) expect(await stream.text()).toContain('[DONE]');
    expect((await Promise.all(plain)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    await waitFor(async () => (await scene.sumLedger(family.keyId)).rows >= 10);
    expect(await scene.sumLedger(family.keyId)).toEqual({ rows: 10, requests: 10, costNanos: USD / 10 });
    await waitFor(async () => {
      const { data } = await scene.weir.admin<{ data: JsonValue[] }>('GET', `/limits?scope=organization&organization_id=${family.ofOrganization}`);
      return data[0].budgets[0].held_usd === '0' && data[0].budgets[0].spent_usd === '0.1';
    });
    const [view] = (await scene.weir.admin<{ data: JsonValue[] }>('GET', `/usage?organization_id=${family.ofOrganization}`)).data;
    expect([view.requests, view.cost_usd]).toEqual([10, '0.1']);
  });
});

describe('prompts, answers and keys', () => {
  it('are in no spool file, log, webhook, export, explanation, metric, or row, nor in Redis', async () => {
    const [prompt, said, name] = Array.from({ length: 3 }, () => `canary${randomBytes(12).toString('hex')}`);
    const texts: string[] = [];
    const receiver = createServer((request, response) => {
      request.on('data', (chunk: Buffer) => texts.push(JSON.stringify(request.headers) + chunk.toString()));
      request.on('end', () => response.writeHead(204).end());
    }).listen(0, '127.0.0.1');
    await once(receiver, 'listening');
    const family = await newFamily({ key: [{ amount_usd: '0.05', period: 'month', alerts: [1] }], project: [], organization: [] }, { limits: { rpm: 100, concurrency: 50 } });
    await write('POST', `/organizations/${family.ofOrganization}/alert-webhook`, { url: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`, allow_private: true });

    const gate = new Gate();
    const events = chatEvents(said, { usage: null });
    scene.simulator.enqueue(respond.stream(...events.slice(0, 3), gate, ...events.slice(3)), respond.json(chatAnswer(said)), respond.status(500, said), respond.json({ error: { message: said, type: `the ${said} type`, code: `no code ${said}` } }, 400));
    const open = await openChat(scene.weir, family.key, BY_REQUEST, { stream: true, content: prompt, headers: { 'idempotency-key': name } });
    for (let index = 0; index < 7; index++) texts.push(...(await wordsOf(index)));
    // While a call is open its records are in the spool.
    const spool = readFolder(scene.dataDirectory);
    expect(spool.join('').length).toBeGreaterThan(0);
    texts.push(...spool);
    gate.open();
    await open.text();
    await waitFor(() => texts.some((text) => text.includes('budget.alert')));
    receiver.closeAllConnections();
    receiver.close();
    texts.push(...readFolder(scene.dataDirectory), ...scene.weirs.map(({ output }) => output), ...(await Promise.all(scene.weirs.map((weir) => weir.metrics()))));
    for (const path of ['/requests?limit=200', '/usage?group_by=key,model', '/limits', '/alerts', '/audit?limit=200', '/requests/export']) texts.push(await (await scene.weir.adminResponse('GET', path)).text());
    texts.push(...(await readTables()), ...(await scene.readRedis()));
    expect(texts.join('')).toContain(family.keyId);

    async function wordsOf(index: number): Promise<string[]> {
      const explained = await readAnswer(await weirOf(index).post('/v1/explain', family.key, { request: { model: BY_REQUEST, messages: [{ role: 'user', content: prompt }], user: prompt } }));
      const answer = await chat(weirOf(index), family.key, BY_REQUEST, { content: prompt });
      // A provider's own word about the request is its caller's to read.
      return [explained.text, ...(answer.status === 429 ? [answer.text] : [])];
    }

    const secretOf = (key: string): string => key.slice(key.indexOf('_') + 1);
    const values = { prompt, said, name, key: secretOf(family.key), owner: secretOf(owners[0]), provider: 'sk-simulated-0123456789' };
    const leaks: string[] = [];
    for (const [what, value] of Object.entries(values)) {
      for (const form of [value, Buffer.from(value).toString('hex'), Buffer.from(value).toString('base64').slice(0, -2), encodeURIComponent(value)]) {
        for (const text of texts) {
          const at = text.indexOf(form);
          if (at !== -1) leaks.push(`${what}: …${text.slice(Math.max(0, at - 120), at)}`);
        }
      }
    }
    expect(leaks).toEqual([]);
  });

  function readFolder(folder: string): string[] {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .flatMap((entry) => {
        try {
          return [readFileSync(join(entry.parentPath, entry.name), 'latin1')];
        } catch {
          // A segment that is stored is deleted.
          return [];
        }
      });
  }

  async function readTables(): Promise<string[]> {
    const tables = await scene.query<{ name: string }>("SELECT quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = 'public'");
    const rows = await Promise.all(tables.map(({ name }) => scene.query<{ text: string }>(`SELECT row_to_json(one)::text AS text FROM ${name} AS one`)));
    return rows.flat().map(({ text }) => text);
  }
});
