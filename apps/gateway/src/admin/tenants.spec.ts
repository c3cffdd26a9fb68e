import { AccessSnapshot } from '@weir/access';
import { ControlPlane, type JsonValue } from '../../../../test/support/control-plane';

const NOBODY = '018f0000-0000-7000-8000-000000000000';

type Organization = Awaited<ReturnType<ControlPlane['addOrganization']>>;

let plane: ControlPlane;
let acme: Organization;
let umbrella: Organization;

beforeEach(async () => {
  plane = await ControlPlane.start();
  acme = await plane.addOrganization('acme');
  umbrella = await plane.addOrganization('umbrella');
});

afterEach(async () => {
  expect(plane.logLines.join('')).not.toMatch(/sk-weir-[A-Za-z0-9]/);
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

describe('organizations and projects', () => {
  it('have a share of full upstreams that an owner sets, 1 when not set', async () => {
    const made = await plane.owner('POST', '/admin/organizations', { name: 'heavy', queue_weight: 3 });
    expect(made).toMatchObject({ status: 201, body: { queue_weight: 3 } });
    expect((await plane.owner('PATCH', `/admin/organizations/${made.body.id}`, { queue_weight: 100 })).body).toMatchObject({ queue_weight: 100 });
    expect((await plane.owner('POST', '/admin/organizations', { name: 'ordinary' })).body).toMatchObject({ queue_weight: 1 });
    for (const wrong of [0, 101, 1.5, '3', null]) {
      expect(await plane.owner('PATCH', `/admin/organizations/${made.body.id}`, { queue_weight: wrong })).toMatchObject({ status: 400, body: { error: { param: 'queue_weight' } } });
    }
  });

  it('are made, listed page by page without a gap, changed, deleted, and each write is in the audit log', async () => {
    for (let index = 0; index < 5; index += 1) {
      expect((await plane.call('POST', '/admin/projects', { key: acme.adminKey, body: { name: `p${index}` } })).status).toBe(201);
    }
    const first = await plane.call('GET', '/admin/projects?limit=2', { key: acme.adminKey });
    expect(first.body).toMatchObject({ has_more: true, data: [{ object: 'project', name: 'p4' }, { name: 'p3' }] });
    await plane.call('POST', '/admin/projects', { key: acme.adminKey, body: { name: 'meanwhile' } });
    const second = await plane.call('GET', `/admin/projects?limit=2&cursor=${first.body.next_cursor}`, { key: acme.adminKey });
    const third = await plane.call('GET', `/admin/projects?limit=2&cursor=${second.body.next_cursor}`, { key: acme.adminKey });
    expect([...second.body.data, ...third.body.data].map(({ name }) => name)).toEqual(['p2', 'p1', 'p0']);
    expect(third.body).toMatchObject({ has_more: false, next_cursor: null });

    const { id, created_at } = first.body.data[0];
    expect(new Date(created_at).toISOString()).toBe(created_at);
    const changed = await plane.call('PATCH', `/admin/projects/${id}`, { key: acme.adminKey, body: { enabled: false } });
    expect(changed.body).toMatchObject({ id, name: 'p4', enabled: false, organization_id: acme.id });
    expect(await lastAudit()).toMatchObject({
      object: 'audit_record',
      actor: 'acme-admin',
      actor_id: acme.adminId,
      organization_id: acme.id,
      action: 'update',
      collection: 'projects',
      object_id: id,
      changes: { enabled: { old: true, new: false } },
      remote_address: '127.0.0.1',
    });
    expect((await plane.call('DELETE', `/admin/projects/${id}`, { key: acme.adminKey })).body).toEqual({ id, object: 'project', deleted: true });
    expect((await plane.call('GET', `/admin/projects/${id}`, { key: acme.adminKey })).status).toBe(404);
    expect(await lastAudit()).toMatchObject({ action: 'delete', changes: { name: { old: 'p4', new: null } } });
  });

  it('refuse a name that is taken, naming the field, in any case of letters', async () => {
    const answer = await plane.owner('POST', '/admin/organizations', { name: 'ACME' });
    expect(answer.status).toBe(409);
    expect(answer.body.error).toMatchObject({ code: 'conflict', param: 'name' });
    expect(answer.text).not.toMatch(/organizations_name|duplicate key/);
  });

  it('write nothing and audit nothing when a change changes nothing', async () => {
    const { id } = acme;
    await plane.owner('PATCH', `/admin/organizations/${id}`, { name: 'acme' });
    expect((await plane.owner('GET', '/admin/audit')).body.data).toEqual([]);
  });

  it('go with all they hold when an organization is deleted; the audit log stays', async () => {
    await plane.call('POST', '/admin/keys', { key: acme.adminKey, body: { name: 'k' } });
    expect((await plane.owner('DELETE', `/admin/organizations/${acme.id}`)).status).toBe(200);
    expect((await plane.owner('GET', `/admin/keys?organization_id=${acme.id}`)).body.data).toEqual([]);
    expect((await plane.owner('GET', `/admin/audit?organization_id=${acme.id}`)).body.data.length).toBe(2);
  });
});

describe('another organization', () => {
  it('does not exist for an admin: not its objects, not its keys, not as a place for new ones', async () => {
    const as = (method: string, path: string, body?: unknown) => plane.call(method, path, { key: acme.adminKey, body });
    const project = (await plane.call('POST', '/admin/projects', { key: umbrella.adminKey, body: { name: 'theirs' } })).body;
    const key = (await plane.call('POST', '/admin/keys', { key: umbrella.adminKey, body: { name: 'theirs' } })).body;
    for (const [method, path, body] of [
      ['GET', `/admin/organizations/${umbrella.id}`],
      ['GET', `/admin/projects/${project.id}`],
      ['PATCH', `/admin/projects/${project.id}`, { name: 'x' }],
      ['DELETE', `/admin/projects/${project.id}`],
      ['GET', `/admin/keys/${key.id}`],
      ['PATCH', `/admin/keys/${key.id}`, { name: 'x' }],
      ['DELETE', `/admin/keys/${key.id}`],
      ['POST', `/admin/keys/${key.id}/rotate`, {}],
      ['GET', `/admin/users/${umbrella.adminId}`],
      ['PATCH', `/admin/users/${umbrella.adminId}`, { enabled: false }],
      ['DELETE', `/admin/users/${umbrella.adminId}`],
      ['POST', `/admin/users/${umbrella.adminId}/keys`, {}],
      ['GET', `/admin/users/${umbrella.adminId}/keys`],
    ] as const) {
      const answer = await as(method, path, body);
      expect([path, answer.status, answer.body.error.code]).toEqual([path, 404, 'not_found']);
    }
    for (const path of ['projects', 'keys', 'users']) {
      const body = { organization_id: umbrella.id, name: 'x', ...(path === 'users' ? { name: undefined, username: 'x', role: 'viewer' } : {}) };
      const answer = await as('POST', `/admin/${path}`, body);
      expect([path, answer.status, answer.body.error.param]).toEqual([path, 404, 'organization_id']);
    }
    expect((await as('POST', '/admin/keys', { name: 'x', project_id: project.id })).body.error).toMatchObject({ code: 'not_found', param: 'project_id' });
    for (const path of ['organizations', 'projects', 'keys', 'users', 'limits', 'usage', 'requests', 'audit']) {
      const query = path === 'organizations' ? '' : `?organization_id=${umbrella.id}`;
      const answer = await as('GET', `/admin/${path}${query}`);
      expect(answer.status).toBe(200);
      expect(answer.text).not.toContain(umbrella.id);
    }
  });
});

describe('users', () => {
  it('get no more than who makes them has', async () => {
    const asAdmin = (body: object) => plane.call('POST', '/admin/users', { key: acme.adminKey, body });
    const owner = await asAdmin({ username: 'boss', role: 'owner' });
    expect([owner.status, owner.body.error.param]).toEqual([403, 'role']);
    expect((await asAdmin({ username: 'peer', role: 'admin' })).body).toMatchObject({ role: 'admin', organization_id: acme.id });
    const raised = await plane.call('PATCH', `/admin/users/${acme.adminId}`, { key: acme.adminKey, body: { role: 'owner', organization_id: null } });
    expect(raised.status).toBe(403);
    expect((await plane.owner('GET', `/admin/users/${acme.adminId}`)).body.role).toBe('admin');
  });

  it('belong to an organization unless they are owners', async () => {
    const stray = await plane.owner('POST', '/admin/users', { username: 'stray', role: 'viewer' });
    expect([stray.status, stray.body.error.param]).toEqual([400, 'organization_id']);
    const held = await plane.owner('POST', '/admin/users', { username: 'held', role: 'owner', organization_id: acme.id });
    expect([held.status, held.body.error.param]).toEqual([400, 'organization_id']);
    const made = await plane.owner('POST', '/admin/users', { username: 'second', role: 'owner', email: 'second@example.com' });
    expect(made.body).toMatchObject({ role: 'owner', organization_id: null, email: 'second@example.com' });
    const demoted = await plane.owner('PATCH', `/admin/users/${made.body.id}`, { role: 'viewer', organization_id: acme.id });
    expect(demoted.body).toMatchObject({ role: 'viewer', organization_id: acme.id });
  });

  it('get keys that are shown once, work at once, and end when revoked', async () => {
    const made = await plane.call('POST', `/admin/users/${acme.adminId}/keys`, { key: acme.adminKey, body: {} });
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({ object: 'admin_key', user_id: acme.adminId, revoked_at: null });
    const { key, id } = made.body;
    expect((await plane.call('GET', '/admin/projects', { key })).status).toBe(200);
    const listed = await plane.call('GET', `/admin/users/${acme.adminId}/keys`, { key: acme.adminKey });
    expect(listed.body.data.map((row: { id: string }) => row.id)).toContain(id);
    expect(listed.text).not.toContain(key);
    expect((await lastAudit()).changes.key).toEqual({ old: null, new: '[secret]' });
    expect((await plane.call('DELETE', `/admin/users/${acme.adminId}/keys/${id}`, { key: acme.adminKey })).status).toBe(200);
    plane.passSecond();
    expect((await plane.call('GET', '/admin/projects', { key })).status).toBe(401);
    expect((await plane.call('DELETE', `/admin/users/${acme.adminId}/keys/${NOBODY}`, { key: acme.adminKey })).status).toBe(404);
  });

  it('never leave the installation without an enabled owner', async () => {
    const { body } = await plane.owner('GET', '/admin/users?search=root');
    const [{ id }] = body.data;
    for (const [method, change] of [
      ['PATCH', { enabled: false }],
      ['PATCH', { role: 'admin', organization_id: acme.id }],
      ['DELETE', undefined],
    ] as const) {
      const answer = await plane.owner(method, `/admin/users/${id}`, change);
      expect([answer.status, answer.body.error.code]).toEqual([409, 'conflict']);
    }
    const other = await plane.addUser('other', 'owner', null);
    // Known for a second, so that both get past the door whoever comes first.
    await plane.call('GET', '/admin/session', { key: other.key });
    const answers = await Promise.all([
      plane.owner('PATCH', `/admin/users/${other.id}`, { enabled: false }),
      plane.call('PATCH', `/admin/users/${id}`, { key: other.key, body: { enabled: false } }),
    ]);
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409]);
    const left = await plane.dataSource.query<{ count: string }[]>("SELECT count(*) FROM users WHERE role = 'owner' AND enabled");
    expect(left[0].count).toBe('1');
  });
});

describe('keys', () => {
  it('are shown once, work at once, and are told in the audit log without themselves', async () => {
    const upstream = await addUpstream();
    await addModel(upstream.id);
    const made = await plane.call('POST', '/admin/keys', {
      key: acme.adminKey,
      body: { name: 'app', models: ['gpt-x'], limits: { rpm: 5, rpd: 0 }, expires_at: '2099-01-01T00:00:00Z' },
    });
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({
      object: 'key',
      organization_id: acme.id,
      project_id: null,
      models: ['gpt-x'],
      limits: { rpm: 5, tpm: null, rpd: 0, concurrency: null },
      budgets: [],
      expires_at: '2099-01-01T00:00:00.000Z',
      revoked_at: null,
      created_by: acme.adminId,
    });
    const { key, id, public_id } = made.body;
    expect(key).toContain(`sk-weir-${public_id}_`);
    const snapshot = plane.app.get(AccessSnapshot);
    await snapshot.load();
    expect(snapshot.authenticate(key, plane.clock.nowMs()).keyId).toBe(id);
    const shown = await plane.owner('GET', `/admin/keys/${id}`);
    expect(shown.body.key).toBeUndefined();
    const audit = await plane.owner('GET', '/admin/audit');
    expect(audit.body.data[0].changes).toMatchObject({ key: { old: null, new: '[secret]' }, models: { old: null, new: ['gpt-x'] } });
    expect(audit.text + shown.text).not.toContain(key.slice(-40));
  });

  it('refuse a model that there is none of, and take one that a wildcard covers', async () => {
    const upstream = await addUpstream();
    await addModel(upstream.id, 'vendor/*');
    await addModel(upstream.id, 'gpt-x');
    const create = (models: string[]) => plane.call('POST', '/admin/keys', { key: acme.adminKey, body: { name: 'k', models } });
    for (const models of [['gpt-x', 'gtp-x'], ['other/*']]) {
      const answer = await create(models);
      expect([answer.status, answer.body.error.param]).toEqual([400, `models[${models.length - 1}]`]);
    }
    for (const models of [['vendor/a'], ['vendor/*'], ['gpt-*'], ['*'], []]) expect((await create(models)).status).toBe(201);
  });

  it('change what is named and keep the rest', async () => {
    const { id } = (await plane.call('POST', '/admin/keys', { key: acme.adminKey, body: { name: 'k', limits: { rpm: 5, rpd: 9 } } })).body;
    const patch = (body: object) => plane.call('PATCH', `/admin/keys/${id}`, { key: acme.adminKey, body });
    expect((await patch({ limits: { rpm: 7 } })).body.limits).toEqual({ rpm: 7, tpm: null, rpd: 9, concurrency: null });
    expect((await patch({ limits: { rpd: null } })).body.limits).toEqual({ rpm: 7, tpm: null, rpd: null, concurrency: null });
    expect((await patch({ expires_at: '2099-01-01T00:00:00+02:00' })).body.expires_at).toBe('2098-12-31T22:00:00.000Z');
    expect((await patch({ expires_at: null, name: 'renamed' })).body).toMatchObject({ expires_at: null, name: 'renamed', limits: { rpm: 7, rpd: null } });
    expect((await patch({ organization_id: umbrella.id })).body.error.param).toBe('organization_id');
  });

  it('are revoked for good', async () => {
    const { id } = (await plane.call('POST', '/admin/keys', { key: acme.adminKey, body: { name: 'k' } })).body;
    const revoke = () => plane.call('DELETE', `/admin/keys/${id}`, { key: acme.adminKey });
    expect((await revoke()).body).toEqual({ id, object: 'key', deleted: true });
    expect((await revoke()).status).toBe(200);
    expect((await plane.owner('GET', `/admin/keys/${id}`)).body.revoked_at).not.toBeNull();
    const audit = (await plane.owner('GET', `/admin/audit?object_id=${id}`)).body.data;
    expect(audit.map(({ action }: { action: string }) => action)).toEqual(['revoke', 'create']);
    expect((await plane.owner('PATCH', `/admin/keys/${id}`, { name: 'x' })).status).toBe(409);
    expect((await plane.owner('POST', `/admin/keys/${id}/rotate`, {})).status).toBe(409);
  });

  it('are rotated: the new one has the old one’s settings, the old one ends after the overlap', async () => {
    const old = (await plane.call('POST', '/admin/keys', { key: acme.adminKey, body: { name: 'k', limits: { rpm: 3 } } })).body;
    const rotated = await plane.call('POST', `/admin/keys/${old.id}/rotate`, { key: acme.adminKey, body: { overlap_seconds: 60 } });
    expect(rotated.status).toBe(201);
    expect(rotated.body).toMatchObject({ name: 'k', limits: { rpm: 3 }, rotated_from: old.id });
    expect(rotated.body.key).not.toBe(old.key);
    const endsAt = Date.parse((await plane.owner('GET', `/admin/keys/${old.id}`)).body.expires_at);
    expect(Math.abs(endsAt - plane.clock.nowMs() - 60_000)).toBeLessThan(20_000);
    expect((await plane.call('POST', `/admin/keys/${old.id}/rotate`, { key: acme.adminKey, body: { overlap_seconds: -1 } })).body.error.param).toBe('overlap_seconds');
  });
});
