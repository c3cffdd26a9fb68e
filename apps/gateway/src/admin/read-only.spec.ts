import { ControlPlane, type JsonValue } from '../../../../test/support/control-plane';

type Organization = Awaited<ReturnType<ControlPlane['addOrganization']>>;

let plane: ControlPlane;
let acme: Organization;
let umbrella: Organization;

beforeAll(async () => {
  plane = await ControlPlane.start();
  acme = await plane.addOrganization('acme');
  umbrella = await plane.addOrganization('umbrella');
  const upstream = (await plane.owner('POST', '/admin/upstreams', { name: 'paris', provider: 'openai', base_url: 'https://api.example' })).body;
  for (let index = 0; index < 3; index += 1) await insertRow(acme.id, upstream.id, index, 'succeeded');
  await insertRow(acme.id, upstream.id, 3, 'failed');
  await insertRow(umbrella.id, upstream.id, 0, 'succeeded');
});

afterAll(() => plane.stop());

/** `minutesAgo` orders the rows. */
async function insertRow(organizationId: string, upstreamId: string, minutesAgo: number, status: string): Promise<void> {
  await plane.dataSource.query(
    `INSERT INTO usage_records (request_id, attempt, at, organization_id, key_id, operation, model, upstream_id, upstream_key_id, upstream_model,
       status, http_status, input_tokens, output_tokens, cost_nanos, duration_ms)
     VALUES (gen_random_uuid(), 1, now() - $3 * interval '1 minute', $1, $1, 'chat', 'gpt-x', $2, $2, 'm', $4, 200, 10, 5, 1500000, 12)`,
    [organizationId, upstreamId, minutesAgo, status],
  );
}

describe('requests', () => {
  it('list the ledger newest first, page by page, each organization its own', async () => {
    const first = await plane.call('GET', '/admin/requests?limit=3', { key: acme.viewerKey });
    expect(first.body).toMatchObject({ has_more: true });
    expect(first.body.data[0]).toMatchObject({ object: 'request', model: 'gpt-x', upstream: 'paris', status: 'succeeded', cost_nanos: 1_500_000, cost_usd: '0.0015' });
    const rest = await plane.call('GET', `/admin/requests?limit=3&cursor=${first.body.next_cursor}`, { key: acme.viewerKey });
    expect(rest.body).toMatchObject({ has_more: false, next_cursor: null, data: [{ status: 'failed' }] });
    const ids = [...first.body.data, ...rest.body.data].map(({ request_id }) => request_id);
    expect(new Set(ids).size).toBe(4);
    expect((await plane.owner('GET', '/admin/requests')).body.data).toHaveLength(5);
  });

  it('tell the provider’s key to owners alone', async () => {
    const [row] = (await plane.call('GET', '/admin/requests', { key: acme.adminKey })).body.data;
    expect(row).not.toHaveProperty('upstream_key_id');
    expect(row).not.toHaveProperty('upstream_id');
    expect((await plane.owner('GET', '/admin/requests')).body.data[0]).toHaveProperty('upstream_key_id');
  });

  it.each([
    ['cursor', 'cursor=eyJ4IjoxfQ'],
    ['status', 'status=fine'],
    ['from', 'from=yesterday'],
    ['from', 'from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z'],
    ['model', 'model=%00'],
    ['request_id', 'request_id=1'],
  ])('refuse a wrong %s', async (param, query) => {
    const answer = await plane.owner('GET', `/admin/requests?${query}`);
    expect([answer.status, answer.body.error.param]).toEqual([400, param]);
  });
});

describe('usage', () => {
  it('sums by what is asked for, each organization its own', async () => {
    const own = await plane.call('GET', '/admin/usage', { key: acme.viewerKey });
    expect(own.body.data).toMatchObject([{ object: 'usage', requests: 4, input_tokens: 40, output_tokens: 20, cost_nanos: 6_000_000, cost_usd: '0.006' }]);
    const all = await plane.owner('GET', '/admin/usage?group_by=organization,upstream');
    const byOrganization = new Map(all.body.data.map((row: JsonValue) => [row.organization, row]));
    expect(byOrganization.get(acme.id)).toMatchObject({ requests: 4, upstream: 'paris' });
    expect(byOrganization.get(umbrella.id)).toMatchObject({ requests: 1 });
    const page = await plane.owner('GET', '/admin/usage?group_by=organization&limit=1');
    expect(page.body.has_more).toBe(true);
    const next = await plane.owner('GET', `/admin/usage?group_by=organization&limit=1&cursor=${page.body.next_cursor}`);
    expect(next.body).toMatchObject({ has_more: false });
    const wrong = await plane.owner('GET', '/admin/usage?group_by=colour');
    expect([wrong.status, wrong.body.error.param]).toEqual([400, 'group_by']);
  });
});
