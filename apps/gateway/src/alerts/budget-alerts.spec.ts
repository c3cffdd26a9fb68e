import { createHmac } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { OrganizationEntity } from '@weir/access';
import { type BudgetPeriod, newId, type OrganizationId, Secret, systemClock, toBudgetSpan, uuidV7 } from '@weir/kernel';
import { createDataSource, Metrics } from '@weir/platform';
import { insertRow } from '@weir/testing';
import { KeyRing, SealedTexts } from '@weir/vault';
import { type DataSource } from 'typeorm';
import { createTestDatabase, startPrivatePostgres, type TestDatabase } from '../../../../test/support/postgres';
import { waitFor } from '../../../../test/support/wait-for';
import { findAlertWebhook } from '../admin/organizations/find-alert-webhook';
import { AlertDeliveries } from './alert-deliveries';
import { AlertStore } from './alert-store';
import { type WatchedBudget } from './budget-alert';
import { BudgetAlerts } from './budget-alerts';
import { type ResolveAll } from './to-guarded-lookup';
import { toWebhookSecretPlace } from './to-webhook-secret-place';
import { WebhookSender } from './webhook-sender';

const USD = 1_000_000_000;
const SIGNING_KEY = Buffer.alloc(32, 7);
const SECRET = `whsec_${SIGNING_KEY.toString('base64')}`;
const texts = new SealedTexts(KeyRing.parse(`k1:${'a1'.repeat(32)}`));

interface LogLine {
  readonly fields: Record<string, unknown>;
  readonly message: string;
}

/** What one process has of all this. */
interface Side {
  readonly alerts: BudgetAlerts;
  readonly deliveries: AlertDeliveries;
  readonly metrics: Metrics;
  readonly lines: LogLine[];
  close(): Promise<void>;
}

interface Received {
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

let database: TestDatabase;
let dataSource: DataSource;
let organizationId: OrganizationId;
const sides: Side[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  dataSource = createDataSource(database.url, 4, [OrganizationEntity]);
  await dataSource.initialize();
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});
beforeEach(async () => {
  organizationId = await insertRow.organization(dataSource);
});
afterEach(async () => {
  for (const side of sides.splice(0)) await side.close();
  // What a test left queued is no other test's business.
  await dataSource.query('DELETE FROM budget_alerts');
});

interface SideOptions {
  readonly on?: DataSource;
  readonly resolve?: ResolveAll;
  readonly timeoutMs?: number;
}

function open({ on = dataSource, resolve, timeoutMs = 2_000 }: SideOptions = {}): Side {
  const lines: LogLine[] = [];
  const log = (fields: Record<string, unknown>, message: string): void => void lines.push({ fields, message });
  const logger = { warn: log, error: log } as never;
  const metrics = new Metrics();
  const store = new AlertStore(on);
  const deliveries = new AlertDeliveries({
    store,
    sender: new WebhookSender({ resolve, timeoutMs }),
    findWebhook: (id) => findAlertWebhook(on.manager, texts, id),
    clock: systemClock,
    logger,
    metrics,
  });
  const alerts = new BudgetAlerts({ store, clock: systemClock, logger, metrics, onQueued: () => deliveries.wake(), retryMs: 20 });
  const side: Side = {
    alerts,
    deliveries,
    metrics,
    lines,
    close: async () => {
      await alerts.close();
      await deliveries.close();
    },
  };
  sides.push(side);
  return side;
}

function toBudget(change: Partial<WatchedBudget> & { at?: number } = {}): WatchedBudget {
  const { at = Date.UTC(2026, 10, 21), ...rest } = change;
  const period: BudgetPeriod = rest.period ?? 'month';
  return { scope: 'organization', subject: organizationId, model: null, period, span: toBudgetSpan(period, at), resetAtMs: null, limit: 10 * USD, alerts: [50, 80, 100], ...rest };
}

async function told(): Promise<{ percent: number; amount_nanos: string; delivery: string }[]> {
  return dataSource.query('SELECT percent, amount_nanos, delivery FROM budget_alerts WHERE organization_id = $1 ORDER BY created_at, percent', [organizationId]);
}

async function percents(): Promise<number[]> {
  return (await told()).map(({ percent }) => percent);
}

describe('BudgetAlerts', () => {
  it('tells each percentage when it is reached, and once', async () => {
    const { alerts, lines } = open();
    const budget = toBudget();
    const spent = async (nanos: number): Promise<number[]> => {
      alerts.noticeSpent(organizationId, budget, { spentNanos: nanos, heldNanos: 1 });
      await alerts.write();
      return percents();
    };
    expect(await spent(5 * USD - 1)).toEqual([]);
    expect(await spent(5 * USD)).toEqual([50]);
    expect(await spent(5 * USD)).toEqual([50]);
    expect(await spent(10 * USD)).toEqual([50, 80, 100]);
    expect(await spent(11 * USD)).toEqual([50, 80, 100]);
    expect(lines.map(({ message }) => message)).toEqual(['50 % of a budget are spent', '80 % of a budget are spent', '100 % of a budget are spent']);
    expect(lines[0].fields).toEqual({
      organizationId,
      scope: 'organization',
      subject: organizationId,
      model: null,
      name: 'month:2026-11',
      percent: 50,
      amountNanos: 10 * USD,
      spentNanos: 5 * USD,
      heldNanos: 1,
    });
  });

  it('tells once over two processes, and again nothing after a restart', async () => {
    const both = [open(), open()];
    for (let spentNanos = 0; spentNanos <= 10 * USD; spentNanos += USD / 4) {
      // Plans are made anew all the time: each has budgets of its own.
      for (const { alerts } of both) alerts.noticeSpent(organizationId, toBudget(), { spentNanos, heldNanos: 0 });
    }
    await Promise.all(both.map(({ alerts }) => alerts.write()));
    const restarted = open();
    restarted.alerts.noticeSpent(organizationId, toBudget(), { spentNanos: 10 * USD, heldNanos: 0 });
    await restarted.alerts.write();
    expect(await percents()).toEqual([50, 80, 100]);
    expect([...both[0].lines, ...both[1].lines]).toHaveLength(3);
    expect(restarted.lines).toEqual([]);
    const counted = await Promise.all(both.map(async ({ metrics }) => (await metrics.scrape()).body.match(/^weir_budget_alerts_total\{percent="80"\} 1$/m)));
    expect(counted.filter((found) => found !== null)).toHaveLength(1);
  });

  it('asks PostgreSQL once for a budget that stands in many plans', async () => {
    const { alerts } = open();
    const insert = jest.spyOn(AlertStore.prototype, 'insert');
    for (let plan = 0; plan < 100; plan++) alerts.noticeSpent(organizationId, toBudget(), { spentNanos: 6 * USD, heldNanos: 0 });
    await alerts.write();
    expect(insert).toHaveBeenCalledTimes(1);
    insert.mockRestore();
  });

  it('tells again in the next span, for a raised budget, after a reset, and for another model or subject', async () => {
    const { alerts } = open();
    const others = [toBudget({ at: Date.UTC(2026, 11, 1) }), toBudget({ limit: 12 * USD }), toBudget({ resetAtMs: 5 }), toBudget({ model: 'm' }), toBudget({ scope: 'key', subject: newId() })];
    for (const budget of [toBudget(), ...others]) alerts.noticeSpent(organizationId, budget, { spentNanos: 6 * USD, heldNanos: 0 });
    await alerts.write();
    expect(await percents()).toEqual([50, 50, 50, 50, 50, 50]);
  });

  it('has nothing to tell of a budget of nothing, or without percentages', async () => {
    const { alerts } = open();
    for (const budget of [toBudget({ limit: 0 }), toBudget({ alerts: [] })]) alerts.noticeSpent(organizationId, budget, { spentNanos: 6 * USD, heldNanos: 0 });
    await alerts.write();
    expect(await percents()).toEqual([]);
  });

  it('is not held up by an alert that PostgreSQL refuses, or whose organization is gone', async () => {
    const { alerts, lines } = open();
    alerts.noticeSpent(newId<OrganizationId>(), toBudget(), { spentNanos: 6 * USD, heldNanos: 0 });
    alerts.noticeSpent(organizationId, toBudget({ subject: 'no id' }), { spentNanos: 6 * USD, heldNanos: 0 });
    alerts.noticeSpent(organizationId, toBudget(), { spentNanos: 6 * USD, heldNanos: 0 });
    await alerts.write();
    expect(await percents()).toEqual([50]);
    expect(lines.map(({ message }) => message)).toEqual(['PostgreSQL refuses a budget alert', '50 % of a budget are spent']);
  });

  it('deletes alerts of long ago, in batches, and of budgets without an end never', async () => {
    const { alerts } = open();
    alerts.noticeSpent(organizationId, toBudget({ period: 'total' }), { spentNanos: 6 * USD, heldNanos: 0 });
    alerts.noticeSpent(organizationId, toBudget(), { spentNanos: 6 * USD, heldNanos: 0 });
    await alerts.write();
    await dataSource.query(
      `INSERT INTO budget_alerts (id, organization_id, counter, scope, subject_id, period, span_from, span_to, percent, amount_nanos, spent_nanos, held_nanos, at, delivery)
       SELECT gen_random_uuid(), organization_id, n::text, scope, subject_id, period, span_from, now() - interval '91 days', percent, 1, 1, 0, at, 'none'
       FROM budget_alerts, generate_series(1, 1100) AS n WHERE span_to IS NOT NULL`,
    );
    const store = new AlertStore(dataSource);
    const [one, other] = await Promise.all([store.purge(), store.purge()]);
    expect(one + other).toBe(1100);
    expect(await percents()).toEqual([50, 50]);
  });
});

describe('BudgetAlerts, while PostgreSQL is away', () => {
  it('keeps what it noticed, at most a thousand, and tells all of it when PostgreSQL is back', async () => {
    const postgres = await startPrivatePostgres({ migrated: true });
    const away = createDataSource(postgres.url, 2, []);
    try {
      await away.initialize();
      const id = await insertRow.organization(away);
      const { alerts, metrics } = open({ on: away });
      await postgres.stop();
      const budgets = Array.from({ length: 1_200 }, () => toBudget({ scope: 'key', subject: newId(), alerts: [100] }));
      const notice = (): void => budgets.forEach((budget) => alerts.noticeSpent(id, budget, { spentNanos: 10 * USD, heldNanos: 0 }));
      notice();
      await alerts.write();
      expect((await metrics.scrape()).body).toMatch(/^weir_budget_alerts_waiting 1000$/m);
      await postgres.start();
      const count = async (): Promise<number> => Number((await away.query<{ count: string }[]>('SELECT count(*) FROM budget_alerts'))[0].count);
      await waitFor(async () => (await count()) === 1_000, { what: 'the alerts that waited' });
      // What did not fit is noticed at the next request.
      notice();
      await waitFor(async () => (await count()) === 1_200, { what: 'the rest' });
    } finally {
      for (const side of sides.splice(0)) await side.close();
      await away.destroy();
      await postgres.destroy();
    }
  });
});

describe('alerts to a webhook', () => {
  let server: Server;
  let url: string;
  let received: Received[];
  let respond: (response: ServerResponse, received: number, path: string) => void;

  beforeEach(async () => {
    received = [];
    respond = (response) => response.writeHead(204).end();
    server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        received.push({ headers: request.headers, body: Buffer.concat(chunks).toString() });
        respond(response, received.length, request.url ?? '');
      });
    });
    await listen(0);
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/alerts`;
    await setWebhook(url);
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  function listen(port: number): Promise<void> {
    return new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  }

  async function setWebhook(to: string, { allowPrivate = true, id = organizationId } = {}): Promise<void> {
    const sealed = await texts.seal(new Secret(SECRET), toWebhookSecretPlace(id));
    await dataSource.query('UPDATE organizations SET alert_webhook_url = $2, alert_webhook_secret = $3, alert_webhook_allow_private = $4 WHERE id = $1', [id, to, sealed, allowPrivate]);
  }

  interface StoredAlert {
    readonly id: string;
    readonly delivery: string;
    readonly attempts: number;
    readonly last_status: number | null;
    readonly last_error: string | null;
    readonly in_ms: number | null;
  }

  async function stored(): Promise<StoredAlert[]> {
    return dataSource.query(
      `SELECT id, delivery, attempts, last_status, last_error, (extract(epoch FROM next_attempt_at - now()) * 1000)::float AS in_ms
       FROM budget_alerts WHERE organization_id = $1 ORDER BY percent`,
      [organizationId],
    );
  }

  function spend(side: Side, usd = 5, change: Partial<WatchedBudget> = {}): void {
    side.alerts.noticeSpent(organizationId, toBudget(change), { spentNanos: usd * USD, heldNanos: USD / 4 });
  }

  const settled = (delivery: string, attempts = 1): Promise<StoredAlert[]> =>
    waitFor(
      async () => {
        const rows = await stored();
        // An attempt under way has a minute; a pause after one of the first is shorter.
        const isAtRest = ({ in_ms: inMs }: StoredAlert): boolean => inMs === null || inMs < 30_000;
        return rows.length > 0 && rows.every((row) => row.delivery === delivery && row.attempts === attempts && isAtRest(row)) ? rows : null;
      },
      { what: `all alerts to be ${delivery} after ${attempts} attempts` },
    );

  /** What the pause between two attempts would do. */
  async function passTime(side: Side): Promise<void> {
    await dataSource.query(`UPDATE budget_alerts SET next_attempt_at = now() WHERE delivery = 'queued'`);
    side.deliveries.wake();
  }

  /** As a receiver does it, written down from the specification and not from our code. */
  function isSigned({ headers, body }: Received): boolean {
    const signed = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${body}`;
    const expected = createHmac('sha256', SIGNING_KEY).update(signed, 'utf8').digest('base64');
    const isFresh = Math.abs(Date.now() / 1000 - Number(headers['webhook-timestamp'])) < 300;
    return isFresh && String(headers['webhook-signature']).split(' ').includes(`v1,${expected}`);
  }

  it('are posted once over two processes, signed, with what happened', async () => {
    const both = [open(), open()];
    for (const side of both) spend(side, 5, { model: 'gpt-x' });
    const [row] = await settled('delivered');
    expect(received).toHaveLength(1);
    expect(isSigned(received[0])).toBe(true);
    expect(received[0].headers['webhook-id']).toBe(row.id);
    expect(JSON.parse(received[0].body)).toEqual({
      id: row.id,
      type: 'budget.alert',
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      data: {
        organization_id: organizationId,
        scope: 'organization',
        subject_id: organizationId,
        model: 'gpt-x',
        period: 'month',
        percent: 50,
        amount_usd: '10',
        spent_usd: '5',
        held_usd: '0.25',
        span_from: '2026-11-01T00:00:00.000Z',
        span_to: '2026-12-01T00:00:00.000Z',
      },
    });
    expect(row).toMatchObject({ last_status: 204, last_error: null });
    expect(JSON.stringify(both.map(({ lines }) => lines))).not.toContain('whsec');
  });

  it('come again after 500, under the same id, and end with 200', async () => {
    respond = (response, count) => response.writeHead(count === 1 ? 500 : 200).end();
    const side = open();
    spend(side);
    const [failed] = await settled('queued');
    expect(failed).toMatchObject({ last_status: 500, last_error: 'status' });
    expect(failed.in_ms).toBeGreaterThan(1_000);
    expect(failed.in_ms).toBeLessThanOrEqual(5_000);
    await passTime(side);
    await settled('delivered', 2);
    expect(received.map(({ headers }) => headers['webhook-id'])).toEqual([failed.id, failed.id]);
    expect(received[1].body).toBe(received[0].body);
    expect(received.every(isSigned)).toBe(true);
  });

  it('come again when the receiver was down or slow, and do not follow where it redirects', async () => {
    const side = open({ timeoutMs: 100 });
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    spend(side);
    expect((await settled('queued', 1))[0]).toMatchObject({ last_status: null, last_error: 'ECONNREFUSED' });
    await listen(port);
    respond = () => undefined;
    await passTime(side);
    expect((await settled('queued', 2))[0]).toMatchObject({ last_status: null, last_error: 'timeout' });
    respond = (response) => response.writeHead(307, { location: `${url}/elsewhere` }).end();
    await passTime(side);
    expect((await settled('queued', 3))[0]).toMatchObject({ last_status: 307, last_error: 'redirect' });
    expect(received).toHaveLength(2);
    respond = (response) => response.writeHead(200).end();
    await passTime(side);
    await settled('delivered', 4);
  });

  it('are not sent to a name that stands for 127.0.0.1, unless private addresses are allowed', async () => {
    const { port } = server.address() as AddressInfo;
    await setWebhook(`http://alerts.example:${port}/`, { allowPrivate: false });
    const side = open({ resolve: (_hostname, callback) => callback(null, [{ address: '127.0.0.1', family: 4 }]) });
    spend(side);
    expect((await settled('queued'))[0]).toMatchObject({ last_status: null, last_error: 'address_not_public' });
    expect(received).toEqual([]);
    await setWebhook(`http://alerts.example:${port}/`);
    await passTime(side);
    await settled('delivered', 2);
  });

  it('are given up after a day, at 410, and when the webhook was taken away', async () => {
    const side = open();
    respond = (response) => response.writeHead(503).end();
    spend(side);
    await settled('queued');
    await dataSource.query(`UPDATE budget_alerts SET created_at = now() - interval '24 hours'`);
    await passTime(side);
    expect((await settled('given_up', 2))[0]).toMatchObject({ last_status: 503, last_error: 'status', in_ms: null });
    expect(side.lines.at(-1)?.message).toContain('given up');

    await dataSource.query('DELETE FROM budget_alerts');
    respond = (response) => response.writeHead(410).end();
    spend(open());
    expect((await settled('given_up'))[0]).toMatchObject({ last_status: 410 });

    await dataSource.query('DELETE FROM budget_alerts');
    respond = (response) => response.writeHead(503).end();
    const last = open();
    spend(last);
    await settled('queued');
    await dataSource.query('UPDATE organizations SET alert_webhook_url = NULL, alert_webhook_secret = NULL WHERE id = $1', [organizationId]);
    await passTime(last);
    expect((await settled('given_up', 2))[0]).toMatchObject({ last_error: 'no_webhook' });
  });

  it('wait while the secret cannot be opened, and never go out unsigned', async () => {
    const side = open();
    await dataSource.query('UPDATE organizations SET alert_webhook_secret = $2 WHERE id = $1', [organizationId, Buffer.from('nonsense')]);
    spend(side);
    expect((await settled('queued'))[0]).toMatchObject({ last_error: 'webhook_unreadable' });
    expect(received).toEqual([]);
    await setWebhook(url);
    await passTime(side);
    await settled('delivered', 2);
  });

  it('of a process that died are delivered by another', async () => {
    const dead = new AlertStore(dataSource);
    const side = open();
    respond = (response) => response.writeHead(500).end();
    spend(side);
    await settled('queued');
    await dataSource.query('UPDATE budget_alerts SET next_attempt_at = now()');
    const [taken] = await dead.takeDue(1, []);
    expect(taken.attempts).toBe(2);
    // Taken: nobody else tries while it may be under way.
    side.deliveries.wake();
    expect(await new AlertStore(dataSource).takeDue(10, [])).toEqual([]);
    respond = (response) => response.writeHead(200).end();
    await passTime(side);
    await settled('delivered', 3);
    // Whatever the dead one had to say comes too late.
    await dead.noteAttempt(taken, { delivery: 'queued', status: 500, error: 'status', delayMs: 0 });
    expect((await stored())[0].delivery).toBe('delivered');
  });

  it('of one organization do not wait for the slow webhook of another', async () => {
    const slow = await insertRow.organization(dataSource);
    const held: ServerResponse[] = [];
    // One server for both, so that nothing stays behind when this fails.
    await setWebhook(`${url}/slow`, { id: slow });
    respond = (response, _count, path) => (path.endsWith('/slow') ? held.push(response) : response.writeHead(204).end());
    const store = new AlertStore(dataSource);
    const waiting = Array.from({ length: 30 }, (_, atMs) => ({ id: uuidV7(Date.now()), budget: toBudget({ scope: 'key', subject: newId() }), atMs }));
    for (const alert of waiting) await store.insert({ ...alert, organizationId: slow, percent: 50, spentNanos: 5 * USD, heldNanos: 0 });
    const side = open({ timeoutMs: 20_000 });
    spend(side);
    await settled('delivered');
    // One at a time for the slow one, and that is under way.
    expect(await waitFor(() => held.length > 0 && held.length)).toBe(1);
  });

  it('under way are cut at the end of a process and left to the next', async () => {
    const held = new Promise<void>((resolve) => {
      respond = () => resolve();
    });
    const side = open({ timeoutMs: 20_000 });
    spend(side);
    await held;
    await side.close();
    expect((await stored())[0]).toMatchObject({ delivery: 'queued', attempts: 1, last_error: null });
    respond = (response) => response.writeHead(200).end();
    await passTime(open());
    await settled('delivered', 2);
  });

  it('are not queued for an organization without a webhook', async () => {
    await dataSource.query('UPDATE organizations SET alert_webhook_url = NULL, alert_webhook_secret = NULL WHERE id = $1', [organizationId]);
    const side = open();
    spend(side);
    await side.alerts.write();
    expect((await stored()).map(({ delivery }) => delivery)).toEqual(['none']);
  });
});
