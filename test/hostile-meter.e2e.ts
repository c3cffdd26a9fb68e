import { chatAnswer, chatEvents, DONE_EVENT, Gate, Reply, respond, toEvent } from '@weir/testing';
import { randomBytes } from 'node:crypto';
import { chat, type ChatAnswer, openChat, readAnswer, repeat } from './support/chat';
import { type JsonValue } from './support/control-plane';
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
}, 60_000);
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
  const lie = (prompt: unknown, completion: unknown, more: object = {}): object => ({ prompt_tokens: prompt, completion_tokens: completion, total_tokens: 5, ...more });
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

/**
 * An upstream that uses all that it was asked for: every choice of every prompt written to its cap, a
 * token for every byte of the body, and pictures and files as vendors count them.
 */
const greedy = new Reply(async (exchange) => {
  const { call } = exchange;
  const { json } = call;
  const numbers = (...names: string[]): number[] => names.flatMap((name) => (typeof json[name] === 'number' ? [json[name]] : []));
  const cap = Math.max(...numbers('max_tokens', 'max_completion_tokens'), -1);
  const isLegacy = call.path.endsWith('/completions') && !call.path.includes('chat');
  const choices = Math.max(1, ...numbers('n', 'best_of'));
  const prompts = isLegacy && Array.isArray(json.prompt) && typeof json.prompt[0] !== 'number' ? json.prompt.length : 1;
  const output = cap >= 0 ? cap : isLegacy ? 16 : 4096;
  const parts: JsonValue[] = (json.messages ?? []).flatMap(({ content }: JsonValue) => (Array.isArray(content) ? content : []));
  const media = parts.reduce((tokens, { type }) => tokens + (type === 'image_url' ? 1_105 : type === 'text' ? 0 : 50_000), 0);
  const usage = { prompt_tokens: call.body.length + media + (json.tools === undefined ? 0 : 346), completion_tokens: output * choices * prompts, total_tokens: 0 };
  const reply = json.stream === true ? respond.stream(...chatEvents('Hi', { usage })) : respond.json({ ...chatAnswer('Hi'), usage });
  await reply.play(exchange);
});

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
    ['sound', 'chat', { ...part('input_audio', { input_audio: { data: 'https://example.com/long.mp3', format: 'mp3' } }), max_tokens: 1 }],
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
