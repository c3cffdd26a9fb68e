import { RawClient } from '@weir/testing';
import { expectErrorBody } from './support/good-calls';
import { TestGateway } from './support/test-gateway';

const REQUEST_ID = /^[0-9a-f-]{36}$/;

interface Organization {
  readonly id: string;
  readonly adminKey: string;
  readonly userId: string;
  readonly keyId: string;
  readonly projectId: string;
}

let gateway: TestGateway;
let ours: Organization;
let theirs: Organization;

beforeAll(async () => {
  gateway = await TestGateway.start();
  ours = await addOrganization('ours 100% of_it');
  theirs = await addOrganization('theirs');
});
afterAll(() => gateway.stop());
// Whatever went before, the server is there and the next request is fine.
afterEach(async () => {
  expect(gateway.weir.exitCode).toBeNull();
  expect((await send('GET', '/organizations')).status).toBe(200);
});

async function addOrganization(name: string): Promise<Organization> {
  const { weir } = gateway;
  const { id } = await weir.admin<{ id: string }>('POST', '/organizations', { name });
  const user = await weir.admin<{ id: string }>('POST', '/users', { organization_id: id, username: `admin of ${name}`, role: 'admin' });
  const adminKey = await weir.admin<{ key: string }>('POST', `/users/${user.id}/keys`, {});
  const key = await weir.admin<{ id: string }>('POST', '/keys', { organization_id: id, name: 'a key' });
  const project = await weir.admin<{ id: string }>('POST', '/projects', { organization_id: id, name: 'a project' });
  return { id, adminKey: adminKey.key, userId: user.id, keyId: key.id, projectId: project.id };
}

async function send(method: string, path: string, body?: unknown, key = gateway.weir.adminKey) {
  const payload = body === undefined || typeof body === 'string' ? body : body instanceof Uint8Array ? Buffer.from(body) : JSON.stringify(body);
  const headers = { authorization: `Bearer ${key}`, ...(payload === undefined ? {} : { 'content-type': 'application/json' }) };
  const response = await fetch(`${gateway.weir.adminUrl}/admin${path}`, { method, headers, body: payload });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, data: response.ok ? (JSON.parse(text).data ?? null) : null };
}

async function refusal(method: string, path: string, body?: unknown, key?: string) {
  const answer = await send(method, path, body, key);
  expect(answer.headers.get('x-request-id')).toMatch(REQUEST_ID);
  return { status: answer.status, ...expectErrorBody(answer.text) };
}

describe('a body for the admin API', () => {
  it.each<[what: string, body: string | Uint8Array, param: string | null]>([
    ['breaks off', '{"name":', 'name'],
    ['is an array', '[]', null],
    ['is not UTF-8', Buffer.from('{"name":"\xff"}', 'latin1'), null],
    ['holds NUL', '{"name":"a\u0000b"}', 'name'],
    ['holds an escaped NUL', '{"name":"a\\u0000b"}', 'name'],
    ['holds CR and LF in a name', '{"name":"a\\r\\nx-evil: 1"}', 'name'],
    ['is nested 10,000 deep', `{"name":${'['.repeat(10_000)}${']'.repeat(10_000)}}`, null],
    ['says a key twice', '{"name":"a","name":"b"}', 'name'],
    ['says __proto__', '{"name":"a","__proto__":{"role":"owner"}}', '__proto__'],
    ['says constructor', '{"name":"a","constructor":{"prototype":{}}}', 'constructor'],
    ['has an unknown field', '{"name":"a","owner":true}', 'owner'],
    ['has an array for a name', '{"name":["a"]}', 'name'],
    ['has a name of 10,000 characters', `{"name":"${'n'.repeat(10_000)}"}`, 'name'],
  ])('gets 400 when it %s', async (_what, body, param) => {
    const answer = await refusal('POST', '/organizations', body);
    expect([answer.status, answer.type]).toEqual([400, 'invalid_request_error']);
    if (param === null) expect(answer.code).toMatch(/^invalid_(json|request)$/);
    else expect(answer.param).toMatch(new RegExp(`^${param}`));
  });

  it('gets 413 when it is too large and 415 when it is a form', async () => {
    expect(await refusal('POST', '/organizations', `{"name":"${'n'.repeat(2_000_000)}"}`)).toMatchObject({ status: 413, code: 'body_too_large' });
    const client = await RawClient.connect(gateway.weir.adminUrl);
    client.send(`POST /admin/organizations HTTP/1.1\r\nhost: weir\r\nauthorization: Bearer ${gateway.weir.adminKey}\r\ncontent-type: multipart/form-data; boundary=x\r\ncontent-length: 19\r\nconnection: close\r\n\r\n--x\r\n\r\nx\r\n--x--\r\n\r\n`);
    expect((await client.readToEnd()).bytes).toMatch(/^HTTP\/1\.1 415 /);
  });

  it.each([
    ['upstreams', { name: 'a\r\nx-evil: 1', provider: 'openai', base_url: 'https://api.openai.com/v1' }, 'name'],
    ['upstreams', { name: 'n', provider: 'nobody', base_url: 'https://api.openai.com/v1' }, 'provider'],
    ['upstreams', { name: 'n', provider: 'azure', base_url: 'https://x.example', options: { api_version: '2024\r\nx: y' } }, 'options.api_version'],
    ['upstreams', { name: 'n', provider: 'openai', base_url: 'https://api.openai.com/v1', timeout_ms: '100' }, 'timeout_ms'],
    ['upstreams', { name: 'n', provider: 'openai', base_url: 'https://api.openai.com/v1', options: [] }, 'options'],
    ['models', { name: 'a\r\nb', operation: 'chat', targets: [] }, 'name'],
    ['models', { name: 'm', operation: 'chat', targets: [] }, 'targets'],
    ['models', { name: 'm', operation: 'chat', targets: {} }, 'targets'],
    ['models', { name: 'm', operation: 'chat', targets: [{ upstream_id: 'x', upstream_model: 'y' }] }, 'targets[0].upstream_id'],
    ['keys', { name: 'a\nb' }, 'name'],
    ['keys', { name: 'k', limits: [] }, 'limits'],
    ['keys', { name: 'k', limits: { rpm: 1.5 } }, 'limits.rpm'],
    ['keys', { name: 'k', models: ['a\r\nb'] }, 'models'],
    ['users', { username: 'a\r\nb', role: 'owner' }, 'username'],
    ['users', { username: 'u', role: 'god' }, 'role'],
  ])('for %s gets 400 that names the field: %j', async (collection, body, param) => {
    const answer = await refusal('POST', `/${collection}`, collection === 'keys' ? { organization_id: ours.id, ...body } : body);
    expect([answer.status, answer.param?.startsWith(param)]).toEqual([400, true]);
  });

  it.each(['secret\r\nx-evil: 1', 'secret\u0000', '', 'schlüssel', '密钥'])('for a provider key gets 400 when it could not be a header: %j', async (secret) => {
    const upstream = await gateway.addUpstream(`keyless ${secret.length}`, {});
    expect(await refusal('POST', `/upstreams/${upstream.id}/keys`, { secret })).toMatchObject({ status: 400, param: 'secret' });
  });
});

describe("an upstream's URL", () => {
  it.each([
    'http://169.254.169.254/latest',
    'http://[::ffff:169.254.169.254]/',
    'http://2852039166/',
    'http://0xa9fea9fe/',
    'http://0251.0376.0251.0376/',
    'http://169.254.169.254.:80/',
    'http://metadata.google.internal/computeMetadata/v1',
    'http://[fe80::1]/',
    'http://user:hunter2@api.example.com/v1',
    'http://api.example.com/v1?key=x',
    'http://api.example.com/v1#x',
    'file:///etc/passwd',
    'gopher://127.0.0.1:6379/_FLUSHALL',
    'javascript:alert(1)',
    '//api.example.com/v1',
    'http://api.example.com/v1\r\nx-evil: 1',
    'http://api.example.com\\@169.254.169.254/',
    'http://',
    '',
    'not a URL',
  ])('may not be %j', async (base_url) => {
    const answer = await refusal('POST', '/upstreams', { name: 'refused', provider: 'openai', base_url });
    expect([answer.status, answer.param]).toEqual([400, 'base_url']);
    expect(answer.message).not.toContain('hunter2');
  });
});

describe("another organization's objects", () => {
  it.each<[string, string, (of: Organization) => string, unknown]>([
    ['GET', 'a key', ({ keyId }) => `/keys/${keyId}`, undefined],
    ['PATCH', 'a key', ({ keyId }) => `/keys/${keyId}`, { name: 'mine' }],
    ['DELETE', 'a key', ({ keyId }) => `/keys/${keyId}`, undefined],
    ['POST', 'a rotated key', ({ keyId }) => `/keys/${keyId}/rotate`, {}],
    ['GET', 'a project', ({ projectId }) => `/projects/${projectId}`, undefined],
    ['DELETE', 'a project', ({ projectId }) => `/projects/${projectId}`, undefined],
    ['GET', 'a user', ({ userId }) => `/users/${userId}`, undefined],
    ['PATCH', 'a user', ({ userId }) => `/users/${userId}`, { role: 'viewer' }],
    ['POST', 'an admin key', ({ userId }) => `/users/${userId}/keys`, {}],
    ['GET', 'an organization', ({ id }) => `/organizations/${id}`, undefined],
  ])('%s of %s is 404, as if it were not there', async (method, _what, toPath, body) => {
    const known = await refusal(method, toPath(theirs), body, ours.adminKey);
    const unknown = await refusal(method, toPath({ ...theirs, id: newUuid(), keyId: newUuid(), projectId: newUuid(), userId: newUuid() }), body, ours.adminKey);
    expect(known).toMatchObject({ status: 404, code: 'not_found' });
    expect(known).toEqual(unknown);
  });

  it('are in no list, and none can be made there', async () => {
    for (const collection of ['organizations', 'projects', 'users', 'keys', 'requests', 'usage', 'audit']) {
      for (const query of ['', `?organization_id=${theirs.id}`]) {
        const { status, text } = await send('GET', `/${collection}${['organizations', 'audit'].includes(collection) ? '' : query}`, undefined, ours.adminKey);
        expect([collection, query, text.includes(theirs.keyId) || text.includes(theirs.userId) || text.includes('theirs')]).toEqual([collection, query, false]);
        expect([200, 403, 404]).toContain(status);
      }
    }
    for (const [collection, body] of [
      ['keys', { organization_id: theirs.id, name: 'k' }],
      ['keys', { organization_id: ours.id, project_id: theirs.projectId, name: 'k' }],
      ['projects', { organization_id: theirs.id, name: 'p' }],
      ['users', { organization_id: theirs.id, username: 'u', role: 'admin' }],
      ['users', { username: 'u', role: 'owner' }],
    ] as const) {
      const { status } = await refusal('POST', `/${collection}`, body, ours.adminKey);
      expect([400, 403, 404, 409]).toContain(status);
    }
    const page = await send('GET', `/keys?organization_id=${theirs.id}`);
    expect(page.data).toHaveLength(1);
  });
});

describe('a search', () => {
  it.each(['%', '_', '%25', '100%_of', '\\', "'", '%00', "' OR 1=1 --"])('takes %s for what it is, and not for a pattern', async (search) => {
    const { status, data } = await send('GET', `/organizations?search=${encodeURIComponent(search)}`);
    if (search === '%00' || status === 200) expect([status, data.map(({ name }: { name: string }) => name).filter((name: string) => !name.includes(search))]).toEqual([200, []]);
    else expect(status).toBe(400);
  });

  it.each(['search=%00', 'search=%', 'search=%E0%A4%A', 'limit=1e3', 'limit=-1', 'cursor=%00', 'cursor=nonsense', 'nonsense=1', 'search[]=x', 'search[a]=b', '__proto__[x]=1'])(
    'with ?%s gets 400 or an empty page, never an error of the server',
    async (query) => {
      const answer = await send('GET', `/organizations?${query}`);
      expect([200, 400]).toContain(answer.status);
      if (answer.status === 400) expectErrorBody(answer.text);
    },
  );
});

describe('a path of the admin API', () => {
  it.each(['/keys/%', '/keys/%00', '/keys/..%2f..', '/keys/1', '/keys/__proto__', '/nothing', '/keys/%0d%0ax-evil:%201', `/keys/${'a'.repeat(8000)}`])('%.60s gets 400 or 404', async (path) => {
    const answer = await refusal('GET', path);
    expect([400, 404]).toContain(answer.status);
  });

  it.each([
    ['CL and TE', 'content-length: 2\r\ntransfer-encoding: chunked\r\n'],
    ['two lengths', 'content-length: 2\r\ncontent-length: 3\r\n'],
    ['NUL in a header', 'x-a: a\0b\r\n'],
  ])('with %s gets 400', async (_what, headers) => {
    const client = await RawClient.connect(gateway.weir.adminUrl);
    client.send(`POST /admin/organizations HTTP/1.1\r\nhost: weir\r\nauthorization: Bearer ${gateway.weir.adminKey}\r\ncontent-type: application/json\r\n${headers}\r\n{}`);
    expect((await client.readToEnd()).bytes).toMatch(/^HTTP\/1\.1 400 /);
  });
});

const newUuid = (): string => crypto.randomUUID().replace(/^(.{14})./, '$17');
