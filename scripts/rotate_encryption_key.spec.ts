import { newId, type OrganizationId, Secret, type UpstreamId, type UpstreamKeyId } from '@weir/kernel';
import { OrganizationEntity } from '@weir/access';
import { createDataSource } from '@weir/platform';
import { KeyRing, sealBytes, SealedTexts, UpstreamKeyEntity, UpstreamKeyVault } from '@weir/vault';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DataSource } from 'typeorm';
import { findAlertWebhook } from '../apps/gateway/src/admin/organizations/find-alert-webhook';
import { toWebhookSecretPlace } from '../apps/gateway/src/alerts/to-webhook-secret-place';
import { createTestDatabase, type TestDatabase } from '../test/support/postgres';
import { rotateEncryptionKey } from './rotate_encryption_key';
import { FAILED, SUCCEEDED, toExitCode, WRONG_USAGE } from './run-script';

const ORIGIN = 'https://api.openai.com';
const OLD = `old:${randomBytes(32).toString('hex')}`;
const NEW = `new:${randomBytes(32).toString('hex')}`;

let database: TestDatabase;
let folder: string;
let dataSource: DataSource;
let upstreamId: UpstreamId;
let keyId: UpstreamKeyId;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'weir-script-'));
  database = await createTestDatabase();
  dataSource = await createDataSource(database.url, 2, [UpstreamKeyEntity, OrganizationEntity]).initialize();
  upstreamId = newId<UpstreamId>();
  await dataSource.query(`INSERT INTO upstreams (id, name, provider, base_url) VALUES ($1, 'one', 'openai', $2)`, [upstreamId, `${ORIGIN}/v1`]);
  keyId = (await makeVault(OLD).add({ upstreamId, origin: ORIGIN, secret: new Secret('sk-canary') })).id;
});
afterEach(async () => {
  rmSync(folder, { recursive: true, force: true });
  await dataSource.destroy();
  await database.drop();
});

function makeVault(ring: string): UpstreamKeyVault {
  return new UpstreamKeyVault(dataSource.manager, KeyRing.parse(ring));
}

async function run(ring: string, args: string[] = []): Promise<{ code: number; printed: string; told: string }> {
  let printed = '';
  let told = '';
  const code = await toExitCode('rotate_encryption_key', rotateEncryptionKey, {
    args,
    environment: { WEIR_DATA_DIR: folder, DATABASE_URL: database.url, ENCRYPTION_KEYS: ring },
    print: (text) => (printed += text),
    tell: (text) => (told += text),
  });
  return { code, printed, told };
}

describe('rotate_encryption_key', () => {
  it('does not let the older key go while an answer that is kept for repeats needs it', async () => {
    const [{ id: organizationId }] = await dataSource.query<{ id: string }[]>(`INSERT INTO organizations (id, name) VALUES (gen_random_uuid(), 'one') RETURNING id`);
    const [{ id: callerKeyId }] = await dataSource.query<{ id: string }[]>(
      `INSERT INTO proxy_keys (id, organization_id, name, public_id, secret_hash) VALUES (gen_random_uuid(), $1, 'k', '0123456789abcdef', $2) RETURNING id`,
      [organizationId, randomBytes(32)],
    );
    const keep = async (ring: string): Promise<void> => {
      await dataSource.query(
        `INSERT INTO idempotency_records (key_id, name_hash, request_hash, run_id, state, status, headers, body, expires_at) VALUES ($1, $2, $2, gen_random_uuid(), 'finished', 200, '[]', $3, now() + interval '1 hour')`,
        [callerKeyId, randomBytes(32), await sealBytes(KeyRing.parse(ring), Buffer.from('an answer'), 'place')],
      );
    };
    await keep(NEW);
    expect((await run(`${NEW},${OLD}`)).printed).toContain('They may leave the ring');
    await keep(OLD);
    const { code, printed } = await run(`${NEW},${OLD}`);
    expect([code, printed]).toEqual([SUCCEEDED, expect.stringContaining('still need an older key: 1.')]);
    expect(printed).not.toContain('They may leave the ring');
  });

  it('re-encrypts with the first key of the ring, so that the others may leave it', async () => {
    const { code, printed, told } = await run(`${NEW},${OLD}`);
    expect(code).toBe(SUCCEEDED);
    expect(printed).toContain('re-encrypted with "new": 1');
    const opened = await makeVault(NEW).openAll(new Map([[upstreamId, ORIGIN]]), (error) => {
      throw error;
    });
    expect(opened.map(({ id, secret }) => [id, secret.expose()])).toEqual([[keyId, 'sk-canary']]);
    for (const text of [printed, told]) expect(text).not.toMatch(/canary|[0-9a-f]{64}/);
  });

  it('re-encrypts the secrets of webhooks, and keeps quiet about the older keys while one of them does not open', async () => {
    const [good, lost] = [newId<OrganizationId>(), newId<OrganizationId>()];
    const add = async (id: OrganizationId, ring: string) => {
      const sealed = await new SealedTexts(KeyRing.parse(ring)).seal(new Secret('whsec_canary'), toWebhookSecretPlace(id));
      await dataSource.query(`INSERT INTO organizations (id, name, alert_webhook_url, alert_webhook_secret) VALUES ($1, $2, 'https://a.example/', $3)`, [id, id, sealed]);
    };
    await add(good, OLD);
    await add(lost, `old:${randomBytes(32).toString('hex')}`);
    const failed = await run(`${NEW},${OLD}`);
    expect(failed.code).toBe(FAILED);
    expect(failed.printed).toContain('Webhook secrets re-encrypted: 1.');
    expect(failed.printed).toContain(`The webhook secret of organization ${lost} does not open`);
    expect(failed.printed).not.toMatch(/may leave the ring|canary/);
    const found = await findAlertWebhook(dataSource.manager, new SealedTexts(KeyRing.parse(NEW)), good);
    expect(found?.secret.expose()).toBe('whsec_canary');
    await dataSource.query('UPDATE organizations SET alert_webhook_url = NULL, alert_webhook_secret = NULL WHERE id = $1', [lost]);
    const done = await run(`${NEW},${OLD}`);
    expect([done.code, done.printed]).toEqual([SUCCEEDED, expect.stringContaining('Webhook secrets re-encrypted: 0.')]);
    expect(done.printed).toContain('may leave the ring');
  });

  it('finds nothing to do the second time', async () => {
    await run(`${NEW},${OLD}`);
    const { code, printed } = await run(`${NEW},${OLD}`);
    expect(code).toBe(SUCCEEDED);
    expect(printed).toContain('re-encrypted with "new": 0');
  });

  it('fails and names the row when one cannot be opened', async () => {
    const { code, printed } = await run(NEW);
    expect(code).toBe(FAILED);
    expect(printed).toContain(`Upstream key ${keyId} was left as it is: unknown_encryption_key.`);
  });

  it('fails with one line for a ring that is wrong, without repeating it', async () => {
    const { code, printed, told } = await run(`${NEW},${NEW.replace('new', 'again')}`);
    expect({ code, printed }).toEqual({ code: FAILED, printed: '' });
    expect(told).toMatch(/^rotate_encryption_key: [^\n]+\n$/);
    expect(told).not.toContain(NEW.slice(4));
  });

  it('takes no arguments', async () => {
    expect(await run(NEW, ['--force'])).toMatchObject({ code: WRONG_USAGE, printed: '' });
  });
});
