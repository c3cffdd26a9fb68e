import { type OrganizationId, type ProxyKeyId, uuidV7 } from '@weir/kernel';
import { createDataSource } from '@weir/platform';
import { insertRow } from '@weir/testing';
import { type DataSource } from 'typeorm';
import { createTestDatabase, startPrivatePostgres, type TestDatabase } from '../../../../../test/support/postgres';
import { type MeshId, newMeshId } from './mesh-job';
import { MeshTable } from './mesh-table';

const HOUR_MS = 3_600_000;
const TIMES = { leaseMs: 30_000, waitMs: 24 * HOUR_MS, retentionMs: 24 * HOUR_MS };
const ERROR = { code: 'upstream_error', message: 'no' };

let database: TestDatabase;
let dataSource: DataSource;
let table: MeshTable;
let ours: Owner;

interface Owner {
  readonly organizationId: OrganizationId;
  readonly keyId: ProxyKeyId;
}

beforeAll(async () => {
  database = await createTestDatabase();
  dataSource = await createDataSource(database.url, 6, []).initialize();
  table = new MeshTable(dataSource, TIMES);
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});
beforeEach(async () => {
  await dataSource.query('DELETE FROM mesh_jobs');
  ours = await addOwner();
});

async function addOwner(): Promise<Owner> {
  const organizationId = await insertRow.organization(dataSource);
  return { organizationId, keyId: await insertRow.proxyKey(dataSource, { organizationId, publicId: organizationId.slice(-12), key: organizationId }) };
}

async function add(owner: Owner = ours, model = 'm', mostOpen = 100): Promise<MeshId> {
  const id = newMeshId(Date.now());
  await table.insert({ id, ...owner, model, request: Buffer.from('sealed') }, mostOpen);
  return id;
}

const claim = () => table.claim(uuidV7(Date.now()));

async function mustClaim() {
  const job = await claim();
  if (job === null) throw new Error('nothing was due');
  return job;
}

const endLease = (id: MeshId): Promise<unknown> => dataSource.query('UPDATE mesh_jobs SET lease_until = now() WHERE id = $1', [id]);
const statusOf = async (id: MeshId): Promise<string | undefined> => (await table.find(ours.organizationId, id))?.status;

describe('a job', () => {
  it('is owned by one run at a time, of many that ask at once', async () => {
    // All connections are open, so that the claims run side by side.
    await Promise.all(Array.from({ length: 6 }, () => dataSource.query('SELECT pg_sleep(0.05)')));
    const ids: MeshId[] = [];
    for (let index = 0; index < 20; index++) ids.push(await add());
    const claims = (await Promise.all(Array.from({ length: 40 }, claim))).filter((job) => job !== null);
    expect(claims.map(({ id }) => id).sort()).toEqual(ids);
    expect(claims[0]).toMatchObject({ keyId: ours.keyId, attempts: 1, request: Buffer.from('sealed') });
    expect(await claim()).toBeNull();
  });

  it('goes to another run once its lease is over, and the first can change nothing any more', async () => {
    const id = await add();
    const first = await mustClaim();
    expect(await table.renew([first])).toEqual(new Set([first.runId]));
    await endLease(id);
    const second = await mustClaim();
    expect([second.id, second.attempts]).toEqual([id, 2]);
    expect(await table.renew([first, second])).toEqual(new Set([second.runId]));
    expect(await table.complete(first, 5)).toBe(false);
    expect(await table.fail(first, ERROR)).toBe(false);
    expect(await table.putBack(first, 0, true, null)).toBe(false);
    await table.noteProgress(first, 50);
    expect(await table.find(ours.organizationId, id)).toMatchObject({ status: 'in_progress', progress: 0 });
    expect(await table.complete(second, 5)).toBe(true);
    expect(await table.find(ours.organizationId, id)).toMatchObject({ status: 'completed', progress: 100, file: { id, runId: second.runId, bytes: 5 } });
  });

  it('is run three times at most; a run that was called off does not count', async () => {
    const id = await add();
    await table.putBack(await mustClaim(), 0, false, null);
    for (const run of [1, 2, 3]) {
      const job = await mustClaim();
      expect(job.attempts).toBe(run);
      await endLease(id);
    }
    expect(await claim()).toBeNull();
    await table.failOverdue({ code: 'late', message: 'late' }, { code: 'abandoned', message: 'abandoned' });
    expect(await table.find(ours.organizationId, id)).toMatchObject({ status: 'failed', error: { code: 'abandoned' } });
  });

  it('that waits is not due before its time, does not show why, and fails for that reason when it has waited too long', async () => {
    const id = await add();
    await table.putBack(await mustClaim(), HOUR_MS, false, ERROR);
    expect(await claim()).toBeNull();
    expect(await table.find(ours.organizationId, id)).toMatchObject({ status: 'queued', error: null });
    await dataSource.query('UPDATE mesh_jobs SET expires_at = now(), due_at = now()');
    expect(await claim()).toBeNull();
    await table.failOverdue({ code: 'late', message: 'late' }, ERROR);
    expect(await table.find(ours.organizationId, id)).toMatchObject({ status: 'failed', error: ERROR });
  });

  it('of one that asks for many does not hold up those of others, nor one model another', async () => {
    const theirs = await addOwner();
    const many: MeshId[] = [];
    for (let index = 0; index < 3; index++) many.push(await add(ours, 'busy'));
    const [lone, other] = [await add(theirs, 'busy'), await add(ours, 'idle')];
    const order: MeshId[] = [];
    for (let index = 0; index < 5; index++) order.push((await mustClaim()).id);
    expect(order).toEqual([many[0], lone, other, many[1], many[2]]);
  });

  it('is refused when its organization has as many as it may have, though all are asked for at once', async () => {
    const added = await Promise.allSettled(Array.from({ length: 10 }, () => add(ours, 'm', 4)));
    expect(added.filter(({ status }) => status === 'fulfilled')).toHaveLength(4);
    expect(added.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'rate_limit_exceeded', retryAfterMs: 10_000 } });
    await table.fail(await mustClaim(), ERROR);
    await add(ours, 'm', 4);
    await add(await addOwner(), 'm', 1);
  });

  it('of another organization is not there', async () => {
    const id = await add();
    const { organizationId } = await addOwner();
    expect(await table.find(organizationId, id)).toBeNull();
    expect(await table.delete(organizationId, id)).toBeNull();
    expect(await table.list(organizationId, 10, null)).toEqual([]);
    expect(await statusOf(id)).toBe('queued');
  });

  it('keeps its request only for as long as it is needed', async () => {
    const [done, failed] = [await add(), await add()];
    await table.complete(await mustClaim(), 1);
    await table.fail(await mustClaim(), ERROR);
    const rows: unknown[] = await dataSource.query('SELECT id FROM mesh_jobs WHERE request IS NOT NULL');
    expect([rows, await statusOf(done), await statusOf(failed)]).toEqual([[], 'completed', 'failed']);
  });

  it('is gone when its time is over, before it is swept and after; one that has not ended stays', async () => {
    const [done, open] = [await add(), await add()];
    await table.complete(await mustClaim(), 1);
    await dataSource.query('UPDATE mesh_jobs SET expires_at = now()');
    expect([await statusOf(done), await statusOf(open)]).toEqual([undefined, 'queued']);
    expect((await table.list(ours.organizationId, 10, null)).map(({ id }) => id)).toEqual([open]);
    expect(await table.sweep()).toBe(1);
    expect(await dataSource.query('SELECT id FROM mesh_jobs')).toEqual([{ id: open }]);
  });

  it('is known by the run that owns it or made its mesh, and by no other', async () => {
    const [done, open, failed] = [await add(), await add(), await add()];
    const [completing, running, failing] = [await mustClaim(), await mustClaim(), await mustClaim()];
    expect([completing.id, running.id, failing.id]).toEqual([done, open, failed]);
    await table.complete(completing, 1);
    await table.fail(failing, ERROR);
    const ofNobody = [{ id: done, runId: running.runId }, { id: failed, runId: failing.runId }, { id: newMeshId(1), runId: uuidV7(1) }];
    expect(await table.findUnknown([completing, running, ...ofNobody])).toEqual(ofNobody);
    expect(await table.findUnknown([])).toEqual([]);
    expect(await table.getFolder()).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('outlives its key, and says that it is gone', async () => {
    await add();
    await dataSource.query('DELETE FROM proxy_keys WHERE id = $1', [ours.keyId]);
    expect(await claim()).toMatchObject({ keyId: null });
    await expect(add()).rejects.toMatchObject({ code: 'invalid_api_key' });
  });
});

it('says in time that PostgreSQL is away', async () => {
  const postgres = await startPrivatePostgres({ migrated: true });
  const source = await createDataSource(postgres.url, 2, []).initialize();
  await postgres.stop();
  await expect(new MeshTable(source, TIMES, 500).claim(uuidV7(1))).rejects.toMatchObject({ code: 'database_unavailable', retryAfterMs: 1_000 });
  await source.destroy().catch(() => undefined);
  await postgres.destroy();
});
