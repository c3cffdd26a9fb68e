import { AdminKeyEntity, OrganizationEntity, ProjectEntity, ProxyKeyEntity, UserEntity } from '@weir/access';
import {
  type Configuration,
  createDataSource,
  createLogger,
  type DatabaseServer,
  LogDestination,
  loadConfiguration,
  openDatabaseServer,
  runMigrations,
} from '@weir/platform';
import { ModelEntity, ModelTargetEntity, UpstreamEntity } from '@weir/upstreams';
import { UpstreamKeyEntity } from '@weir/vault';
import { type DataSource } from 'typeorm';
import { MIGRATIONS } from '../migrations';

/** What a script works on. */
export interface ScriptContext {
  readonly configuration: Configuration;
  readonly server: DatabaseServer;
  readonly dataSource: DataSource;
}

const ENTITIES = [OrganizationEntity, ProjectEntity, UserEntity, AdminKeyEntity, ProxyKeyEntity, UpstreamEntity, UpstreamKeyEntity, ModelEntity, ModelTargetEntity];
/** A script does one thing after another; two leave room for a transaction beside a read. */
const CONNECTIONS = 2;

/** Opens the configured database, migrated, runs the work and closes everything however that ends. */
export async function withDatabase<Answer>(
  environment: NodeJS.ProcessEnv,
  work: (context: ScriptContext) => Promise<Answer>,
): Promise<Answer> {
  const configuration = loadConfiguration(environment);
  // Only what goes wrong, and on stderr: stdout is the script's answer.
  const log = { ...configuration.log, level: 'warn', file: null } as const;
  const logger = createLogger(log, new LogDestination(log, (text) => process.stderr.write(text)));
  try {
    return await onServer(await openDatabaseServer(configuration, logger), configuration, work);
  } finally {
    logger.closeDestination();
  }
}

async function onServer<Answer>(
  server: DatabaseServer,
  configuration: Configuration,
  work: (context: ScriptContext) => Promise<Answer>,
): Promise<Answer> {
  try {
    const dataSource = createDataSource(server.url, CONNECTIONS, ENTITIES, MIGRATIONS);
    await runMigrations(dataSource);
    await dataSource.initialize();
    try {
      return await work({ configuration, server, dataSource });
    } finally {
      await dataSource.destroy();
    }
  } finally {
    await server.close();
  }
}
