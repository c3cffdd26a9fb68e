import { Client } from 'pg';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { toConnectError } from './to-connect-error';

/** No statement of the control plane or the ledger should take long; one that does holds a connection. */
const STATEMENT_TIMEOUT_MS = 30_000;
const CONNECT_TIMEOUT_MS = 5_000;
/** Names Weir's migrations among a database's advisory locks: the bytes of "weir". */
const MIGRATION_LOCK = 0x77656972;

/**
 * The connections to PostgreSQL, not yet opened (`initialize()`). It survives a restart of the
 * database: a connection that breaks while idle is dropped and made anew when one is wanted.
 */
export function createDataSource(
  url: string,
  poolSize: number,
  entities: DataSourceOptions['entities'],
  migrations: DataSourceOptions['migrations'] = [],
): DataSource {
  return new DataSource({
    type: 'postgres',
    url,
    poolSize,
    entities,
    migrations,
    applicationName: 'weir',
    connectTimeoutMS: CONNECT_TIMEOUT_MS,
    // Otherwise findOneBy({ id: undefined }) answers the first row of the table.
    invalidWhereValuesBehavior: { null: 'throw', undefined: 'throw' },
    migrationsTableName: 'migrations',
    migrationsTransactionMode: 'each',
    installExtensions: false,
    logging: false,
    // A pool without a listener ends the process when the database restarts. Whoever uses the
    // connection next is told; there is nothing to do here.
    poolErrorHandler: () => undefined,
    extra: {
      statement_timeout: STATEMENT_TIMEOUT_MS,
      idle_in_transaction_session_timeout: STATEMENT_TIMEOUT_MS,
      keepAlive: true,
    },
  });
}

/**
 * Brings the database to the newest schema: of several processes one does it and the others wait,
 * then find nothing to do.
 * @returns the names of the migrations that ran.
 * @throws ConfigurationError when the database cannot be reached, refuses the user, or has no room.
 */
export async function runMigrations(dataSource: DataSource): Promise<string[]> {
  const { options } = dataSource;
  if (options.type !== 'postgres' || options.url === undefined) throw new Error('migrations need a data source with a URL');
  const lock = new Client({ connectionString: options.url, connectionTimeoutMillis: CONNECT_TIMEOUT_MS, keepAlive: true });
  lock.on('error', () => undefined);
  await lock.connect().catch((error: unknown) => {
    throw toConnectError(error);
  });
  try {
    await lock.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    return await migrate(options).catch((error: unknown) => {
      throw toConnectError(error);
    });
  } finally {
    // Ending the session gives the lock back.
    await lock.end();
  }
}

/** On a connection of its own, because building an index may take longer than any statement should. */
async function migrate(options: DataSourceOptions): Promise<string[]> {
  const migrator = new DataSource({ ...options, entities: [], poolSize: 1, extra: { keepAlive: true } } as DataSourceOptions);
  await migrator.initialize();
  try {
    const migrations = await migrator.runMigrations();
    return migrations.map(({ name }) => name);
  } finally {
    await migrator.destroy();
  }
}
