import { STRATEGIES } from '@weir/upstreams';
import { ControlPlane, type JsonValue } from '../../../../../test/support/control-plane';

let plane: ControlPlane;
let upstreamId: string;

beforeEach(async () => {
  plane = await ControlPlane.start();
  upstreamId = (await plane.owner('POST', '/admin/upstreams', { name: 'one', provider: 'openai', base_url: 'https://api.example' })).body.id;
});

afterEach(() => plane.stop());

const add = (name: string, fields: object = {}) =>
  plane.owner('POST', '/admin/models', { name, operation: 'chat', targets: [{ upstream_id: upstreamId, upstream_model: 'm' }], ...fields });

const change = (model: JsonValue, fields: object) => plane.owner('PATCH', `/admin/models/${model.id}`, fields);

async function made(name: string, fields: object = {}): Promise<JsonValue> {
  const answer = await add(name, fields);
  expect(answer.status).toBe(201);
  return answer.body;
}

describe('a model’s routing', () => {
  it.each(STRATEGIES)('takes the strategy %s', async (strategy) => {
    expect(await made('m', { strategy })).toMatchObject({ strategy, fallbacks: [], affinity: 'none' });
  });

  it('is by weight, without fallbacks, each call alone, when nothing is said', async () => {
    expect(await made('m')).toMatchObject({ strategy: 'weighted', fallbacks: [], affinity: 'none' });
  });

  it('refuses an unknown strategy with the list of all', async () => {
    const answer = await add('m', { strategy: 'cheapest' });
    expect([answer.status, answer.body.error.param]).toEqual([400, 'strategy']);
    for (const strategy of STRATEGIES) expect(answer.body.error.message).toContain(strategy);
  });

  it.each([
    ['affinity', { affinity: 'family' }],
    ['fallbacks', { fallbacks: 'm' }],
    ['fallbacks', { fallbacks: ['a', 'a'] }],
    ['fallbacks', { fallbacks: [5] }],
    ['fallbacks', { fallbacks: [...'123456789'] }],
    ['fallbacks[0]', { fallbacks: ['nobody'] }],
    ['fallbacks[0]', { fallbacks: ['m'] }],
    ['fallbacks[1]', { fallbacks: ['b', 'vectors'] }],
  ])('refuses a wrong %s: %j', async (param, fields) => {
    await made('b');
    await made('vectors', { operation: 'embeddings' });
    const answer = await add('m', fields);
    expect([answer.status, answer.body.error.param]).toEqual([400, param]);
    expect((await plane.owner('GET', '/admin/models?search=m')).body.data).toEqual([]);
  });

  it('refuses a fallback that leads back, and writes nothing of it', async () => {
    const a = await made('a');
    const b = await made('b', { fallbacks: ['a'] });
    await made('c', { fallbacks: ['b'] });
    for (const fallbacks of [['b'], ['c'], ['a']]) {
      const answer = await change(a, { fallbacks });
      expect([answer.status, answer.body.error.param]).toEqual([400, 'fallbacks[0]']);
    }
    expect((await plane.owner('GET', `/admin/models/${a.id}`)).body.fallbacks).toEqual([]);
    expect((await change(b, { fallbacks: [] })).status).toBe(200);
    expect((await change(a, { fallbacks: ['b'] })).status).toBe(200);
  });

  it('keeps what others name as their fallback: it is neither deleted, renamed nor given other work', async () => {
    const a = await made('a');
    await made('b', { fallbacks: ['a'] });
    for (const answer of [
      await plane.owner('DELETE', `/admin/models/${a.id}`),
      await change(a, { name: 'a2' }),
      await change(a, { operation: 'embeddings' }),
    ]) {
      expect([answer.status, answer.body.error.message]).toEqual([409, expect.stringContaining('b')]);
    }
    expect((await change(a, { price: { per_request_usd: 1 } })).status).toBe(200);
  });

  it('lets no two changes at once make a cycle', async () => {
    const models = await Promise.all(['a', 'b', 'c', 'd'].map((name) => made(name)));
    const answers = await Promise.all(models.map((model, index) => change(model, { fallbacks: [['b', 'c', 'd', 'a'][index]] })));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 200, 400]);
  });

  it('is audited and reaches the pool', async () => {
    await made('b');
    const a = await made('a');
    await change(a, { strategy: 'least-busy', fallbacks: ['b'], affinity: 'session' });
    expect((await plane.owner('GET', '/admin/audit?limit=1')).body.data[0].changes).toEqual({
      strategy: { old: 'weighted', new: 'least-busy' },
      fallbacks: { old: [], new: ['b'] },
      affinity: { old: 'none', new: 'session' },
    });
    await plane.refreshPool();
    expect((await plane.owner('GET', `/admin/models/${a.id}`)).body).toMatchObject({ strategy: 'least-busy', fallbacks: ['b'], affinity: 'session' });
  });
});
