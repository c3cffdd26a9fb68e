import { newId, NO_LIMITS, type ScopeLimits } from '@weir/kernel';
import { Meter, toLimitPlan } from '@weir/limits';
import { ControlPlane, type JsonValue } from '../../../../../test/support/control-plane';
import { readStoredBudgets } from '@weir/access';

type Organization = Awaited<ReturnType<ControlPlane['addOrganization']>>;

let plane: ControlPlane;
let acme: Organization;
let umbrella: Organization;
let upstreamId: string;

beforeEach(async () => {
  plane = await ControlPlane.start({ environment: { DEFAULT_RPM: '9', DEFAULT_RPD: '0' } });
  acme = await plane.addOrganization('acme');
  umbrella = await plane.addOrganization('umbrella');
  upstreamId = (await plane.owner('POST', '/admin/upstreams', { name: 'one', provider: 'openai', base_url: 'https://api.example' })).body.id;
});

afterEach(() => plane.stop());

async function make(collection: string, fields: object): Promise<JsonValue> {
  const answer = await plane.call('POST', `/admin/${collection}`, { key: acme.adminKey, body: { name: `${collection} ${newId()}`, ...fields } });
  expect(answer.status).toBe(201);
  return answer.body;
}

/** One open call of a key: as the data plane would admit it, at every level. */
async function openCall(ids: { keyId: string; projectId: string; modelId: string }, limits: Record<'key' | 'project' | 'organization' | 'model', Partial<ScopeLimits>>, budgets: unknown) {
  const meter = plane.app.get(Meter);
  const list = readStoredBudgets(budgets);
  const plan = toLimitPlan({
    ...ids,
    organizationId: acme.id,
    model: 'gpt-x',
    key: { ...NO_LIMITS, ...limits.key },
    project: { ...NO_LIMITS, ...limits.project },
    organization: { ...NO_LIMITS, ...limits.organization },
    modelLimits: { ...NO_LIMITS, ...limits.model },
    budgets: { key: list, project: list, organization: list },
    defaultRpm: 9,
    defaultRpd: 0,
    nowMs: plane.clock.nowMs(),
  });
  const admit = async (nanos: number) => {
    const admission = await meter.admit(plan, { requestId: newId(), requests: 1, tokens: 100, leastNanos: nanos, mostNanos: nanos });
    if (!admission.admitted || admission.grant === null) throw new Error('not admitted');
    return admission.grant;
  };
  return { meter, admit };
}

const look = async (query: string, key = acme.viewerKey) => (await plane.call('GET', `/admin/limits${query}`, { key })).body;

describe('live use', () => {
  it('shows what is used, spent and held of each level, with the installation’s defaults for keys alone, and takes nothing', async () => {
    const stored = [{ amount_nanos: 5_000_000_000, period: 'day', alerts: [] }, { amount_nanos: 2_000_000_000, period: 'total', model: 'gpt-x', alerts: [] }];
    const budgets = [{ amount_usd: 5, period: 'day', alerts: [] }, { amount_usd: 2, period: 'total', model: 'gpt-x', alerts: [] }];
    const model = (
      await plane.owner('POST', '/admin/models', { name: 'gpt-x', operation: 'chat', targets: [{ upstream_id: upstreamId, upstream_model: 'm' }], limits: { concurrency: 3 } })
    ).body;
    const project = await make('projects', { limits: { tpm: 1000 }, budgets });
    const key = await make('keys', { project_id: project.id, limits: { rpd: 100, concurrency: 4 }, budgets });
    await plane.owner('PATCH', `/admin/organizations/${acme.id}`, { limits: { rpm: 50 }, budgets });
    const { meter, admit } = await openCall(
      { keyId: key.id, projectId: project.id, modelId: model.id },
      { key: { requestsPerDay: 100, concurrency: 4 }, project: { tokensPerMinute: 1000 }, organization: { requestsPerMinute: 50 }, model: { concurrency: 3 } },
      stored,
    );
    meter.settle(await admit(1_000_000_000), { tokens: 40, nanos: 300_000_001 });
    await admit(1_500_000_000);

    const reset_ms = expect.any(Number);
    const resets_at = new Date(Math.floor(plane.clock.nowMs() / 86_400_000) * 86_400_000 + 86_400_000).toISOString();
    const spent = [
      { amount_usd: '5', spent_usd: '0.300000001', held_usd: '1.5', remaining_usd: '3.199999999', period: 'day', resets_at, model: null },
      { amount_usd: '2', spent_usd: '0.300000001', held_usd: '1.5', remaining_usd: '0.199999999', period: 'total', resets_at: null, model: 'gpt-x' },
    ];
    const common = { object: 'limit_use', organization_id: acme.id };
    for (let round = 0; round < 2; round += 1) {
      expect((await look(`?key_id=${key.id}`)).data).toEqual([
        {
          ...common,
          scope: 'key',
          id: key.id,
          name: key.name,
          project_id: project.id,
          limits: [
            { name: 'requests_per_minute', scope: 'key', unit: 'requests', limit: 9, used: 2, remaining: 7, reset_ms },
            { name: 'requests_per_day', scope: 'key', unit: 'requests', limit: 100, used: 2, remaining: 98, reset_ms },
            { name: 'concurrency', scope: 'key', unit: 'open_requests', limit: 4, used: 1, remaining: 3, reset_ms },
          ],
          budgets: spent,
        },
      ]);
      expect((await look('?scope=project')).data).toEqual([
        {
          ...common,
          scope: 'project',
          id: project.id,
          name: project.name,
          project_id: project.id,
          limits: [{ name: 'tokens_per_minute', scope: 'project', unit: 'tokens', limit: 1000, used: 140, remaining: 860, reset_ms }],
          budgets: spent,
        },
      ]);
      expect((await look('?scope=organization')).data).toEqual([
        {
          ...common,
          scope: 'organization',
          id: acme.id,
          name: 'acme',
          project_id: null,
          limits: [{ name: 'requests_per_minute', scope: 'organization', unit: 'requests', limit: 50, used: 2, remaining: 48, reset_ms }],
          budgets: spent,
        },
      ]);
      expect((await look('?scope=model')).data).toEqual([
        {
          ...common,
          scope: 'model',
          id: model.id,
          name: 'gpt-x',
          project_id: null,
          limits: [{ name: 'concurrency', scope: 'model', unit: 'open_requests', limit: 3, used: 1, remaining: 2, reset_ms }],
          budgets: [],
        },
      ]);
    }
    // Each organization has its own use of a model.
    expect((await look('?scope=model', umbrella.viewerKey)).data[0]).toMatchObject({ organization_id: umbrella.id, limits: [{ used: 0, remaining: 3 }] });
  });

  it('says that nothing is left of a budget that was lowered below what is spent', async () => {
    const key = await make('keys', { budgets: [{ amount_usd: 5, period: 'total' }] });
    const project = await make('projects', {});
    const { meter, admit } = await openCall({ keyId: key.id, projectId: project.id, modelId: newId() }, { key: {}, project: {}, organization: {}, model: {} }, [
      { amount_nanos: 5_000_000_000, period: 'total', alerts: [] },
    ]);
    meter.settle(await admit(4_000_000_000), { tokens: 0, nanos: 4_000_000_000 });
    await plane.call('PATCH', `/admin/keys/${key.id}`, { key: acme.adminKey, body: { budgets: [{ amount_usd: 1, period: 'total' }] } });
    expect((await look(`?key_id=${key.id}`)).data[0].budgets).toMatchObject([{ amount_usd: '1', spent_usd: '4', held_usd: '0', remaining_usd: '0' }]);
    await plane.call('POST', `/admin/keys/${key.id}/budgets/reset`, { key: acme.adminKey, body: { period: 'total' } });
    expect((await look(`?key_id=${key.id}`)).data[0].budgets).toMatchObject([{ spent_usd: '0', remaining_usd: '1' }]);
  });

  it('goes page by page, keeps to the organization, and leaves revoked keys out', async () => {
    const kept: string[] = [];
    for (let index = 0; index < 12; index += 1) kept.push((await make('keys', {})).id);
    const gone = await make('keys', {});
    await plane.call('DELETE', `/admin/keys/${gone.id}`, { key: acme.adminKey });
    const first = await look('?limit=11');
    const rest = await look(`?limit=11&cursor=${first.next_cursor}`);
    expect([...first.data, ...rest.data].map(({ id }: JsonValue) => id)).toEqual(kept.toReversed());
    for (const scope of ['key', 'project', 'organization', 'model']) {
      expect((await look(`?scope=${scope}&organization_id=${acme.id}`, umbrella.viewerKey)).data).toEqual([]);
    }
    expect((await look('?scope=organization', plane.ownerKey)).data.map(({ name }: JsonValue) => name)).toEqual(['umbrella', 'acme']);
  });

  it('shows null for what cannot be read, and the others all the same', async () => {
    const [broken, good] = [await make('keys', {}), await make('keys', {})];
    await plane.dataSource.query(`UPDATE proxy_keys SET budgets = '[{"period": "quarter"}]' WHERE id = $1`, [broken.id]);
    expect((await look('')).data).toMatchObject([{ id: good.id, limits: [{ limit: 9 }], budgets: [] }, { id: broken.id, limits: null, budgets: null }]);
  });

  it.each([
    ['scope', '?scope=user'],
    ['scope', '?scope=control_plane'],
    ['key_id', `?key_id=x`],
    ['key_id', `?scope=project&key_id=${newId()}`],
    ['key_id', `?scope=model&key_id=${newId()}`],
    ['project_id', `?scope=organization&project_id=${newId()}`],
    ['model_id', `?scope=key&model_id=${newId()}`],
    ['organization_id', '?scope=model'],
    ['limit', '?limit=201'],
    ['model', '?model=gpt-x'],
  ])('refuses a wrong %s: %s', async (param, query) => {
    const answer = await plane.owner('GET', `/admin/limits${query}`);
    expect([answer.status, answer.body.error.param]).toEqual([400, param]);
  });
});
