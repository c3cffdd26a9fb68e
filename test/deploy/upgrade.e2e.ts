import { createDataSource, runMigrations } from '@weir/platform';
import { UpstreamSimulator } from '@weir/testing';
import { MIGRATIONS } from '../../migrations';
import { chat } from '../support/chat';
import { createTestDatabase, type TestDatabase } from '../support/postgres';
import { addKey, addModel, addUpstream, waitForModel, Weir } from '../support/weir';
import { findReleasedMigrations } from './release-before';

const ORGANIZATION = '018f0000-0000-7000-8000-000000000001';

const released = findReleasedMigrations();
let database: TestDatabase;
let simulator: UpstreamSimulator;
beforeAll(async () => {
  simulator = await new UpstreamSimulator().start();
  database = await createTestDatabase({ empty: true });
  await runMigrations(createDataSource(database.url, 1, [], released));
  await database.query(`INSERT INTO organizations (id, name) VALUES ('${ORGANIZATION}', 'was there before')`);
});
afterAll(() => Promise.all([simulator.stop(), database.drop()]));

describe('the schema of the release before this one', () => {
  it('is brought to this version by the migrations, keeps its rows, and serves', async () => {
    expect(released.length).toBeGreaterThan(1);
    // The first admin is made by hand here, before the start: so the job of the migrations runs first, as in an upgrade.
    await runMigrations(createDataSource(database.url, 1, [], MIGRATIONS));
    const weir = await Weir.start({ databaseUrl: database.url });
    const { id } = await addUpstream(weir, { name: 'simulator', baseUrl: simulator.baseUrl, secrets: ['sk-simulated'] });
    await addModel(weir, 'upgraded', [id]);
    const { key } = await addKey(weir);
    await waitForModel(weir, key, 'upgraded');
    expect((await chat(weir, key, 'upgraded')).status).toBe(200);
    expect(await database.query(`SELECT name FROM organizations WHERE id = '${ORGANIZATION}'`)).toEqual([{ name: 'was there before' }]);
    const ran = await database.query<{ name: string }>('SELECT name FROM migrations ORDER BY id');
    expect(ran.map(({ name }) => name)).toEqual(MIGRATIONS.map(({ name }) => name));
    await weir.stop();
  });

  it('can still be written by the release before, once this one has migrated: nothing that it names is gone or newly asked for', async () => {
    const old = await createTestDatabase({ empty: true });
    await runMigrations(createDataSource(old.url, 1, [], released));
    const before = await readColumns(old);
    const after = await readColumns(database);
    const types = new Map(after.map((column) => [`${column.table}.${column.name}`, column]));
    expect(before.filter(({ table, name, type }) => types.get(`${table}.${name}`)?.type !== type)).toEqual([]);
    // A column that is new in a table that is old must not be asked for: the old code does not name it.
    const known = new Set(before.map(({ table, name }) => `${table}.${name}`));
    const tables = new Set(before.map(({ table }) => table));
    expect(after.filter(({ table, name, isAskedFor }) => tables.has(table) && !known.has(`${table}.${name}`) && isAskedFor)).toEqual([]);
    await old.drop();
  });
});

interface Column {
  table: string;
  name: string;
  type: string;
  /** Whoever inserts must name it. */
  isAskedFor: boolean;
}

function readColumns(from: TestDatabase): Promise<Column[]> {
  return from.query<Column>(`SELECT table_name AS "table", column_name AS name, data_type AS type,
      is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO' AS "isAskedFor"
    FROM information_schema.columns WHERE table_schema = 'public' AND table_name !~ '_\\d{4}_\\d{2}$' ORDER BY 1, 2`);
}
