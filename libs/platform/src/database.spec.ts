import { createDataSource, runMigrations } from '@weir/platform';
import { MIGRATIONS } from '../../../migrations';
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres';

describe('runMigrations', () => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await createTestDatabase({ empty: true });
  });
  afterEach(() => database.drop());

  it('lets one of two processes migrate while the other waits and finds nothing to do', async () => {
    const ran = await Promise.all([1, 2].map(() => runMigrations(createDataSource(database.url, 2, [], MIGRATIONS))));
    expect(ran.map((names) => names.length).sort()).toEqual([0, MIGRATIONS.length]);
    expect(await database.query('SELECT name FROM migrations ORDER BY id')).toEqual(MIGRATIONS.map(({ name }) => ({ name })));
  });

  it('does nothing the second time', async () => {
    const dataSource = createDataSource(database.url, 2, [], MIGRATIONS);
    expect(await runMigrations(dataSource)).toHaveLength(MIGRATIONS.length);
    expect(await runMigrations(dataSource)).toEqual([]);
  });
});
