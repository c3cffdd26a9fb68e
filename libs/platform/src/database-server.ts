import { randomBytes } from 'node:crypto';
import { type Logger } from 'pino';
import { type Configuration } from './configuration';
import { DataDirectory, DataDirectoryInUseError } from './data-directory';
import { EmbeddedPostgres } from './embedded-postgres/embedded-postgres';

/** The database a script works on, and the folder with the secrets that go with it. */
export interface DatabaseServer {
  readonly url: string;
  readonly dataDirectory: DataDirectory;
  /** Stops the embedded server if it was started for this, and lets the folder go. */
  close(): Promise<void>;
}

/**
 * What a script needs before it can touch the database. While Weir runs with its embedded
 * database, the script joins that; otherwise it starts the embedded database for itself.
 */
export async function openDatabaseServer(configuration: Configuration, logger: Pick<Logger, 'info' | 'warn' | 'error' | 'debug'>): Promise<DatabaseServer> {
  if (configuration.database.kind === 'url') {
    const dataDirectory = DataDirectory.openShared(configuration.dataDirectory);
    return { url: configuration.database.url, dataDirectory, close: async () => undefined };
  }
  try {
    const dataDirectory = await DataDirectory.open(configuration.dataDirectory);
    return await startFor(dataDirectory, logger);
  } catch (error) {
    if (!(error instanceof DataDirectoryInUseError)) throw error;
    const url = await EmbeddedPostgres.findRunningUrl(configuration.dataDirectory);
    if (url === null) throw error;
    return { url, dataDirectory: DataDirectory.openShared(configuration.dataDirectory), close: async () => undefined };
  }
}

async function startFor(dataDirectory: DataDirectory, logger: Pick<Logger, 'info' | 'warn' | 'error' | 'debug'>): Promise<DatabaseServer> {
  try {
    const server = await EmbeddedPostgres.start({ dataDirectory: dataDirectory.path, logger });
    const close = async () => {
      await server.stop();
      dataDirectory.close();
    };
    return { url: server.url, dataDirectory, close };
  } catch (error) {
    dataDirectory.close();
    throw error;
  }
}

/** The configured key ring, or with the embedded database the one it keeps beside itself. */
export async function getEncryptionKeys(configuration: Configuration, dataDirectory: DataDirectory): Promise<string> {
  if (configuration.encryptionKeys !== null) return configuration.encryptionKeys;
  return dataDirectory.getOrCreateSecret('encryption-keys', () => `k1:${randomBytes(32).toString('hex')}`);
}
