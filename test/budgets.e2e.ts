import { chatEvents, respond } from '@weir/testing';
import { chat, type ChatAnswer, repeat, waitForUsageRows } from './support/chat';
import { MeterScene, USD } from './support/meter-scene';
import { waitFor } from './support/wait-for';

const PER_REQUEST = 'priced-by-request';
const PER_TOKEN = 'priced-by-token';
const UNPRICED = 'unpriced';

const countStatus = (answers: readonly ChatAnswer[], status: number): number => answers.filter((answer) => answer.status === status).length;

describe.each([
  ['two processes on one Redis', { processes: 2, withRedis: true }],
  ['one process without Redis', { processes: 1, withRedis: false }],
])('budgets, %s', (_name, options) => {
  let scene: MeterScene;

  beforeAll(async () => {
    scene = await MeterScene.start(options);
    await scene.makeModel(PER_REQUEST, { per_request_usd: '0.01' });
    await scene.makeModel(PER_TOKEN, { output_per_million_usd: 1000 });
    await scene.makeModel(UNPRICED, null);
  });
  afterAll(() => scene.stop());
  beforeEach(() => scene.simulator.reset());

  const weirOf = (index: number) => scene.weirs[index % scene.weirs.length];

  it('admits exactly ten of a hundred calls at once against a budget for ten, streamed and not', async () => {
    const { id, key } = await scene.makeKey(PER_REQUEST, { budgets: [{ amount_usd: '0.1', period: 'month' }] });
    const answers = await repeat(100, (index) => chat(weirOf(index), key, PER_REQUEST, { stream: index % 2 === 0 }));
    expect(countStatus(answers, 200)).toBe(10);
    expect(countStatus(answers, 429)).toBe(90);
    expect(scene.simulator.calls).toHaveLength(10);
    expect(await scene.settledNanos(id)).toBe(USD / 10);
    await waitForUsageRows(scene.weir, `key_id=${id}`, 10);
    expect(await scene.sumLedger(id)).toEqual({ rows: 10, requests: 10, costNanos: USD / 10 });
  });

  it('names the budget that refuses, what remains and when it ends, and takes nothing else', async () => {
    const { id, key } = await scene.makeKey(PER_REQUEST, { limits: { rpm: 10 }, budgets: [{ amount_usd: '0.015', period: 'day' }] });
    expect((await chat(weirOf(0), key, PER_REQUEST)).status).toBe(200);
    expect(await scene.settledNanos(id)).toBe(USD / 100);
    const refused = await chat(weirOf(1), key, PER_REQUEST);
    expect(refused.status).toBe(429);
    expect(refused.headers.get('x-should-retry')).toBe('false');
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(refused.body.error).toMatchObject({ code: 'budget_exceeded', type: 'insufficient_quota' });
    expect(refused.body.error.message).toContain('0.015');
    const [budget] = refused.body.error.limits.filter((limit: { refused?: boolean }) => limit.refused === true);
    expect(budget).toMatchObject({ limit: 'budget', scope: 'key', period: 'day' });
    const minute = refused.body.error.limits.find((limit: { limit: string }) => limit.limit === 'requests_per_minute');
    expect(minute).toMatchObject({ max: 10, used: 1, remaining: 9 });
    await waitForUsageRows(scene.weir, `key_id=${id}`, 1);
    expect((await scene.sumLedger(id)).rows).toBe(1);
  });

  it('holds at the project and the organization as well, and for one model alone', async () => {
    const { organizationId } = await scene.makeKey(PER_REQUEST);
    const project = await scene.weir.admin<{ id: string }>('POST', '/projects', { organization_id: organizationId, name: 'p', budgets: [{ amount_usd: 0.02, period: 'total', model: PER_REQUEST }] });
    const issued = await repeat(2, (index) => scene.weir.admin<{ key: string }>('POST', '/keys', { organization_id: organizationId, project_id: project.id, name: `k${index}` }));
    await waitFor(async () => (await scene.weirs.at(-1)?.modelNames(issued[1].key))?.includes(PER_REQUEST));
    const answers = await repeat(6, (index) => chat(weirOf(index), issued[index % 2].key, PER_REQUEST));
    expect(countStatus(answers, 200)).toBe(2);
    expect((await chat(weirOf(0), issued[0].key, PER_TOKEN)).status).toBe(200);
  });

  it('goes on when the budget is raised, and again when it is reset', async () => {
    const { id, key } = await scene.makeKey(PER_REQUEST, { budgets: [{ amount_usd: 0.01, period: 'month' }] });
    expect((await chat(weirOf(0), key, PER_REQUEST)).status).toBe(200);
    expect((await chat(weirOf(1), key, PER_REQUEST)).status).toBe(429);
    await scene.weir.admin('PATCH', `/keys/${id}`, { budgets: [{ amount_usd: 0.02, period: 'month' }] });
    await waitFor(async () => (await chat(weirOf(0), key, PER_REQUEST)).status === 200);
    expect((await chat(weirOf(1), key, PER_REQUEST)).status).toBe(429);
    await scene.weir.admin('POST', `/keys/${id}/budgets/reset`, { period: 'month' });
    await waitFor(async () => (await chat(weirOf(1), key, PER_REQUEST)).status === 200);
    expect(await scene.settledNanos(id)).toBe(USD / 100);
  });

  it('sets the output cap that the budget affords when the caller set none, and leaves a smaller one alone', async () => {
    const { key } = await scene.makeKey(PER_TOKEN, { budgets: [{ amount_usd: '0.05', period: 'month' }] });
    expect((await chat(weirOf(0), key, PER_TOKEN)).status).toBe(200);
    expect(scene.simulator.calls[0].json.max_tokens).toBe(50);
    expect((await chat(weirOf(0), key, PER_TOKEN, { fields: { max_tokens: 20 } })).status).toBe(200);
    expect(scene.simulator.calls[1].json.max_tokens).toBe(20);
    const tooMuch = await chat(weirOf(0), key, PER_TOKEN, { fields: { max_completion_tokens: 51 } });
    expect(tooMuch.body.error).toMatchObject({ code: 'budget_exceeded' });
    expect(scene.simulator.calls).toHaveLength(2);
  });

  it('refuses a model without a price under a budget, and only there', async () => {
    const limited = await scene.makeKey(UNPRICED, { budgets: [{ amount_usd: 1, period: 'month' }] });
    const refused = await chat(weirOf(0), limited.key, UNPRICED);
    expect([refused.status, refused.body.error.code]).toEqual([403, 'model_not_priced']);
    const free = await scene.makeKey(UNPRICED);
    expect((await chat(weirOf(0), free.key, UNPRICED)).status).toBe(200);
  });

  it('charges no more than the hold when the upstream claims more than the cap it was given', async () => {
    const { id, key } = await scene.makeKey(PER_TOKEN, { budgets: [{ amount_usd: '0.05', period: 'month' }] });
    const usage = { prompt_tokens: 5, completion_tokens: 900_000, total_tokens: 900_005 };
    scene.simulator.enqueue(respond.stream(...chatEvents('Hello', { usage })));
    expect((await chat(weirOf(0), key, PER_TOKEN, { stream: true })).status).toBe(200);
    expect(await scene.settledNanos(id)).toBe(USD / 20);
    const [row] = await waitForUsageRows(scene.weir, `key_id=${id}`, 1);
    expect(row).toMatchObject({ status: 'succeeded', error_code: 'overrun', output_tokens: 900_000, cost_nanos: USD / 20 });
    expect((await chat(weirOf(0), key, PER_TOKEN)).status).toBe(429);
  });

  it('ends a stream that outruns its hold with an error event when the budget affords no more', async () => {
    const { id, key } = await scene.makeKey(PER_TOKEN, { budgets: [{ amount_usd: '0.05', period: 'month' }] });
    scene.simulator.enqueue(respond.stream(...chatEvents('x'.repeat(20_000), { usage: null })));
    const answer = await chat(weirOf(0), key, PER_TOKEN, { stream: true });
    expect(answer.text).toContain('"code":"budget_exceeded"');
    expect(answer.text).not.toContain('[DONE]');
    expect(await scene.settledNanos(id)).toBe(USD / 20);
  });

  it('lets a stream that outruns its hold go on when the budget has more', async () => {
    const { id, key } = await scene.makeKey(PER_TOKEN, { budgets: [{ amount_usd: 1000, period: 'month' }] });
    scene.simulator.enqueue(respond.stream(...chatEvents('x'.repeat(8_000), { usage: null })));
    const answer = await chat(weirOf(0), key, PER_TOKEN, { stream: true, fields: { max_tokens: 10 } });
    expect(answer.text).toContain('[DONE]');
    // Nobody reported usage: a token for four bytes.
    expect(await scene.settledNanos(id)).toBe((2_000 * USD) / 1000);
  });

  it.each([NaN, -1, 1.5, 2 ** 63, '5', [], {}])('refuses the output cap %p by its name', async (max_tokens) => {
    const { key } = await scene.makeKey(PER_TOKEN, { budgets: [{ amount_usd: 1, period: 'month' }] });
    const answer = await chat(weirOf(0), key, PER_TOKEN, { fields: { max_tokens: Number.isNaN(max_tokens) ? 'NaN' : max_tokens } });
    expect([answer.status, answer.body.error.param]).toEqual([400, 'max_tokens']);
    expect(scene.simulator.calls).toHaveLength(0);
  });
});
