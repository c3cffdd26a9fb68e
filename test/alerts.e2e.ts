import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { chat, repeat } from './support/chat';
import { type JsonValue } from './support/control-plane';
import { MeterScene } from './support/meter-scene';
import { waitFor } from './support/wait-for';

const MODEL = 'priced';

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly method: string;
  readonly path: string;
  readonly text: string;
  readonly body: JsonValue;
}

/** What an organization runs to be told. */
class Receiver {
  readonly received: Received[] = [];
  /** What it answers, in turn; then 204. */
  readonly statuses: number[] = [];
  private readonly server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      this.received.push({ headers: request.headers, method: request.method ?? '', path: request.url ?? '', text, body: JSON.parse(text) });
      response.writeHead(this.statuses.shift() ?? 204, { location: `${this.url}/elsewhere` });
      response.end();
    });
  });

  async start(): Promise<this> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return this;
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  percents(): number[] {
    return this.received.map(({ body }) => body.data.percent).sort((one, other) => one - other);
  }
}

let scene: MeterScene;
let receiver: Receiver;

beforeAll(async () => {
  scene = await MeterScene.start({ processes: 2 });
  await scene.makeModel(MODEL, { per_request_usd: '0.01' });
});
afterAll(() => scene.stop());
beforeEach(async () => {
  scene.simulator.reset();
  receiver = await new Receiver().start();
});
afterEach(() => receiver.stop());

/** The admin API of the other process takes it alike. */
const setWebhook = (organizationId: string, body: object): Promise<Response> => scene.weirs[1].adminResponse('POST', `/organizations/${organizationId}/alert-webhook`, body);

async function sumMetric(start: string): Promise<number> {
  const texts = await Promise.all(scene.weirs.map((weir) => weir.metrics()));
  const lines = texts.flatMap((text) => text.split('\n')).filter((line) => line.startsWith(start));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

/** By hand, as the specification says: https://www.standardwebhooks.com. */
function isSigned({ headers, text }: Received, secret: string): boolean {
  const signed = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${text}`;
  const expected = createHmac('sha256', Buffer.from(secret.slice('whsec_'.length), 'base64')).update(signed).digest('base64');
  return String(headers['webhook-signature']).split(' ').includes(`v1,${expected}`);
}

describe('a budget with alerts', () => {
  it('tells once at each percentage over both processes: signed, in the log, and in the metrics', async () => {
    const { id, key, organizationId } = await scene.makeKey(MODEL, { budgets: [{ amount_usd: '0.1', period: 'month', alerts: [50, 80, 100] }] });
    const set = await setWebhook(organizationId, { url: `${receiver.url}/alerts?token=t`, allow_private: true });
    expect(set.status).toBe(201);
    const { secret } = (await set.json()) as { secret: string };
    expect(secret).toMatch(/^whsec_/);
    const before = await sumMetric('weir_budget_alerts_total');

    const canary = randomBytes(12).toString('hex');
    await repeat(4, (index) => chat(scene.weirs[index % 2], key, MODEL, { content: canary }));
    await scene.settledNanos(id);
    expect(receiver.received).toEqual([]);
    await repeat(20, (index) => chat(scene.weirs[index % 2], key, MODEL, { content: canary }));
    await scene.settledNanos(id);
    await waitFor(() => receiver.received.length >= 3, { what: 'three alerts' });

    for (const received of receiver.received) {
      expect([received.method, received.path, received.headers['content-type']]).toEqual(['POST', '/alerts?token=t', 'application/json']);
      expect(isSigned(received, secret)).toBe(true);
      expect(isSigned({ ...received, text: received.text.replace('"percent"', '"Percent"') }, secret)).toBe(false);
      expect(Math.abs(Date.now() / 1000 - Number(received.headers['webhook-timestamp']))).toBeLessThan(60);
      expect(received.body).toMatchObject({ type: 'budget.alert', id: received.headers['webhook-id'], data: { organization_id: organizationId, scope: 'key', subject_id: id, period: 'month', model: null, amount_usd: '0.1' } });
      expect(Number(received.body.data.spent_usd) * 1000).toBeGreaterThanOrEqual(received.body.data.percent - 0.001);
      for (const text of [canary, key, secret]) expect(received.text + JSON.stringify(received.headers)).not.toContain(text);
    }
    // Whoever else believes that it must be told is told by the table that it was.
    await repeat(6, (index) => chat(scene.weirs[index % 2], key, MODEL));
    const { data } = await scene.weir.admin<{ data: JsonValue[] }>('GET', `/alerts?organization_id=${organizationId}`);
    expect(data.map(({ percent }) => percent).sort()).toEqual([100, 50, 80]);
    await waitFor(async () => (await scene.weir.admin<{ data: JsonValue[] }>('GET', `/alerts?organization_id=${organizationId}&delivery=delivered`)).data.length === 3);
    expect(receiver.percents()).toEqual([50, 80, 100]);
    expect((await sumMetric('weir_budget_alerts_total')) - before).toBe(3);
    const lines = scene.weirs.flatMap(({ output }) => output.split('\n')).filter((line) => line.includes('% of a budget are spent') && line.includes(id));
    expect(lines.map((line) => JSON.parse(line).percent).sort()).toEqual([100, 50, 80]);
    for (const { output } of scene.weirs) for (const text of [canary, secret, 'token=t']) expect(output).not.toContain(text);
  });

  it('tells of the budgets of the project and the organization, each its own', async () => {
    const { organizationId } = await scene.makeKey(MODEL);
    await setWebhook(organizationId, { url: receiver.url, allow_private: true });
    const budgets = [{ amount_usd: '0.02', period: 'day', alerts: [50] }];
    const project = await scene.weir.admin<{ id: string }>('POST', '/projects', { organization_id: organizationId, name: 'p', budgets });
    await scene.weir.admin('PATCH', `/organizations/${organizationId}`, { budgets });
    const issued = await scene.weir.admin<{ key: string }>('POST', '/keys', { organization_id: organizationId, project_id: project.id, name: 'k' });
    await waitFor(async () => (await scene.weir.modelNames(issued.key)).includes(MODEL));
    await waitFor(async () => (await chat(scene.weir, issued.key, MODEL)).status === 429);
    await waitFor(() => receiver.received.length >= 2, { what: 'two alerts' });
    expect(receiver.received.map(({ body }) => [body.data.scope, body.data.subject_id]).sort()).toEqual([
      ['organization', organizationId],
      ['project', project.id],
    ]);
  });

  it('tries again after a failure with the same bytes and id, and does not follow a redirect', async () => {
    const { key, organizationId } = await scene.makeKey(MODEL, { budgets: [{ amount_usd: '0.01', period: 'total', alerts: [100] }] });
    receiver.statuses.push(500, 307);
    await setWebhook(organizationId, { url: receiver.url, allow_private: true });
    expect((await chat(scene.weir, key, MODEL)).status).toBe(200);
    await waitFor(() => receiver.received.length >= 3, { what: 'the third attempt' });
    expect(new Set(receiver.received.map(({ text, headers, path }) => `${path} ${String(headers['webhook-id'])} ${text}`)).size).toBe(1);
    await waitFor(async () => (await scene.weir.admin<{ data: JsonValue[] }>('GET', `/alerts?organization_id=${organizationId}`)).data[0].delivery === 'delivered');
  });

  it('begins anew when it is reset or raised', async () => {
    const { id, key, organizationId } = await scene.makeKey(MODEL, { budgets: [{ amount_usd: '0.01', period: 'month', alerts: [100] }] });
    await setWebhook(organizationId, { url: receiver.url, allow_private: true });
    expect((await chat(scene.weir, key, MODEL)).status).toBe(200);
    await waitFor(() => receiver.received.length === 1);
    await scene.weir.admin('PATCH', `/keys/${id}`, { budgets: [{ amount_usd: '0.02', period: 'month', alerts: [100] }] });
    await waitFor(async () => (await chat(scene.weirs[1], key, MODEL)).status === 200);
    await waitFor(() => receiver.received.length === 2);
    await scene.weir.admin('POST', `/keys/${id}/budgets/reset`, { period: 'month' });
    await waitFor(async () => (await chat(scene.weir, key, MODEL)).status === 200);
    await waitFor(async () => (await chat(scene.weirs[1], key, MODEL)).status === 429);
    await waitFor(() => receiver.received.length === 3);
    expect(receiver.received.map(({ body }) => body.data.amount_usd)).toEqual(['0.01', '0.02', '0.02']);
  });

  it('is told in the log and the list alone where there is no webhook', async () => {
    const { id, key, organizationId } = await scene.makeKey(MODEL, { budgets: [{ amount_usd: '0.01', period: 'month' }] });
    expect((await chat(scene.weir, key, MODEL)).status).toBe(200);
    const listed = await waitFor(async () => {
      const { data } = await scene.weir.admin<{ data: JsonValue[] }>('GET', `/alerts?subject_id=${id}`);
      return data.length === 2 ? data : null;
    });
    expect(listed.map(({ delivery, organization_id, attempts }) => [delivery, organization_id, attempts])).toEqual(Array(2).fill(['none', organizationId, 0]));
  });
});

describe('the webhook of an organization', () => {
  let organizationId: string;
  let foreignId: string;
  let adminKey: string;

  beforeAll(async () => {
    ({ organizationId } = await scene.makeKey(MODEL));
    foreignId = (await scene.makeKey(MODEL)).organizationId;
    const user = await scene.weir.admin<{ id: string }>('POST', '/users', { organization_id: organizationId, username: 'org-admin', role: 'admin' });
    adminKey = (await scene.weir.admin<{ key: string }>('POST', `/users/${user.id}/keys`, {})).key;
  });

  const asAdmin = (method: string, path: string, body?: object): Promise<Response> =>
    fetch(`${scene.weir.adminUrl}/admin${path}`, {
      method,
      headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });

  it.each([
    'http://example.com/hook',
    'https://127.0.0.1/hook',
    'https://127.1/hook',
    'https://2130706433/hook',
    'https://0x7f000001/hook',
    'https://0x7f.1/hook',
    'https://0177.0.0.1/hook',
    'https://017700000001/hook',
    'https://0/hook',
    'https://0.0.0.0/hook',
    'https://169.254.169.254/latest/meta-data',
    'https://2852039166/latest/meta-data',
    'https://0xa9.0xfe.0xa9.0xfe/',
    'https://100.100.100.200/',
    'https://10.0.0.1/',
    'https://172.16.0.1/',
    'https://192.168.1.1/',
    'https://100.64.0.1/',
    'https://[::1]/',
    'https://[::]/',
    'https://[::ffff:127.0.0.1]/',
    'https://[::ffff:7f00:1]/',
    'https://[::ffff:169.254.169.254]/',
    'https://[::ffff:0:127.0.0.1]/',
    'https://[64:ff9b::7f00:1]/',
    'https://[2002:7f00:1::]/',
    'https://[fe80::1]/',
    'https://[fc00::1]/',
    'https://[fd00:ec2::254]/',
    'https://localhost/',
    'https://LOCALHOST./',
    'https://a.localhost/',
    'https://metadata/',
    'https://metadata.google.internal/computeMetadata/v1/',
    'https://printer.local/',
    'https://１２７.０.０.１/',
    'https://127。0。0。1/',
    'https://user:password@example.com/',
    'https://example.com@127.0.0.1/',
    'https:\\\\127.0.0.1/',
    'https://exa\nmple.com/',
    'file:///etc/passwd',
    'gopher://example.com/',
    'javascript:alert(1)',
    'not a url',
    '',
  ])('of its own admin cannot be %s', async (url) => {
    const refused = await asAdmin('POST', `/organizations/${organizationId}/alert-webhook`, { url });
    const { error } = (await refused.json()) as JsonValue;
    expect([refused.status, error.param]).toEqual([400, 'url']);
    if (url.length > 12) expect(error.message).not.toContain(url);
  });

  it('may lead inward only by an owner’s word', async () => {
    const refused = await asAdmin('POST', `/organizations/${organizationId}/alert-webhook`, { url: receiver.url, allow_private: true });
    expect([refused.status, ((await refused.json()) as JsonValue).error.param]).toEqual([403, 'allow_private']);
    expect((await setWebhook(organizationId, { url: receiver.url })).status).toBe(400);
    expect((await asAdmin('POST', `/organizations/${organizationId}/alert-webhook`, { url: 'https://hooks.example.com/a', colour: 'red' })).status).toBe(400);
  });

  it('is set and read by its own admin, without the secret, and by no other organization’s', async () => {
    const set = await asAdmin('POST', `/organizations/${organizationId}/alert-webhook`, { url: 'https://hooks.example.com/a' });
    expect(set.status).toBe(201);
    const { secret } = (await set.json()) as { secret: string };
    const shown = await (await asAdmin('GET', `/organizations/${organizationId}/alert-webhook`)).text();
    expect(shown).toContain('hooks.example.com');
    expect(shown).not.toContain(secret.slice(6));
    for (const [method, body] of [['GET', undefined], ['POST', { url: 'https://hooks.example.com/b' }], ['DELETE', undefined]] as const) {
      expect((await asAdmin(method, `/organizations/${foreignId}/alert-webhook`, body)).status).toBe(404);
    }
    const rows = await scene.query<{ text: string }>('SELECT row_to_json(organization)::text AS text FROM organizations AS organization');
    expect(JSON.stringify(rows)).not.toContain(secret.slice(6));
    const audit = JSON.stringify(await scene.weir.admin('GET', '/audit?limit=200'));
    expect(audit).not.toContain(secret.slice(6));
    expect((await asAdmin('DELETE', `/organizations/${organizationId}/alert-webhook`)).status).toBe(200);
  });

  it('whose name leads inward when it is connected to is not connected to', async () => {
    // A public name for a loopback address cannot be had here: what an owner allowed is taken back in the table.
    const { key, organizationId: inward } = await scene.makeKey(MODEL, { budgets: [{ amount_usd: '0.01', period: 'month', alerts: [100] }] });
    await setWebhook(inward, { url: receiver.url.replace('127.0.0.1', 'localhost'), allow_private: true });
    await scene.query('UPDATE organizations SET alert_webhook_allow_private = false WHERE id = $1', [inward]);
    expect((await chat(scene.weir, key, MODEL)).status).toBe(200);
    const alert = await waitFor(async () => {
      const { data } = await scene.weir.admin<{ data: JsonValue[] }>('GET', `/alerts?organization_id=${inward}`);
      return data[0]?.attempts > 0 && data[0].last_error !== null ? data[0] : null;
    });
    expect(alert).toMatchObject({ delivery: 'queued', last_status: null, last_error: 'address_not_public' });
    expect(receiver.received).toEqual([]);
  });

  it('shows its admin the alerts of its own organization alone', async () => {
    const { data } = (await (await asAdmin('GET', '/alerts?limit=200')).json()) as { data: JsonValue[] };
    expect(data.filter(({ organization_id }) => organization_id !== organizationId)).toEqual([]);
    const foreign = (await (await asAdmin('GET', `/alerts?organization_id=${foreignId}`)).json()) as { data: JsonValue[] };
    expect(foreign.data).toEqual([]);
  });
});
