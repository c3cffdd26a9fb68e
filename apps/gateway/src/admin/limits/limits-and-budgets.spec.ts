import { AccessSnapshot } from '@weir/access';
import { ControlPlane, type JsonValue } from '../../../../../test/support/control-plane';

type Organization = Awaited<ReturnType<ControlPlane['addOrganization']>>;

const NOTHING_SAID = { rpm: null, tpm: null, rpd: null, concurrency: null };
const DAY_MS = 86_400_000;

let plane: ControlPlane;
let acme: Organization;
let umbrella: Organization;
let names = 0;

beforeAll(async () => {
  plane = await ControlPlane.start();
  acme = await plane.addOrganization('acme');
  umbrella = await plane.addOrganization('umbrella');
  const upstream = (await plane.owner('POST', '/admin/upstreams', { name: 'one', provider: 'openai', base_url: 'https://api.example' })).body;
  for (const name of ['gpt-x', 'vendor/*']) {
    await plane.owner('POST', '/admin/models', { name, operation: 'chat', targets: [{ upstream_id: upstream.id, upstream_model: 'm' }] });
  }
});

// More is written here than anybody may write in a minute.
beforeEach(() => void (plane.clock.shiftMs += 61_000));

afterAll(() => plane.stop());

type Collection = 'keys' | 'projects' | 'organizations';
const COLLECTIONS: readonly Collection[] = ['keys', 'projects', 'organizations'];

/** As whoever may: an organization's own limits are the owner's to set. */
function callAs(collection: Collection) {
  const key = collection === 'organizations' ? plane.ownerKey : acme.adminKey;
  return (method: string, path: string, body?: unknown) => plane.call(method, `/admin/${collection}${path}`, { key, body });
}

async function make(collection: Collection, fields: object = {}): Promise<JsonValue> {
  const answer = await callAs(collection)('POST', '', { name: `name ${(names += 1)}`, ...fields });
  expect([answer.status, answer.text]).toEqual([201, expect.anything()]);
  return answer.body;
}

describe.each(COLLECTIONS)('limits and budgets of %s', (collection) => {
  it('are kept as they were written, and shown to the nano-dollar', async () => {
    const made = await make(collection, {
      limits: { rpm: 5, tpm: 90_000, rpd: 0, concurrency: 8 },
      budgets: [
        { amount_usd: 0.1, period: 'day' },
        { amount_usd: '3999999.999999999', period: 'month', model: 'gpt-x', alerts: [100, 50] },
        { amount_usd: 0, period: 'total', model: 'vendor/small', alerts: [] },
      ],
    });
    const shown = {
      limits: { rpm: 5, tpm: 90_000, rpd: 0, concurrency: 8 },
      budgets: [
        { amount_usd: '0.1', period: 'day', model: null, alerts: [80, 100], reset_at: null },
        { amount_usd: '3999999.999999999', period: 'month', model: 'gpt-x', alerts: [50, 100], reset_at: null },
        { amount_usd: '0', period: 'total', model: 'vendor/small', alerts: [], reset_at: null },
      ],
    };
    expect(made).toMatchObject(shown);
    expect((await callAs(collection)('GET', `/${made.id}`)).body).toMatchObject(shown);
    expect(await make(collection)).toMatchObject({ limits: NOTHING_SAID, budgets: [] });
  });

  it('change as they are named: a limit that is left out stays, null takes it away, budgets are replaced', async () => {
    const { id } = await make(collection, { limits: { rpm: 5, tpm: 9 }, budgets: [{ amount_usd: 1, period: 'day' }, { amount_usd: 1, period: 'week' }] });
    const patch = async (body: object) => (await callAs(collection)('PATCH', `/${id}`, body)).body;
    expect((await patch({ limits: { concurrency: 3 } })).limits).toEqual({ ...NOTHING_SAID, rpm: 5, tpm: 9, concurrency: 3 });
    expect((await patch({ limits: { rpm: null } })).limits).toEqual({ ...NOTHING_SAID, tpm: 9, concurrency: 3 });
    expect((await patch({ name: `renamed ${id}` })).limits).toEqual({ ...NOTHING_SAID, tpm: 9, concurrency: 3 });
    expect((await patch({ limits: null })).limits).toEqual(NOTHING_SAID);
    expect((await patch({ limits: {} })).budgets).toHaveLength(2);
    expect((await patch({ budgets: [{ amount_usd: 2, period: 'week' }] })).budgets).toMatchObject([{ amount_usd: '2', period: 'week' }]);
    expect((await patch({ budgets: null })).budgets).toEqual([]);
  });

  it('keep the reset of a budget that stays, and write each reset into the audit log', async () => {
    const { id } = await make(collection, { budgets: [{ amount_usd: 1, period: 'day' }, { amount_usd: 1, period: 'day', model: 'gpt-x' }] });
    const send = callAs(collection);
    const atMs = plane.clock.nowMs();
    const reset = await send('POST', `/${id}/budgets/reset`, { period: 'day', model: 'gpt-x' });
    expect(reset.status).toBe(200);
    const resetAt = reset.body.budgets[1].reset_at;
    expect(Date.parse(resetAt) - atMs).toBeGreaterThanOrEqual(0);
    expect(Date.parse(resetAt) - atMs).toBeLessThan(20_000);
    expect(reset.body.budgets[0].reset_at).toBeNull();
    const [record] = (await plane.owner('GET', `/admin/audit?object_id=${id}`)).body.data;
    expect(record).toMatchObject({ action: 'update', collection, changes: { budgets: { old: [{}, { reset_at: null }], new: [{}, { reset_at: resetAt }] } } });

    const raised = await send('PATCH', `/${id}`, { budgets: [{ amount_usd: 9, period: 'day', model: 'gpt-x' }, { amount_usd: 9, period: 'month' }] });
    expect(raised.body.budgets).toMatchObject([{ amount_usd: '9', reset_at: resetAt }, { period: 'month', reset_at: null }]);
    const again = await send('POST', `/${id}/budgets/reset`, { period: 'month' });
    expect(again.body.budgets).toMatchObject([{ reset_at: resetAt }, { reset_at: expect.any(String) }]);
  });

  it('have no reset for a budget that is not there', async () => {
    const { id } = await make(collection, { budgets: [{ amount_usd: 1, period: 'day' }] });
    const send = callAs(collection);
    for (const which of [{ period: 'week' }, { period: 'day', model: 'gpt-x' }]) {
      const answer = await send('POST', `/${id}/budgets/reset`, which);
      expect([answer.status, answer.body.error.code]).toEqual([404, 'not_found']);
    }
    for (const [param, body] of [['period', {}], ['period', { period: 'year' }], ['model', { period: 'day', model: 5 }], ['amount_usd', { period: 'day', amount_usd: 1 }]] as const) {
      const answer = await send('POST', `/${id}/budgets/reset`, body);
      expect([answer.status, answer.body.error.param]).toEqual([400, param]);
    }
  });

  const day = (fields: object) => ({ budgets: [{ amount_usd: 1, period: 'week' }, { amount_usd: 1, period: 'day', ...fields }] });

  it.each<[param: string, fields: object]>([
    ['limits', { limits: [] }],
    ['limits', { limits: 5 }],
    ['limits.rpm', { limits: { rpm: -1 } }],
    ['limits.rpm', { limits: { rpm: 1.5 } }],
    ['limits.rpm', { limits: { rpm: 1_000_000_001 } }],
    ['limits.rpm', { limits: { rpm: '5' } }],
    ['limits.tpm', { limits: { tpm: 1e300 } }],
    ['limits.tpm', { limits: { tpm: [5] } }],
    ['limits.rpd', { limits: { rpd: true } }],
    ['limits.concurrency', { limits: { concurrency: -5 } }],
    ['limits.concurrency', { limits: { concurrency: {} } }],
    ['limits.tps', { limits: { tps: 5 } }],
    ['limits.requestsPerMinute', { limits: { requestsPerMinute: 5 } }],
    ['budgets', { budgets: {} }],
    ['budgets', { budgets: 'none' }],
    ['budgets', { budgets: [null] }],
    ['budgets', { budgets: [[]] }],
    ['budgets', { budgets: [5] }],
    ['budgets', { budgets: Array.from({ length: 21 }, () => ({ amount_usd: 1, period: 'day' })) }],
    ['budgets[0].amount_usd', { budgets: [{ period: 'day' }] }],
    ['budgets[1].amount_usd', day({ amount_usd: -1 })],
    ['budgets[1].amount_usd', day({ amount_usd: '-0.5' })],
    ['budgets[1].amount_usd', day({ amount_usd: 4_000_000.01 })],
    ['budgets[1].amount_usd', day({ amount_usd: '4000000.000000001' })],
    ['budgets[1].amount_usd', day({ amount_usd: 1e-10 })],
    ['budgets[1].amount_usd', day({ amount_usd: '0.0000000001' })],
    ['budgets[1].amount_usd', day({ amount_usd: '1e3' })],
    ['budgets[1].amount_usd', day({ amount_usd: '1,5' })],
    ['budgets[1].amount_usd', day({ amount_usd: '' })],
    ['budgets[1].amount_usd', day({ amount_usd: null })],
    ['budgets[1].amount_usd', day({ amount_usd: true })],
    ['budgets[1].amount_usd', day({ amount_usd: [1] })],
    ['budgets[1].amount_usd', day({ amount_usd: '9'.repeat(100_000) })],
    ['budgets[1].period', day({ period: 'year' })],
    ['budgets[1].period', day({ period: 'DAY' })],
    ['budgets[1].period', day({ period: null })],
    ['budgets[1].period', day({ period: ['day'] })],
    ['budgets[1].model', day({ model: 'gtp-x' })],
    ['budgets[1].model', day({ model: 'vendor/*' })],
    ['budgets[1].model', day({ model: '*' })],
    ['budgets[1].model', day({ model: 'gpt-*' })],
    ['budgets[1].model', day({ model: '' })],
    ['budgets[1].model', day({ model: 'a\nb' })],
    ['budgets[1].model', day({ model: 'vendor/ x' })],
    ['budgets[1].model', day({ model: 'vendor/\ud800' })],
    ['budgets[1].model', day({ model: 7 })],
    ['budgets[1].alerts', day({ alerts: [0] })],
    ['budgets[1].alerts', day({ alerts: [101] })],
    ['budgets[1].alerts', day({ alerts: [50.5] })],
    ['budgets[1].alerts', day({ alerts: ['80'] })],
    ['budgets[1].alerts', day({ alerts: 80 })],
    ['budgets[1].reset_at', day({ reset_at: null })],
    ['budgets[1].amount_nanos', day({ amount_nanos: 1 })],
    ['budgets[1]', { budgets: [{ amount_usd: 1, period: 'day' }, { amount_usd: 2, period: 'day', model: null }] }],
    ['budgets[1]', { budgets: [{ amount_usd: 1, period: 'day', model: 'gpt-x' }, { amount_usd: 2, period: 'day', model: 'gpt-x' }] }],
  ])('refuse a wrong %s, and change nothing: %j', async (param, fields) => {
    const { id } = await existing();
    const send = callAs(collection);
    for (const answer of [await send('POST', '', { name: `wrong ${(names += 1)}`, ...fields }), await send('PATCH', `/${id}`, fields)]) {
      expect([answer.status, answer.body.error.code, answer.body.error.param]).toEqual([400, 'invalid_request', param]);
    }
    expect((await send('GET', `/${id}`)).body).toMatchObject({ limits: { ...NOTHING_SAID, rpm: 1 }, budgets: [{ amount_usd: '1', period: 'total' }] });
  });

  let shared: JsonValue = null;
  async function existing(): Promise<JsonValue> {
    return (shared ??= await make(collection, { limits: { rpm: 1 }, budgets: [{ amount_usd: 1, period: 'total' }] }));
  }

  it('are shown as null when they cannot be read, and can be put right', async () => {
    const { id } = await make(collection);
    const table = collection === 'keys' ? 'proxy_keys' : collection;
    await plane.dataSource.query(`UPDATE ${table} SET limits = '{"rpm": "many"}', budgets = '[{"period": "quarter"}]' WHERE id = $1`, [id]);
    const send = callAs(collection);
    expect((await send('GET', `/${id}`)).body).toMatchObject({ limits: null, budgets: null });
    expect((await send('GET', '?limit=200')).body.data).toContainEqual(expect.objectContaining({ id, limits: null }));
    const part = await send('PATCH', `/${id}`, { limits: { tpm: 5 } });
    expect([part.status, part.body.error.param]).toEqual([409, 'limits']);
    expect((await send('PATCH', `/${id}`, { limits: null, budgets: [] })).body).toMatchObject({ limits: NOTHING_SAID, budgets: [] });
  });
});

describe('limits and budgets', () => {
  it('reach the snapshot as they are shown', async () => {
    const project = await make('projects', { limits: { concurrency: 2 } });
    const made = await make('keys', { project_id: project.id, limits: { rpm: 7 }, budgets: [{ amount_usd: '0.000000001', period: 'day' }] });
    const snapshot = plane.app.get(AccessSnapshot);
    await snapshot.load();
    expect(snapshot.authenticate(made.key, plane.clock.nowMs())).toMatchObject({
      key: { limits: { requestsPerMinute: 7 }, budgets: [{ amountNanos: 1, period: 'day', model: null, alerts: [80, 100], resetAtMs: null }] },
      project: { id: project.id, limits: { concurrency: 2 }, budgets: [] },
      organization: { id: acme.id },
    });
  });

  it('of an organization are nobody’s to change who is held by them', async () => {
    const budgets = [{ amount_usd: 1, period: 'day' }];
    await plane.owner('PATCH', `/admin/organizations/${umbrella.id}`, { limits: { rpm: 1 }, budgets });
    for (const key of [umbrella.adminKey, umbrella.viewerKey]) {
      for (const [method, path, body] of [
        ['PATCH', '', { budgets: [] }],
        ['PATCH', '', { limits: null }],
        ['POST', '/budgets/reset', { period: 'day' }],
      ] as const) {
        const answer = await plane.call(method, `/admin/organizations/${umbrella.id}${path}`, { key, body });
        expect([answer.status, answer.body.error.code]).toEqual([403, 'permission_denied']);
      }
    }
    expect((await plane.owner('GET', `/admin/organizations/${umbrella.id}`)).body).toMatchObject({ limits: { rpm: 1 }, budgets: [{ reset_at: null }] });
  });

  it('of another organization do not exist, and viewers change none', async () => {
    for (const collection of ['keys', 'projects'] as const) {
      const { id } = await make(collection, { budgets: [{ amount_usd: 1, period: 'day' }] });
      for (const [key, status] of [[umbrella.adminKey, 404], [acme.viewerKey, 403]] as const) {
        expect((await plane.call('POST', `/admin/${collection}/${id}/budgets/reset`, { key, body: { period: 'day' } })).status).toBe(status);
        expect((await plane.call('PATCH', `/admin/${collection}/${id}`, { key, body: { budgets: [] } })).status).toBe(status);
      }
      expect((await plane.owner('GET', `/admin/${collection}/${id}`)).body.budgets).toMatchObject([{ reset_at: null }]);
    }
  });

  it('of a revoked key stay as they were', async () => {
    const { id } = await make('keys', { budgets: [{ amount_usd: 1, period: 'day' }] });
    await callAs('keys')('DELETE', `/${id}`);
    expect((await callAs('keys')('POST', `/${id}/budgets/reset`, { period: 'day' })).status).toBe(409);
    expect((await callAs('keys')('PATCH', `/${id}`, { budgets: [] })).status).toBe(409);
  });

  it('go over to the successor of a key', async () => {
    const { id } = await make('keys', { limits: { tpm: 5 }, budgets: [{ amount_usd: 1, period: 'day' }] });
    expect((await callAs('keys')('POST', `/${id}/rotate`, {})).body).toMatchObject({ limits: { tpm: 5 }, budgets: [{ amount_usd: '1' }] });
  });

  it('may go on naming a model that is gone', async () => {
    const upstream = (await plane.owner('GET', '/admin/upstreams')).body.data[0];
    const model = (await plane.owner('POST', '/admin/models', { name: 'short-lived', operation: 'chat', targets: [{ upstream_id: upstream.id, upstream_model: 'm' }] })).body;
    const { id } = await make('keys', { budgets: [{ amount_usd: 1, period: 'day', model: 'short-lived' }] });
    await plane.owner('DELETE', `/admin/models/${model.id}`);
    const raise = (to: string) => callAs('keys')('PATCH', `/${to}`, { budgets: [{ amount_usd: 2, period: 'day', model: 'short-lived' }] });
    expect((await raise(id)).body.budgets).toMatchObject([{ amount_usd: '2', model: 'short-lived' }]);
    const other = await make('keys');
    expect((await raise(other.id)).body.error.param).toBe('budgets[0].model');
  });

  it('count what was spent before a reset in no later period either: the clock may stand a day further', async () => {
    const { id } = await make('projects', { budgets: [{ amount_usd: 1, period: 'total' }] });
    const first = (await callAs('projects')('POST', `/${id}/budgets/reset`, { period: 'total' })).body.budgets[0].reset_at;
    plane.clock.shiftMs += DAY_MS;
    const second = (await callAs('projects')('POST', `/${id}/budgets/reset`, { period: 'total' })).body.budgets[0].reset_at;
    plane.clock.shiftMs -= DAY_MS;
    expect(Date.parse(second) - Date.parse(first)).toBeGreaterThanOrEqual(DAY_MS);
  });
});

describe('limits of models', () => {
  it('are an owner’s to set, and change as they are named', async () => {
    const upstream = (await plane.owner('GET', '/admin/upstreams')).body.data[0];
    const targets = [{ upstream_id: upstream.id, upstream_model: 'm' }];
    const made = await plane.owner('POST', '/admin/models', { name: 'limited', operation: 'chat', targets, limits: { rpm: 5, tpm: 6, rpd: 7, concurrency: 8 } });
    expect(made.body.limits).toEqual({ rpm: 5, tpm: 6, rpd: 7, concurrency: 8 });
    const patch = (body: object) => plane.owner('PATCH', `/admin/models/${made.body.id}`, body);
    expect((await patch({ limits: { rpm: null, tpm: 1 } })).body.limits).toEqual({ rpm: null, tpm: 1, rpd: 7, concurrency: 8 });
    expect((await patch({ strategy: 'weighted' })).body.limits).toEqual({ rpm: null, tpm: 1, rpd: 7, concurrency: 8 });
    const [record] = (await plane.owner('GET', `/admin/audit?object_id=${made.body.id}`)).body.data;
    expect(record.changes).toEqual({ limits: { old: { rpm: 5, tpm: 6, rpd: 7, concurrency: 8 }, new: { rpm: null, tpm: 1, rpd: 7, concurrency: 8 } } });
    for (const [param, limits] of [['limits.tpm', { tpm: -1 }], ['limits.images', { images: 1 }], ['limits', 'none']] as const) {
      expect((await patch({ limits })).body.error).toMatchObject({ code: 'invalid_request', param });
    }
    expect((await patch({ budgets: [] })).body.error.param).toBe('budgets');
    expect((await plane.call('PATCH', `/admin/models/${made.body.id}`, { key: acme.adminKey, body: { limits: null } })).status).toBe(403);
    await plane.refreshPool();
    expect((await patch({ limits: null })).body.limits).toEqual(NOTHING_SAID);
  });
});
