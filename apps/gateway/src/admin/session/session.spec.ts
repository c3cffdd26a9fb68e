import { ProxyKeys } from '@weir/access';
import { decodeJwt, SignJWT } from 'jose';
import { ControlPlane, type Answer } from '../../../../../test/support/control-plane';
import { SESSION_LIFETIME_MS, SESSION_LONGEST_MS } from './session-tokens';

const SAME_ORIGIN = { 'sec-fetch-site': 'same-origin' };

let plane: ControlPlane;
let organization: Awaited<ReturnType<ControlPlane['addOrganization']>>;

beforeEach(async () => {
  plane = await ControlPlane.start({ environment: { CORS_ORIGINS: 'https://console.example' } });
  organization = await plane.addOrganization('acme');
});

afterEach(() => plane.stop());

async function signIn(key = plane.ownerKey): Promise<string> {
  const answer = await plane.call('POST', '/admin/session', { body: { key } });
  expect(answer.status).toBe(201);
  return readCookie(answer);
}

function readCookie(answer: Answer): string {
  return answer.headers['set-cookie']![0].split(';')[0];
}

const read = (cookie: string): Promise<Answer> => plane.call('GET', '/admin/session', { headers: { cookie } });

describe('a session', () => {
  it('is opened by an admin key, in a cookie that no script reads and no other site sends', async () => {
    const answer = await plane.call('POST', '/admin/session', { body: { key: plane.ownerKey } });
    expect(answer.body).toMatchObject({ object: 'session', username: 'root', role: 'owner', organization_id: null });
    const [cookie] = answer.headers['set-cookie']!;
    expect(cookie).toMatch(/^__Host-weir_session=[\w.-]+; Path=\/; HttpOnly; Secure; SameSite=Strict; Max-Age=(899|900)$/);
    expect((await read(readCookie(answer))).body).toMatchObject({ username: 'root', expires_at: answer.body.expires_at });
  });

  it('reads and, from its own page, writes', async () => {
    const cookie = await signIn();
    const made = await plane.call('POST', '/admin/organizations', { headers: { cookie, ...SAME_ORIGIN }, body: { name: 'one' } });
    expect(made.status).toBe(201);
    const list = await plane.call('GET', '/admin/organizations', { headers: { cookie } });
    expect(list.body.data.map(({ name }: { name: string }) => name)).toContain('one');
  });

  it.each<[from: string, headers: Record<string, string>, status: number]>([
    ['another site', { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }, 403],
    ['a sibling host', { 'sec-fetch-site': 'same-site', origin: 'https://evil.weir.example' }, 403],
    ['nowhere that it says', {}, 403],
    ['a typed address', { 'sec-fetch-site': 'none' }, 403],
    ['an old browser on another site', { origin: 'https://evil.example' }, 403],
    ['an opaque origin', { origin: 'null' }, 403],
    ['an old browser on its own page', { origin: 'https://weir.example', host: 'weir.example' }, 201],
    ['a console of the CORS list', { 'sec-fetch-site': 'cross-site', origin: 'https://console.example' }, 201],
  ])('that writes from %s gets what it deserves', async (_from, headers, status) => {
    const cookie = await signIn();
    const answer = await plane.call('POST', '/admin/organizations', { headers: { cookie, ...headers }, body: { name: 'two' } });
    expect(answer.status).toBe(status);
  });

  it('ends after a quarter of an hour unless renewed, and cannot be renewed for ever', async () => {
    let cookie = await signIn();
    plane.clock.shiftMs += SESSION_LIFETIME_MS - 60_000;
    const renewed = await plane.call('POST', '/admin/session/renew', { headers: { cookie, ...SAME_ORIGIN } });
    expect(renewed.status).toBe(200);
    plane.clock.shiftMs += 120_000;
    expect((await read(cookie)).status).toBe(401);
    cookie = readCookie(renewed);
    expect((await read(cookie)).status).toBe(200);
    for (let passedMs = 16 * 60_000; passedMs < SESSION_LONGEST_MS - SESSION_LIFETIME_MS; passedMs += 600_000) {
      const answer = await plane.call('POST', '/admin/session/renew', { headers: { cookie, ...SAME_ORIGIN } });
      expect(answer.status).toBe(200);
      cookie = readCookie(answer);
      plane.clock.shiftMs += 600_000;
    }
    const last = await plane.call('POST', '/admin/session/renew', { headers: { cookie, ...SAME_ORIGIN } });
    expect(decodeJwt(readCookie(last).split('=')[1]).exp! * 1000).toBeLessThan(plane.clock.nowMs() + SESSION_LIFETIME_MS);
  });

  it('is over when its holder signs out, also for who kept the cookie', async () => {
    const cookie = await signIn();
    const out = await plane.call('DELETE', '/admin/session', { headers: { cookie, ...SAME_ORIGIN } });
    expect(out.status).toBe(204);
    expect(out.headers['set-cookie']![0]).toMatch(/^__Host-weir_session=; .*Max-Age=0$/);
    expect((await read(cookie)).status).toBe(401);
  });

  it('is over on every process of the installation within a second, and cannot be renewed by any', async () => {
    const other = await ControlPlane.start({ database: plane.database! });
    try {
      const cookie = await signIn();
      expect((await other.call('GET', '/admin/session', { headers: { cookie } })).status).toBe(200);
      expect((await plane.call('DELETE', '/admin/session', { headers: { cookie, ...SAME_ORIGIN } })).status).toBe(204);
      other.passSecond();
      expect((await other.call('POST', '/admin/session/renew', { headers: { cookie, ...SAME_ORIGIN } })).status).toBe(401);
      expect((await other.call('GET', '/admin/session', { headers: { cookie } })).status).toBe(401);
    } finally {
      await other.stop();
    }
  });

  it('is forgotten once none of its tokens could be good any more', async () => {
    for (let count = 0; count < 2; count += 1) {
      const cookie = await signIn();
      await plane.call('DELETE', '/admin/session', { headers: { cookie, ...SAME_ORIGIN } });
      expect(await plane.dataSource.query('SELECT id FROM ended_sessions')).toHaveLength(1);
      plane.clock.shiftMs += SESSION_LONGEST_MS + 1_000;
    }
  });

  it('dies with its user, with its key, and with its organization, within a second', async () => {
    const cookies = { user: await signIn(organization.adminKey), key: await signIn(organization.viewerKey) };
    await plane.owner('PATCH', `/admin/users/${organization.adminId}`, { enabled: false });
    plane.passSecond();
    expect((await read(cookies.user)).status).toBe(401);
    expect((await read(cookies.key)).status).toBe(200);
    await plane.owner('PATCH', `/admin/organizations/${organization.id}`, { enabled: false });
    plane.passSecond();
    expect((await read(cookies.key)).status).toBe(401);
    await plane.owner('PATCH', `/admin/organizations/${organization.id}`, { enabled: true });
    plane.passSecond();
    expect((await read(cookies.key)).status).toBe(200);
    await plane.dataSource.query('UPDATE admin_keys SET revoked_at = now()');
    plane.passSecond();
    expect((await read(cookies.key)).status).toBe(401);
  });

  it('is believed from our own signature alone', async () => {
    const cookie = await signIn();
    const [name, token] = cookie.split('=');
    const claims = decodeJwt(token);
    const forged = await new SignJWT({ ...claims }).setProtectedHeader({ alg: 'HS256' }).sign(new Uint8Array(32));
    const [, payload] = token.split('.');
    const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`;
    for (const wrong of [forged, unsigned, token.slice(0, -2), `${token}x`, 'x', '']) {
      expect((await read(`${name}=${wrong}`)).status).toBe(401);
    }
    expect((await read(`${cookie}; ${name}=${forged}`)).status).toBe(401);
    expect((await read(`other=1; ${cookie}`)).status).toBe(200);
  });

  it('is not for a key presented as bearer', async () => {
    const answer = await plane.call('POST', '/admin/session/renew', { key: plane.ownerKey });
    expect(answer.status).toBe(409);
    expect((await plane.owner('GET', '/admin/session')).body).toMatchObject({ username: 'root', expires_at: null });
  });
});

describe('signing in', () => {
  it('is throttled by address, with the time to wait', async () => {
    const attempt = () => plane.call('POST', '/admin/session', { body: { key: 'sk-weir-admin-wrong' } });
    for (let index = 0; index < 10; index += 1) expect((await attempt()).status).toBe(401);
    const answer = await attempt();
    expect(answer.status).toBe(429);
    expect(answer.body.error).toMatchObject({ code: 'rate_limit_exceeded', param: null });
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    expect(Number(answer.headers['retry-after'])).toBeLessThanOrEqual(61);
    // The same address in another spelling is the same address.
    for (const path of ['/ADMIN/Session', '/admin/session/']) {
      expect((await plane.call('POST', path, { body: { key: 'sk-weir-admin-wrong' } })).status).toBe(429);
    }
    plane.clock.shiftMs += 62_000;
    expect((await attempt()).status).toBe(401);
  });

  it('refuses a proxy key without repeating it', async () => {
    const { key } = await plane.app.get(ProxyKeys).create({ organizationId: organization.id, name: 'k' });
    for (const answer of [
      await plane.call('POST', '/admin/session', { body: { key: key.expose() } }),
      await plane.call('GET', '/admin/keys', { key: key.expose() }),
    ]) {
      expect([answer.status, answer.body.error.code]).toEqual([401, 'invalid_api_key']);
      expect(answer.text).not.toContain(key.expose().slice(0, 30));
    }
  });
});

describe('writing', () => {
  it('is throttled by who writes, and reading is not', async () => {
    const write = (key: string) => plane.call('POST', '/admin/projects', { key, body: {} });
    for (let index = 0; index < 120; index += 1) expect((await write(organization.adminKey)).status).toBe(400);
    const answer = await write(organization.adminKey);
    expect([answer.status, answer.body.error.code]).toEqual([429, 'rate_limit_exceeded']);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    expect((await plane.call('GET', '/admin/projects', { key: organization.adminKey })).status).toBe(200);
    expect((await write(plane.ownerKey)).status).toBe(400);
  });
});
