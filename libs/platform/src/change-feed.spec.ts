import { newId, systemClock, type Clock, type OrganizationId } from '@weir/kernel';
import { type ChangeBatch, ChangeFeed, type SnapshotChange } from '@weir/platform';
import { Client } from 'pg';
import { createTestDatabase, startPrivatePostgres, type TestDatabase } from '../../../test/support/postgres';
import { waitFor } from '../../../test/support/wait-for';

const NEVER_MS = 3_600_000;
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

describe('ChangeFeed', () => {
  let database: TestDatabase;
  let feed: ChangeFeed;
  let told: ChangeBatch[];

  beforeEach(async () => {
    database = await createTestDatabase();
    told = [];
  });
  afterEach(async () => {
    await feed.stop();
    await database.drop();
  });

  async function startFeed(options: { pollIntervalMs?: number; pruneIntervalMs?: number; clock?: Clock } = {}): Promise<void> {
    feed = new ChangeFeed({ url: database.url, clock: systemClock, logger: silent, ...options });
    feed.subscribe(async (changes) => void told.push(changes));
    await feed.start();
  }

  const changesTold = (): SnapshotChange[] => told.flatMap((batch) => (batch === 'everything' ? [] : batch));
  const wasTold = (objectId: string) => () => changesTold().some((change) => change.objectId === objectId);

  async function addOrganization(run = database.query.bind(database)): Promise<OrganizationId> {
    const id = newId<OrganizationId>();
    await run('INSERT INTO organizations (id, name) VALUES ($1::uuid, $1::text)', [id]);
    return id;
  }

  async function openClient(): Promise<Client> {
    const client = new Client({ connectionString: database.url });
    await client.connect();
    return client;
  }

  it('has told every listener everything when it has started', async () => {
    await startFeed();
    expect(told).toEqual(['everything']);
    expect(feed.isFresh).toBe(true);
  });

  it('tells a change by notification, without waiting for the poll', async () => {
    await startFeed({ pollIntervalMs: NEVER_MS });
    const id = await addOrganization();
    await waitFor(wasTold(id));
    expect(changesTold()).toEqual([{ kind: 'organization', objectId: id }]);
  });

  it('tells a change by the poll when no notification comes', async () => {
    await startFeed({ pollIntervalMs: 50 });
    const id = newId<OrganizationId>();
    // Written past the trigger, so that nothing rings.
    await database.query(`INSERT INTO snapshot_changes (kind, object_id) VALUES ('organization', $1)`, [id]);
    await waitFor(wasTold(id));
  });

  it('tells what changed while its connection was dead', async () => {
    await startFeed();
    const killed = await database.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'weir change feed' AND datname = $1`,
      [database.name],
    );
    expect(killed).toHaveLength(1);
    const id = await addOrganization();
    await waitFor(wasTold(id));
    expect(told.filter((batch) => batch === 'everything')).toHaveLength(1);
  });

  it('does not miss a transaction that got its number first and committed last', async () => {
    await startFeed({ pollIntervalMs: 50 });
    const slow = await openClient();
    try {
      await slow.query('BEGIN');
      const slowId = await addOrganization(async (sql, parameters) => (await slow.query(sql, parameters)).rows);
      const quickId = await addOrganization();
      await waitFor(wasTold(quickId));
      expect(wasTold(slowId)()).toBe(false);
      await slow.query('COMMIT');
      await waitFor(wasTold(slowId));
      expect(changesTold().filter(({ objectId }) => objectId === quickId)).toHaveLength(1);
    } finally {
      await slow.end();
    }
  });

  it('tells nothing of a transaction that is rolled back', async () => {
    await startFeed({ pollIntervalMs: 50 });
    const client = await openClient();
    try {
      await client.query('BEGIN');
      const undone = await addOrganization(async (sql, parameters) => (await client.query(sql, parameters)).rows);
      await client.query('ROLLBACK');
      const kept = await addOrganization();
      await waitFor(wasTold(kept));
      expect(wasTold(undone)()).toBe(false);
    } finally {
      await client.end();
    }
  });

  it('tells a change again to a listener that failed, in order, while the others go on', async () => {
    await startFeed();
    await feed.stop();
    feed = new ChangeFeed({ url: database.url, clock: systemClock, logger: silent });
    const taken: ChangeBatch[] = [];
    const failures: Error[] = [];
    feed.subscribe(async (changes) => {
      if (changes !== 'everything' && failures.length < 2) {
        failures.push(new Error('not now'));
        throw failures[0];
      }
      taken.push(changes);
    });
    const others: ChangeBatch[] = [];
    feed.subscribe(async (changes) => void others.push(changes));
    await feed.start();
    const first = await addOrganization();
    await waitFor(() => failures.length > 0);
    const second = await addOrganization();
    await waitFor(() => taken.flat().length >= 3);
    expect(taken[0]).toBe('everything');
    const ids = taken.slice(1).flatMap((batch) => (batch === 'everything' ? [] : batch.map(({ objectId }) => objectId)));
    expect(ids).toEqual([first, second]);
    await waitFor(() => others.flat().length === 3);
  });

  it('tells everything after a gap that is longer than rows are kept for sure', async () => {
    let nowMs = systemClock.nowMs();
    await startFeed({ pollIntervalMs: 50, clock: { nowMs: () => nowMs, monotonicMs: () => systemClock.monotonicMs() } });
    expect(told).toHaveLength(1);
    nowMs += 3_600_000;
    await waitFor(() => told.length === 2);
    expect(told[1]).toBe('everything');
  });

  it('deletes changes that are more than a day old, and none that is younger', async () => {
    await database.query(`INSERT INTO snapshot_changes (kind, object_id, at) VALUES
      ('model', '${newId()}', now() - interval '25 hours'), ('model', '${newId()}', now() - interval '23 hours')`);
    await startFeed({ pollIntervalMs: 20, pruneIntervalMs: 1 });
    const countOld = () => database.query(`SELECT at FROM snapshot_changes WHERE at < now() - interval '24 hours'`);
    await waitFor(async () => (await countOld()).length === 0);
    expect(await database.query('SELECT at FROM snapshot_changes')).toHaveLength(1);
  });

  it('passes over kinds of a newer Weir', async () => {
    await startFeed({ pollIntervalMs: 50 });
    await database.query(`INSERT INTO snapshot_changes (kind, object_id) VALUES ('from_the_future', $1)`, [newId()]);
    const id = await addOrganization();
    await waitFor(wasTold(id));
    expect(changesTold()).toHaveLength(1);
  });

  it('tells everything instead of ten thousands of single changes', async () => {
    await startFeed();
    await database.query(`INSERT INTO organizations (id, name) SELECT gen_random_uuid(), n::text FROM generate_series(1, 10001) n`);
    await waitFor(() => told.length === 2);
    expect(told[1]).toBe('everything');
  });

  it('follows on when PostgreSQL is stopped and started again', async () => {
    const server = await startPrivatePostgres({ migrated: true });
    try {
      feed = new ChangeFeed({ url: server.url, clock: systemClock, logger: silent });
      feed.subscribe(async (changes) => void told.push(changes));
      await feed.start();
      await server.stop();
      await waitFor(() => !feed.isFresh, { what: 'the feed to say that it is not fresh' });
      await server.start();
      const client = new Client({ connectionString: server.url });
      await client.connect();
      const id = await addOrganization(async (sql, parameters) => (await client.query(sql, parameters)).rows);
      await client.end();
      await waitFor(wasTold(id));
      expect(feed.isFresh).toBe(true);
    } finally {
      await feed.stop();
      await server.destroy();
    }
  });
});
