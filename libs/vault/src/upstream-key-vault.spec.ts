import { newId, Secret, type UpstreamId, type UpstreamKeyId } from '@weir/kernel';
import { createDataSource } from '@weir/platform';
import { randomBytes } from 'node:crypto';
import { type DataSource } from 'typeorm';
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres';
import { KeyRing } from './key-ring';
import { type RotationReport } from './rotate-upstream-keys';
import { UpstreamKeyEntity } from './upstream-key.entity';
import { type UpstreamKeyUnreadable } from './upstream-key-unreadable';
import { type UpstreamKeyStatusReport, UpstreamKeyVault } from './upstream-key-vault';

const ORIGIN = 'https://api.openai.com';
const OLD = `old:${randomBytes(32).toString('hex')}`;
const NEW = `new:${randomBytes(32).toString('hex')}`;
const ROTATED = KeyRing.parse(`${NEW},${OLD}`);

let database: TestDatabase;
let dataSource: DataSource;
let vault: UpstreamKeyVault;
let upstreamId: UpstreamId;

beforeAll(async () => {
  database = await createTestDatabase();
  dataSource = await createDataSource(database.url, 4, [UpstreamKeyEntity]).initialize();
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});
beforeEach(async () => {
  await dataSource.query('DELETE FROM upstreams');
  vault = new UpstreamKeyVault(dataSource.manager, KeyRing.parse(OLD));
  upstreamId = await addUpstream();
});

async function addUpstream(): Promise<UpstreamId> {
  const id = newId<UpstreamId>();
  await dataSource.query(`INSERT INTO upstreams (id, name, provider, base_url) VALUES ($1, $2, 'openai', $3)`, [id, id, ORIGIN]);
  return id;
}

async function add(secret: string, to = upstreamId): Promise<UpstreamKeyId> {
  return (await vault.add({ upstreamId: to, origin: ORIGIN, secret: new Secret(secret) })).id;
}

const unexpected = (error: UpstreamKeyUnreadable): never => {
  throw error;
};

/** The secrets as the pool would get them, by key. */
async function openSecrets(by = vault, origin = ORIGIN, onUnreadable: (error: UpstreamKeyUnreadable) => void = unexpected) {
  const upstreams = await dataSource.query<{ id: UpstreamId }[]>('SELECT id FROM upstreams');
  const opened = await by.openAll(new Map(upstreams.map(({ id }) => [id, origin])), onUnreadable);
  return new Map(opened.map(({ id, secret }) => [id, secret.expose()]));
}

const findOrigin = () => Promise.resolve(ORIGIN);
const rotate = (by = ROTATED, options = {}): Promise<RotationReport> =>
  new UpstreamKeyVault(dataSource.manager, by).rotateAll({ findOrigin, ...options });

describe('add', () => {
  it('stores a secret that only openAll gives back', async () => {
    const id = await add('sk-canary-1');
    expect(await openSecrets()).toEqual(new Map([[id, 'sk-canary-1']]));
    const [{ text }] = await database.query<{ text: string }>('SELECT upstream_keys::text AS text FROM upstream_keys');
    expect(text).not.toContain('canary');
  });

  it('shows neither envelope nor fingerprint', async () => {
    await add('sk-canary-1');
    const [view] = await vault.list(upstreamId);
    expect(view).toMatchObject({ upstreamId, status: 'active', enabled: true, failureCount: 0, encryptionKeyId: 'old' });
    expect(Object.keys(view)).not.toContain('envelope');
    expect(Object.keys(view)).not.toContain('fingerprint');
  });

  it('refuses a secret that the upstream holds, and takes it for another upstream', async () => {
    const id = await add('sk-1');
    await expect(add('sk-1')).rejects.toMatchObject({ code: 'conflict' });
    expect(await vault.findHeld(upstreamId, new Secret('sk-1'))).toBe(id);
    const other = await addUpstream();
    expect(await vault.findHeld(other, new Secret('sk-1'))).toBeNull();
    await add('sk-1', other);
    const fingerprints = await dataSource.query<unknown[]>('SELECT DISTINCT fingerprint FROM upstream_keys');
    expect(fingerprints).toHaveLength(2);
  });

  it('refuses a secret that was written under an older key of the ring', async () => {
    const id = await add('sk-1');
    const rotated = new UpstreamKeyVault(dataSource.manager, ROTATED);
    expect(await rotated.findHeld(upstreamId, new Secret('sk-1'))).toBe(id);
    await expect(rotated.add({ upstreamId, origin: ORIGIN, secret: new Secret('sk-1') })).rejects.toMatchObject({ code: 'conflict' });
  });

  it('takes a secret once when it is added by several at the same time under different keys of the ring', async () => {
    const writers = [ROTATED, KeyRing.parse(`${OLD},${NEW}`), ROTATED].map((ring) => new UpstreamKeyVault(dataSource.manager, ring));
    const answers = await Promise.allSettled(writers.map((by) => by.add({ upstreamId, origin: ORIGIN, secret: new Secret('sk-1') })));
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await vault.list(upstreamId)).toHaveLength(1);
  });

  it('refuses an unknown upstream and a secret that no header can carry', async () => {
    await expect(add('sk-1', newId<UpstreamId>())).rejects.toMatchObject({ code: 'not_found' });
    await expect(add('sk-1\r\nx: y')).rejects.toMatchObject({ code: 'invalid_request', param: 'secret' });
    expect(await vault.list()).toEqual([]);
  });
});

describe('openAll', () => {
  it('opens the keys of the given upstreams only', async () => {
    const other = await addUpstream();
    await add('sk-1');
    await add('sk-2', other);
    const opened = await vault.openAll(new Map([[other, ORIGIN]]), unexpected);
    expect(opened.map(({ secret }) => secret.expose())).toEqual(['sk-2']);
    expect(await vault.openAll(new Map(), unexpected)).toEqual([]);
  });

  it('leaves out rows whose envelopes were swapped, and tells of each; the others open', async () => {
    const [first, second, third] = [await add('sk-1'), await add('sk-2'), await add('sk-3')];
    await dataSource.query(
      `UPDATE upstream_keys a SET envelope = b.envelope FROM upstream_keys b WHERE (a.id, b.id) IN (($1::uuid, $2::uuid), ($2::uuid, $1::uuid))`,
      [first, second],
    );
    const told: UpstreamKeyUnreadable[] = [];
    expect(await openSecrets(vault, ORIGIN, (error) => told.push(error))).toEqual(new Map([[third, 'sk-3']]));
    expect(told.map(({ upstreamKeyId, reason }) => [upstreamKeyId, reason])).toEqual([[first, 'not_authentic'], [second, 'not_authentic']]);
  });

  it('opens nothing for a host that was changed in the table', async () => {
    const id = await add('sk-1');
    const told: UpstreamKeyId[] = [];
    const opened = await openSecrets(vault, 'https://evil.example', ({ upstreamKeyId }) => told.push(upstreamKeyId));
    expect([...opened.keys()]).toEqual([]);
    expect(told).toEqual([id]);
  });
});

describe('replaceSecret', () => {
  it('puts another secret in place and forgets the old one’s failures', async () => {
    const id = await add('sk-1');
    await vault.recordStatus(id, { status: 'disabled', reason: 'bad_key', untilMs: null, newFailures: 3, lastFailureAtMs: 5 });
    const view = await vault.replaceSecret(id, ORIGIN, new Secret('sk-2'));
    expect(view).toMatchObject({ status: 'active', statusReason: null, failureCount: 0, lastFailureAt: null });
    expect(await openSecrets()).toEqual(new Map([[id, 'sk-2']]));
    expect(await vault.findHeld(upstreamId, new Secret('sk-1'))).toBeNull();
  });

  it('refuses the secret of a sibling, and takes its own again', async () => {
    const id = await add('sk-1');
    await add('sk-2');
    await expect(vault.replaceSecret(id, ORIGIN, new Secret('sk-2'))).rejects.toMatchObject({ code: 'conflict' });
    await vault.replaceSecret(id, ORIGIN, new Secret('sk-1'));
    await expect(vault.replaceSecret(newId<UpstreamKeyId>(), ORIGIN, new Secret('sk-9'))).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('rebind', () => {
  const elsewhere = 'https://llm.example:8443';

  it('needs every secret again, and names the keys whose secret is missing', async () => {
    const [first, second] = [await add('sk-1'), await add('sk-2')];
    await expect(vault.rebind(upstreamId, elsewhere, new Map([[first, new Secret('sk-1')]]))).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining(second),
    });
    expect((await openSecrets()).size).toBe(2);
  });

  it('opens the keys at the new host, and no longer at the old one', async () => {
    const id = await add('sk-1');
    await vault.rebind(upstreamId, elsewhere, new Map([[id, new Secret('sk-1')]]));
    expect(await openSecrets(vault, elsewhere)).toEqual(new Map([[id, 'sk-1']]));
    expect((await openSecrets(vault, ORIGIN, () => undefined)).size).toBe(0);
  });

  it('is undone with the transaction it is part of', async () => {
    const id = await add('sk-1');
    const change = dataSource.transaction(async (manager) => {
      await vault.within(manager).rebind(upstreamId, elsewhere, new Map([[id, new Secret('sk-1')]]));
      throw new Error('the base URL could not be written');
    });
    await expect(change).rejects.toThrow('could not be written');
    expect(await openSecrets()).toEqual(new Map([[id, 'sk-1']]));
  });

  it('refuses a key of another upstream', async () => {
    const foreign = await add('sk-9', await addUpstream());
    await expect(vault.rebind(upstreamId, elsewhere, new Map([[foreign, new Secret('sk-9')]]))).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('status', () => {
  const report: UpstreamKeyStatusReport = { status: 'cooling', reason: 'throttled for openai/gpt', untilMs: 60_000, newFailures: 2, lastFailureAtMs: 9_000 };

  it('is written for people, and failures of several processes add up', async () => {
    const id = await add('sk-1');
    expect(await vault.recordStatus(id, report)).toBe(true);
    expect(await vault.recordStatus(id, { ...report, newFailures: 1, lastFailureAtMs: 4_000 })).toBe(true);
    expect((await vault.list())[0]).toMatchObject({
      status: 'cooling',
      statusReason: 'throttled for openai/gpt',
      statusUntil: new Date(60_000),
      failureCount: 3,
      lastFailureAt: new Date(9_000),
    });
  });

  it('wakes no process when nothing is new', async () => {
    const id = await add('sk-1');
    await vault.recordStatus(id, report);
    const count = async () => (await dataSource.query<{ n: string }[]>('SELECT count(*) AS n FROM snapshot_changes'))[0].n;
    const before = await count();
    expect(await vault.recordStatus(id, { ...report, newFailures: 0 })).toBe(false);
    expect(await count()).toBe(before);
    expect(await vault.recordStatus(newId<UpstreamKeyId>(), report)).toBe(false);
  });

  it('is cleared when an admin switches the key on, and kept when it is renamed', async () => {
    const id = await add('sk-1');
    await vault.recordStatus(id, report);
    expect(await vault.update(id, { label: 'second' })).toMatchObject({ label: 'second', status: 'cooling' });
    expect(await vault.update(id, { enabled: false })).toMatchObject({ enabled: false, status: 'cooling' });
    expect(await vault.update(id, { enabled: true })).toMatchObject({ enabled: true, status: 'active', failureCount: 0 });
  });

  it('goes with the key', async () => {
    const id = await add('sk-1');
    await vault.remove(id);
    await expect(vault.remove(id)).rejects.toMatchObject({ code: 'not_found' });
    await expect(vault.update(id, { label: 'x' })).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('rotateAll', () => {
  it('re-encrypts every row with the writing key, so that the old key may leave the ring', async () => {
    const secrets = new Map<UpstreamKeyId, string>();
    for (let index = 0; index < 7; index++) secrets.set(await add(`sk-${index}`), `sk-${index}`);
    const progress: number[] = [];
    const report = await rotate(ROTATED, { batchSize: 3, onProgress: ({ rotated }: RotationReport) => progress.push(rotated) });
    expect(report).toEqual({ rotated: 7, skipped: 0, failures: [], remaining: 0 });
    expect(progress).toEqual([3, 6, 7]);
    const onlyNew = new UpstreamKeyVault(dataSource.manager, KeyRing.parse(NEW));
    expect(await openSecrets(onlyNew)).toEqual(secrets);
    expect(await onlyNew.findHeld(upstreamId, new Secret('sk-3'))).not.toBeNull();
  });

  it('does nothing the second time', async () => {
    await add('sk-1');
    await rotate();
    expect(await rotate()).toEqual({ rotated: 0, skipped: 0, failures: [], remaining: 0 });
  });

  it('goes on past a row that does not open, and reports it', async () => {
    const [, broken] = [await add('sk-1'), await add('sk-2'), await add('sk-3')];
    await dataSource.query(`UPDATE upstream_keys SET envelope = jsonb_set(envelope, '{tag}', '"AAAAAAAAAAAAAAAAAAAAAA"') WHERE id = $1`, [broken]);
    expect(await rotate(ROTATED, { batchSize: 1 })).toEqual({
      rotated: 2,
      skipped: 0,
      failures: [{ upstreamKeyId: broken, reason: 'not_authentic' }],
      remaining: 1,
    });
  });

  it('says when the key that wrote a row is missing, or the upstream has no host', async () => {
    await add('sk-1');
    expect((await rotate(KeyRing.parse(NEW))).failures).toMatchObject([{ reason: 'unknown_encryption_key' }]);
    expect((await rotate(ROTATED, { findOrigin: () => Promise.resolve(null) })).failures).toMatchObject([{ reason: 'no_origin' }]);
  });

  it('never brings back a secret that was replaced between reading and writing', async () => {
    const id = await add('sk-1');
    let replaced = false;
    const report = await rotate(ROTATED, {
      findOrigin: async () => {
        if (!replaced) {
          replaced = true;
          await vault.replaceSecret(id, ORIGIN, new Secret('sk-2'));
        }
        return ORIGIN;
      },
    });
    expect(report).toMatchObject({ rotated: 1, remaining: 0 });
    expect(await openSecrets(new UpstreamKeyVault(dataSource.manager, ROTATED))).toEqual(new Map([[id, 'sk-2']]));
  });

  it('passes over rows that are removed or rotated by another run meanwhile', async () => {
    const [removed] = [await add('sk-1'), await add('sk-2')];
    let first = true;
    const report = await rotate(ROTATED, {
      findOrigin: async () => {
        if (first) {
          first = false;
          await vault.remove(removed);
          await rotate();
        }
        return ORIGIN;
      },
    });
    expect(report).toEqual({ rotated: 0, skipped: 2, failures: [], remaining: 0 });
  });

  it('gives up on a row that is changed again and again, and says so', async () => {
    const id = await add('sk-0');
    let turn = 0;
    const report = await rotate(ROTATED, {
      findOrigin: async () => {
        await vault.replaceSecret(id, ORIGIN, new Secret(`sk-${++turn}`));
        return ORIGIN;
      },
    });
    expect(report).toEqual({ rotated: 0, skipped: 0, failures: [{ upstreamKeyId: id, reason: 'contended' }], remaining: 1 });
  });
});
