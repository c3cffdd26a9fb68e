import { UpstreamKeyVault } from '@weir/vault';
import { ControlPlane, type JsonValue } from '../../../../test/support/control-plane';

const SECRET = 'sk-provider-canary-0123456789';
const OTHER_SECRET = 'sk-provider-canary-9876543210';
const NOBODY = '018f0000-0000-7000-8000-000000000000';

type Organization = Awaited<ReturnType<ControlPlane['addOrganization']>>;

let plane: ControlPlane;
let acme: Organization;

beforeEach(async () => {
  plane = await ControlPlane.start();
  acme = await plane.addOrganization('acme');
});

afterEach(async () => {
  expect(plane.logLines.join('')).not.toMatch(/canary|sk-weir-[A-Za-z0-9]/);
  await plane.stop();
});

async function lastAudit(): Promise<JsonValue> {
  return (await plane.owner('GET', '/admin/audit?limit=1')).body.data[0];
}

async function addUpstream(fields: object = {}): Promise<JsonValue> {
  const answer = await plane.owner('POST', '/admin/upstreams', { name: 'one', provider: 'openai', base_url: 'https://api.openai.com/v1', ...fields });
  expect(answer.status).toBe(201);
  return answer.body;
}

async function addModel(upstreamId: string, name = 'gpt-x'): Promise<JsonValue> {
  const answer = await plane.owner('POST', '/admin/models', {
    name,
    operation: 'chat',
    targets: [{ upstream_id: upstreamId, upstream_model: 'gpt-x-2026' }],
  });
  expect(answer.status).toBe(201);
  return answer.body;
}

describe('upstreams', () => {
  it.each([
    ['base_url', { base_url: 'not a url' }],
    ['base_url', { base_url: 'ftp://files.example' }],
    ['base_url', { base_url: 'https://user:canary@api.example' }],
    ['base_url', { base_url: 'http://169.254.169.254/latest' }],
    ['base_url', { base_url: 'https://api.example/?key=canary' }],
    ['provider', { provider: 'acme' }],
    ['timeout_ms', { timeout_ms: 0 }],
    ['timeout_ms', { timeout_ms: 3_600_001 }],
    ['weight', { weight: -1 }],
    ['weight', { weight: 1_000_001 }],
    ['concurrency', { concurrency: 0 }],
    ['options', { options: ['api_version'] }],
    ['options.api_version', { options: { api_version: 'v1' } }],
    ['options.no_key', { provider: 'openai-compatible', options: { no_key: 'yes' } }],
    ['options.api_version', { provider: 'azure', options: { api_version: '2024&x=y' } }],
    ['options.anything', { options: { anything: 1 } }],
  ])('refuse a wrong %s: %j', async (param, fields) => {
    const answer = await plane.owner('POST', '/admin/upstreams', { name: 'n', provider: 'openai', base_url: 'https://api.example', ...fields });
    expect([answer.status, answer.body.error.param]).toEqual([400, param]);
    expect(answer.text).not.toContain('canary');
  });

  it('show what the pool knows of them', async () => {
    const made = await addUpstream();
    expect(made.state).toBeNull();
    await plane.owner('POST', `/admin/upstreams/${made.id}/keys`, { secret: SECRET });
    await plane.refreshPool();
    expect((await plane.owner('GET', `/admin/upstreams/${made.id}`)).body).toMatchObject({
      object: 'upstream',
      weight: 100,
      enabled: true,
      state: { breaker: 'closed', open_calls: 0, keys: { active: 1 } },
    });
  });

  it('hold keys whose secret is never shown, and tell their status', async () => {
    const { id } = await addUpstream();
    const path = `/admin/upstreams/${id}/keys`;
    const made = await plane.owner('POST', path, { secret: SECRET, label: 'main' });
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({ object: 'upstream_key', upstream_id: id, label: 'main', status: 'active', failure_count: 0, status_until: null, last_failure_at: null });
    const again = await plane.owner('POST', path, { secret: SECRET });
    expect([again.status, again.body.error.param]).toEqual([409, 'secret']);
    const keyPath = `${path}/${made.body.id}`;
    await plane.app.get(UpstreamKeyVault).recordStatus(made.body.id, { status: 'disabled', reason: 'bad_key', untilMs: null, newFailures: 3, lastFailureAtMs: Date.now() });
    expect((await plane.owner('GET', keyPath)).body).toMatchObject({ status: 'disabled', status_reason: 'bad_key', failure_count: 3 });
    expect((await plane.owner('PATCH', keyPath, { enabled: true, label: 'revived' })).body).toMatchObject({ status: 'active', status_reason: null, label: 'revived' });
    expect((await plane.owner('PATCH', keyPath, { secret: OTHER_SECRET })).status).toBe(200);
    expect(await lastAudit()).toMatchObject({ collection: 'upstream_keys', changes: { secret: { old: '[secret]', new: '[secret]' } } });
    const everything = await Promise.all(['', `/${id}`, `/${id}/keys`, `/${id}/keys/${made.body.id}`].map((end) => plane.owner('GET', `/admin/upstreams${end}`)));
    const audit = await plane.owner('GET', '/admin/audit');
    for (const answer of [made, again, audit, ...everything]) expect(answer.text).not.toContain('canary');
    expect((await plane.owner('DELETE', keyPath)).status).toBe(200);
    expect((await plane.owner('GET', keyPath)).status).toBe(404);
    const bad = await plane.owner('POST', path, { secret: 'line\nbreak' });
    expect([bad.status, bad.body.error.param]).toEqual([400, 'secret']);
  });

  it('demand every secret again when they move to another host', async () => {
    const { id } = await addUpstream();
    const other = await addUpstream({ name: 'two' });
    const keys: string[] = [];
    for (const secret of [SECRET, OTHER_SECRET]) keys.push((await plane.owner('POST', `/admin/upstreams/${id}/keys`, { secret })).body.id);
    const foreign = (await plane.owner('POST', `/admin/upstreams/${other.id}/keys`, { secret: SECRET })).body.id as string;
    const move = (secrets?: object) => plane.owner('PATCH', `/admin/upstreams/${id}`, { base_url: 'https://evil.example/v1', secrets });
    const open = () => plane.app.get(UpstreamKeyVault).openAll(new Map([[id, 'https://evil.example']]), () => undefined);
    for (const [secrets, param] of [
      [undefined, 'secrets'],
      [{}, 'secrets'],
      [{ [keys[0]]: SECRET }, 'secrets'],
      [{ [keys[0]]: SECRET, [keys[1]]: 5 }, `secrets.${keys[1]}`],
      [{ [keys[0]]: SECRET, [keys[1]]: OTHER_SECRET, [foreign]: SECRET }, `secrets.${foreign}`],
      [{ nobody: SECRET }, 'secrets.nobody'],
      [[SECRET], 'secrets'],
    ] as const) {
      const answer = await move(secrets);
      expect([answer.status, answer.body.error.param]).toEqual([400, param]);
      expect(answer.text).not.toContain('canary');
    }
    expect((await plane.owner('GET', `/admin/upstreams/${id}`)).body.base_url).toBe('https://api.openai.com/v1');
    const moved = await move({ [keys[0]]: SECRET, [keys[1]]: OTHER_SECRET });
    expect([moved.status, moved.body.base_url]).toEqual([200, 'https://evil.example/v1']);
    expect((await open()).map(({ secret }) => secret.expose()).toSorted()).toEqual([SECRET, OTHER_SECRET].toSorted());
    expect(await lastAudit()).toMatchObject({ changes: { base_url: { old: 'https://api.openai.com/v1', new: 'https://evil.example/v1' }, secrets: { new: '[secret]' } } });
    expect((await plane.owner('PATCH', `/admin/upstreams/${id}`, { base_url: 'https://evil.example/v2' })).status).toBe(200);
    const needless = await plane.owner('PATCH', `/admin/upstreams/${id}`, { secrets: { [keys[0]]: SECRET } });
    expect([needless.status, needless.body.error.param]).toEqual([400, 'secrets']);
  });

  it('stay while a model uses them, and say which', async () => {
    const { id } = await addUpstream();
    const model = await addModel(id);
    const refused = await plane.owner('DELETE', `/admin/upstreams/${id}`);
    expect(refused.status).toBe(409);
    expect(refused.body.error.message).toContain('gpt-x');
    await plane.owner('DELETE', `/admin/models/${model.id}`);
    expect((await plane.owner('DELETE', `/admin/upstreams/${id}`)).status).toBe(200);
  });
});

describe('models', () => {
  it('are made with targets and a price, changed and deleted', async () => {
    const { id: upstreamId } = await addUpstream();
    const target = { upstream_id: upstreamId, upstream_model: 'm', weight: 3, priority: 1 };
    const made = await plane.owner('POST', '/admin/models', { name: 'm', operation: 'chat', targets: [target], price: { input_per_million_usd: 2.5 } });
    expect(made.body).toMatchObject({ object: 'model', strategy: 'weighted', targets: [target], price: { input_per_million_usd: 2.5 } });
    const path = `/admin/models/${made.body.id}`;
    const second = { upstream_id: upstreamId, upstream_model: 'n', weight: 100, priority: 0 };
    const changed = await plane.owner('PATCH', path, { targets: [second, target], price: null });
    expect(changed.body).toMatchObject({ name: 'm', targets: [second, target], price: null });
    expect((await lastAudit()).changes).toEqual({
      targets: { old: [target], new: [second, target] },
      price: { old: { input_per_million_usd: 2.5 }, new: null },
    });
    await plane.refreshPool();
    expect((await plane.call('GET', '/admin/models', { key: acme.viewerKey })).body.data).toHaveLength(1);
    expect((await plane.owner('DELETE', path)).status).toBe(200);
    expect((await plane.owner('GET', path)).status).toBe(404);
  });

  it.each([
    [400, 'operation', { operation: 'painting' }],
    [400, 'strategy', { strategy: 'cheapest' }],
    [400, 'name', { name: 'two words' }],
    [400, 'name', { name: 'a*b' }],
    [400, 'targets', { targets: [] }],
    [400, 'targets', { targets: {} }],
    [400, 'targets', { targets: ['x'] }],
    [400, 'targets[0].weight', { targets: [{ upstream_id: NOBODY, upstream_model: 'm', weight: 1e9 }] }],
    [400, 'targets[0].colour', { targets: [{ upstream_id: NOBODY, upstream_model: 'm', colour: 1 }] }],
    [404, 'targets[0].upstream_id', { targets: [{ upstream_id: NOBODY, upstream_model: 'm' }] }],
    [400, 'price', { price: 5 }],
    [400, 'price.input_per_million_usd', { price: { input_per_million_usd: -1 } }],
    [400, 'price.per_smile', { price: { per_smile: 1 } }],
  ])('answer %i to a wrong %s: %j', async (status, param, fields) => {
    const { id } = await addUpstream();
    const answer = await plane.owner('POST', '/admin/models', { name: 'm', operation: 'chat', targets: [{ upstream_id: id, upstream_model: 'm' }], ...fields });
    expect([answer.status, answer.body.error.param]).toEqual([status, param]);
  });

  it('refuse the same target twice, and a name that is taken', async () => {
    const { id } = await addUpstream();
    const target = { upstream_id: id, upstream_model: 'm' };
    const twice = await plane.owner('POST', '/admin/models', { name: 'm', operation: 'chat', targets: [target, target] });
    expect([twice.status, twice.body.error.param]).toEqual([400, 'targets[1]']);
    await addModel(id, 'taken');
    const taken = await plane.owner('POST', '/admin/models', { name: 'taken', operation: 'chat', targets: [target] });
    expect([taken.status, taken.body.error.param]).toEqual([409, 'name']);
  });
});
