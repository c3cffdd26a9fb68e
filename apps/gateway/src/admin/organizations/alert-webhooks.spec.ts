import { type OrganizationId, newId } from '@weir/kernel';
import { SealedTexts } from '@weir/vault';
import { ControlPlane } from '../../../../../test/support/control-plane';
import { findAlertWebhook } from './find-alert-webhook';

type Organization = Awaited<ReturnType<ControlPlane['addOrganization']>>;

const URL_CANARY = 'https://hooks.example/services/canary-path';

let plane: ControlPlane;
let acme: Organization;
let umbrella: Organization;

beforeEach(async () => {
  plane = await ControlPlane.start();
  acme = await plane.addOrganization('acme');
  umbrella = await plane.addOrganization('umbrella');
});

afterEach(async () => {
  expect(plane.logLines.join('')).not.toMatch(/canary|whsec_[A-Za-z0-9]/);
  await plane.stop();
});

const path = (organization = acme) => `/admin/organizations/${organization.id}/alert-webhook`;
const set = (body: unknown, key = acme.adminKey) => plane.call('POST', path(), { key, body });
const find = (id: OrganizationId = acme.id) => findAlertWebhook(plane.dataSource.manager, plane.app.get(SealedTexts), id);

describe('the alert webhook of an organization', () => {
  it('has a secret that is shown once, kept encrypted, and another one each time', async () => {
    const made = await set({ url: URL_CANARY });
    expect(made.status).toBe(201);
    const { secret, ...view } = made.body;
    expect(view).toEqual({ object: 'alert_webhook', organization_id: acme.id, url: URL_CANARY, allow_private: false });
    expect(Buffer.from(secret.replace('whsec_', ''), 'base64')).toHaveLength(32);
    const shown = await plane.call('GET', path(), { key: acme.adminKey });
    expect(shown.body).toEqual(view);
    const found = await find();
    expect(found).toMatchObject({ url: URL_CANARY, allowPrivate: false });
    expect(found?.secret.expose()).toBe(secret);
    const [row] = await plane.dataSource.query<{ text: string }[]>('SELECT organizations::text AS text FROM organizations WHERE id = $1', [acme.id]);
    expect(row.text).not.toContain(Buffer.from(secret).toString('hex').slice(0, 30));
    expect((await set({ url: URL_CANARY })).body.secret).not.toBe(secret);
    expect((await plane.owner('GET', `/admin/organizations/${acme.id}`)).text).not.toMatch(/canary|whsec/);
  });

  it('is in the audit log without its secret and without its path, which viewers would read', async () => {
    await set({ url: URL_CANARY });
    await set({ url: 'https://other.example/canary' });
    await plane.call('DELETE', path(), { key: acme.adminKey });
    const audit = await plane.call('GET', '/admin/audit', { key: acme.viewerKey });
    expect(audit.text).not.toMatch(/canary|whsec_/);
    expect(audit.body.data).toMatchObject([
      { action: 'delete', collection: 'alert_webhooks', changes: { url: { old: 'https://other.example', new: null }, secret: { old: '[secret]', new: null } } },
      { action: 'update', changes: { url: { old: 'https://hooks.example', new: 'https://other.example' }, secret: { new: '[secret]' } } },
      { action: 'create', object_id: acme.id, organization_id: acme.id, changes: { url: { old: null, new: 'https://hooks.example' }, secret: { old: null, new: '[secret]' } } },
    ]);
  });

  it('goes with DELETE, and is not found without one', async () => {
    expect((await plane.call('GET', path(), { key: acme.adminKey })).status).toBe(404);
    expect((await plane.call('DELETE', path(), { key: acme.adminKey })).status).toBe(404);
    await set({ url: URL_CANARY });
    expect((await plane.call('DELETE', path(), { key: acme.adminKey })).body).toEqual({ id: acme.id, object: 'alert_webhook', deleted: true });
    expect(await find()).toBeNull();
    expect(await find(newId<OrganizationId>())).toBeNull();
  });

  it('leads into a private network on an owner’s word only, and not any more when an admin sets another', async () => {
    const privately = { url: 'http://10.0.0.1:9000/hook', allow_private: true };
    expect((await set(privately)).body.error).toMatchObject({ code: 'permission_denied', param: 'allow_private' });
    const made = await set(privately, plane.ownerKey);
    expect(made.body).toMatchObject({ url: 'http://10.0.0.1:9000/hook', allow_private: true });
    expect((await set({ url: privately.url })).body.error.param).toBe('url');
    expect(await find()).toMatchObject({ url: privately.url, allowPrivate: true });
    expect((await set({ url: URL_CANARY })).body).toMatchObject({ allow_private: false });
    expect(await find()).toMatchObject({ url: URL_CANARY, allowPrivate: false });
  });

  it.each([
    ['url', {}],
    ['url', { url: null }],
    ['url', { url: 5 }],
    ['url', { url: '' }],
    ['url', { url: 'canary' }],
    ['url', { url: 'http://hooks.example/canary' }],
    ['url', { url: 'https://user:canary@hooks.example' }],
    ['url', { url: 'https://169.254.169.254/canary' }],
    ['url', { url: 'https://0x7f000001/canary' }],
    ['url', { url: 'https://[::ffff:10.0.0.1]/canary' }],
    ['url', { url: 'https://localhost/canary' }],
    ['url', { url: 'https://hooks.example/\r\ncanary' }],
    ['url', { url: `https://hooks.example/canary${'y'.repeat(3000)}` }],
    ['allow_private', { url: URL_CANARY, allow_private: 'true' }],
    ['secret', { url: URL_CANARY, secret: 'whsec_canary' }],
  ])('refuses a wrong %s without repeating it: %j', async (param, body) => {
    const answer = await set(body, plane.ownerKey);
    expect([answer.status, answer.body.error.param]).toEqual([400, param]);
    expect(answer.text).not.toContain('canary');
    expect(await find()).toBeNull();
  });

  it('is nothing to viewers and to other organizations', async () => {
    await set({ url: URL_CANARY });
    for (const [key, status] of [[acme.viewerKey, 403], [umbrella.adminKey, 404]] as const) {
      expect((await plane.call('GET', path(), { key })).status).toBe(status);
      expect((await plane.call('POST', path(), { key, body: { url: 'https://evil.example/' } })).status).toBe(status);
      expect((await plane.call('DELETE', path(), { key })).status).toBe(status);
    }
    expect(await find()).toMatchObject({ url: URL_CANARY });
  });

  it('does not open when its secret was moved to another organization', async () => {
    await set({ url: URL_CANARY });
    await plane.dataSource.query(
      `UPDATE organizations SET (alert_webhook_url, alert_webhook_secret) = (SELECT alert_webhook_url, alert_webhook_secret FROM organizations WHERE id = $1) WHERE id = $2`,
      [acme.id, umbrella.id],
    );
    await expect(find(umbrella.id)).rejects.toThrow('not_authentic');
  });
});
