import { ControlPlane } from '../../../../../test/support/control-plane';

let plane: ControlPlane;
let organizationId: string;

beforeAll(async () => {
  plane = await ControlPlane.start();
  organizationId = (await plane.addOrganization('acme')).id;
});

afterAll(() => plane.stop());

async function send(raw: string | Buffer, path = '/admin/organizations') {
  return plane.call('POST', path, { key: plane.ownerKey, raw });
}

describe('bad input to the control plane', () => {
  it.each<[what: string, raw: string | Buffer, param: string | null]>([
    ['no JSON', '{"name":', null],
    ['JSON that is no object', '[{"name":"x"}]', null],
    ['a JSON text', '"name"', null],
    ['null', 'null', null],
    ['invalid UTF-8', Buffer.from([0x7b, 0x22, 0x6e, 0x61, 0x6d, 0x65, 0x22, 0x3a, 0x22, 0xff, 0x22, 0x7d]), null],
    ['a key said twice', '{"name":"a","name":"b"}', 'name'],
    ['__proto__', '{"name":"a","__proto__":{"enabled":false}}', '__proto__'],
    ['constructor', '{"name":"a","constructor":{"prototype":{}}}', 'constructor'],
    ['toString', '{"name":"a","toString":1}', 'toString'],
    ['an unknown field', '{"name":"a","colour":"red"}', 'colour'],
    ['an unknown field with a very long name', `{"name":"a","${'x'.repeat(5000)}":1}`, 'x'.repeat(100) + '…'],
    ['a missing field', '{}', 'name'],
    ['a number for a name', '{"name":5}', 'name'],
    ['null for a name', '{"name":null}', 'name'],
    ['an empty name', '{"name":""}', 'name'],
    ['a blank name', '{"name":"   "}', 'name'],
    ['NUL in a name', '{"name":"a\\u0000b"}', 'name'],
    ['a line feed in a name', '{"name":"a\\nb"}', 'name'],
    ['a lone surrogate in a name', '{"name":"a\\ud800"}', 'name'],
    ['a name that is too long', JSON.stringify({ name: 'n'.repeat(201) }), 'name'],
    ['an object for a flag', '{"name":"a","enabled":{}}', 'enabled'],
    ['a text for a flag', '{"name":"a","enabled":"true"}', 'enabled'],
    ['ten thousand arrays in each other', `{"name":${'['.repeat(10_000)}${']'.repeat(10_000)}}`, 'name'],
  ])('answers 400 to %s', async (_what, raw, param) => {
    const answer = await send(raw);
    expect(answer.status).toBe(400);
    expect(Object.keys(answer.body.error)).toEqual(['message', 'type', 'param', 'code']);
    if (param !== null && param !== 'name') expect(answer.body.error.param).toBe(param);
    if (param === 'name') expect(answer.body.error.param).toMatch(/^name/);
    expect(answer.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('names a field inside another as a caller writes it', async () => {
    const { id } = await plane.addOrganization('nested');
    const answer = await plane.owner('POST', '/admin/keys', { organization_id: id, name: 'k', limits: { rpm: '5' } });
    expect(answer.status).toBe(400);
    expect(answer.body.error).toMatchObject({ param: 'limits.rpm', code: 'invalid_request' });
    const unknown = await plane.owner('POST', '/admin/keys', { organization_id: id, name: 'k', limits: { tps: 5 } });
    expect(unknown.body.error).toMatchObject({ param: 'limits.tps' });
  });

  it.each([
    ['limits', { limits: [] }],
    ['limits', { limits: [{ rpm: 1 }] }],
    ['limits', { limits: 'none' }],
    ['limits.rpm', { limits: { rpm: -1 } }],
    ['limits.rpm', { limits: { rpm: 1.5 } }],
    ['limits.rpm', { limits: { rpm: 1e300 } }],
    ['limits.rpm', { limits: { rpm: [] } }],
    ['models', { models: 'gpt' }],
    ['models', { models: [1] }],
    ['models', { models: { 0: 'a' } }],
    ['expires_at', { expires_at: 'tomorrow' }],
    ['expires_at', { expires_at: '2020-01-01T00:00:00Z' }],
    ['expires_at', { expires_at: '2099-13-45T00:00:00Z' }],
    ['expires_at', { expires_at: 4_102_444_800 }],
    ['organization_id', { organization_id: 'x' }],
    ['organization_id', { organization_id: { $ne: null } }],
    ['budgets', { budgets: {} }],
    ['project_id', { project_id: "1' OR '1'='1" }],
  ])('refuses a key whose %s is wrong: %j', async (param, fields) => {
    const answer = await plane.owner('POST', '/admin/keys', { organization_id: organizationId, name: 'k', ...fields });
    expect(answer.status).toBe(400);
    expect(answer.body.error.param).toBe(param);
  });

  it('takes a number too large for JSON for what it is: no whole number', async () => {
    const answer = await send('{"name":"k","organization_id":"018f0000-0000-7000-8000-000000000000","limits":{"rpd":1e999}}', '/admin/keys');
    expect(answer.status).toBe(400);
    expect(answer.body.error.param).toBe('limits.rpd');
  });

  it('answers 413 to a body over a megabyte, 415 to another content type and to a compressed body', async () => {
    expect((await send(`{"name":"${'n'.repeat(1024 * 1024)}"}`)).status).toBe(413);
    const form = await plane.call('POST', '/admin/organizations', { key: plane.ownerKey, raw: 'name=x', headers: { 'content-type': 'application/x-www-form-urlencoded' } });
    expect(form.status).toBe(415);
    expect(form.body.error.code).toBe('unsupported_media_type');
    const compressed = await plane.call('POST', '/admin/organizations', { key: plane.ownerKey, raw: '{}', headers: { 'content-encoding': 'gzip' } });
    expect(compressed.status).toBe(415);
  });

  it.each(['/admin/nothing', '/admin', '/nothing', '/admin/organizations/x/y/z', '/admin/keys/%00', '/admin/keys/..%2f..'])(
    'answers 404 to %s',
    async (path) => {
      const answer = await plane.owner('GET', path);
      expect(answer.status).toBe(404);
      expect(answer.body.error.code).toBe('not_found');
    },
  );

  it('answers 404 to an id that is none, and 400 to a path that cannot be decoded', async () => {
    expect((await plane.owner('GET', '/admin/keys/1')).status).toBe(404);
    expect((await plane.owner('GET', '/admin/keys/018F0000-0000-7000-8000-000000000000')).status).toBe(404);
    expect((await plane.owner('GET', '/admin/keys/%')).status).toBe(400);
  });

  it.each([
    ['limit', 'limit=0'],
    ['limit', 'limit=201'],
    ['limit', 'limit=ten'],
    ['limit', 'limit='],
    ['limit', 'limit=1&limit=2'],
    ['cursor', 'cursor=abc'],
    ['cursor', 'cursor=%00'],
    ['cursor', 'cursor=AQ'],
    ['search', 'search=%00'],
    ['colour', 'colour=red'],
    ['organization_id', 'organization_id=1'],
  ])('refuses a list whose %s is wrong: %s', async (param, query) => {
    const answer = await plane.owner('GET', `/admin/projects?${query}`);
    expect(answer.status).toBe(400);
    expect(answer.body.error.param).toBe(param);
  });

  it('takes % and _ in a search for themselves', async () => {
    for (const name of ['100% sure', 'a_b', 'axb', 'back\\slash']) await plane.owner('POST', '/admin/organizations', { name });
    const find = async (text: string) =>
      (await plane.owner('GET', `/admin/organizations?search=${encodeURIComponent(text)}`)).body.data.map(({ name }: { name: string }) => name);
    expect(await find('%')).toEqual(['100% sure']);
    expect(await find('A_B')).toEqual(['a_b']);
    expect(await find('\\')).toEqual(['back\\slash']);
    expect(await find("' OR 1=1 --")).toEqual([]);
  });

  it('answers the next request as if nothing had happened', async () => {
    expect((await plane.owner('GET', '/admin/organizations')).status).toBe(200);
  });
});
