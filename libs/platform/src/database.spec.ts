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

  it('names the variable, and no password, when the database turns us away', async () => {
    const url = new URL(database.url);
    const say = async (change: (url: URL) => void): Promise<string> => {
      const changed = new URL(url.href);
      changed.password = 'hunter2';
      change(changed);
      return runMigrations(createDataSource(changed.href, 2, [], MIGRATIONS)).then(
        () => 'migrated',
        (error: unknown) => String(error),
      );
    };
    const refused = await say(() => undefined);
    expect(refused).toMatch(/^ConfigurationError: DATABASE_URL .*refuses the user or the password \(28P01\); correct them there$/);
    const unreachable = await say((changed) => (changed.port = '1'));
    expect(unreachable).toMatch(/^ConfigurationError: DATABASE_URL .*cannot be reached \(ECONNREFUSED\); is it started, and is that where it is\?$/);
    const missing = await say((changed) => {
      changed.password = url.password;
      changed.pathname = '/no_such_database';
    });
    expect(missing).toMatch(/^ConfigurationError: DATABASE_URL .*no database of this name \(3D000\); make it/);
    for (const text of [refused, unreachable, missing]) expect(text).not.toContain('hunter2');
  });
});
