import { createDataSource, createLogger, LogDestination, loadConfiguration, openDatabaseServer, runMigrations } from '@weir/platform';
import { MIGRATIONS } from '../migrations';
import { runScript, type ScriptInput, SUCCEEDED } from './run-script';

/**
 * Makes the database ready for this version of Weir: starts the embedded one where none is
 * configured, and runs the migrations that have not run. Running it again does nothing.
 */
export async function initDatabase({ environment, print, tell }: ScriptInput): Promise<number> {
  const configuration = loadConfiguration(environment);
  const log = { ...configuration.log, level: 'warn', file: null } as const;
  const logger = createLogger(log, new LogDestination(log, tell));
  try {
    const server = await openDatabaseServer(configuration, logger);
    try {
      const names = await runMigrations(createDataSource(server.url, 1, [], MIGRATIONS));
      for (const name of names) print(`Ran migration ${name}.\n`);
      const place = configuration.database.kind === 'url' ? 'The configured PostgreSQL' : `The embedded PostgreSQL in ${configuration.dataDirectory}`;
      print(names.length === 0 ? `${place} is up to date; nothing to do.\n` : `${place} is ready.\n`);
      return SUCCEEDED;
    } finally {
      await server.close();
    }
  } finally {
    logger.closeDestination();
  }
}

if (require.main === module) void runScript('init_db', initDatabase);
