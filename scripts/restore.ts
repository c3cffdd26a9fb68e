import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type UpstreamId } from '@weir/kernel';
import { createDataSource, createLogger, type DatabaseServer, getEncryptionKeys, loadConfiguration, LogDestination, openDatabaseServer, runMigrations } from '@weir/platform';
import { BaseUrlError, parseBaseUrl, UpstreamEntity } from '@weir/upstreams';
import { KeyRing, UpstreamKeyEntity, UpstreamKeyVault } from '@weir/vault';
import { Client } from 'pg';
import { MIGRATIONS } from '../migrations';
import { ArchiveError } from './archive/archive-error';
import { readArchive } from './archive/archive-file';
import { FileLoad } from './archive/archived-files';
import { DatabaseLoad } from './archive/load-database';
import { readPassphrase } from './backup';
import { FAILED, runScript, type ScriptInput, SUCCEEDED, UsageError } from './run-script';

const USAGE = 'usage: restore <file> [--passphrase-file <file>] [--files-to <folder>]';

interface Arguments {
  readonly path: string;
  readonly passphraseFile: string | null;
  readonly filesTo: string | null;
}

/** What came out of a backup. */
interface Restored {
  readonly at: string;
  readonly rows: number;
  readonly files: number;
  readonly leftOut: readonly string[];
}

/**
 * Puts a backup into an empty installation, whole or not at all, brings it to this version, and tries
 * the key ring on every upstream key. Weir must not run meanwhile.
 */
export async function restore({ args, environment, print, tell }: ScriptInput): Promise<number> {
  const { path, passphraseFile, filesTo } = parseArguments(args);
  const passphrase = passphraseFile === null ? null : await readPassphrase(passphraseFile);
  const configuration = loadConfiguration(environment);
  const log = { ...configuration.log, level: 'warn', file: null } as const;
  const logger = createLogger(log, new LogDestination(log, tell));
  try {
    const server = await openDatabaseServer(configuration, logger);
    try {
      const restored = await load(server, path, passphrase, new FileLoad(configuration.dataDirectory, filesTo, `restore-${randomBytes(6).toString('hex')}`));
      await runMigrations(createDataSource(server.url, 1, [], MIGRATIONS));
      print(`Restored the backup of ${restored.at}: ${restored.rows} rows, ${restored.files} files.\n`);
      if (restored.leftOut.length > 0) print(`Not written, as no --files-to says where to: ${restored.leftOut.join(', ')}.\n`);
      return await tryKeyRing(server, await getEncryptionKeys(configuration, server.dataDirectory), print);
    } finally {
      await server.close();
    }
  } finally {
    logger.closeDestination();
  }
}

async function load(server: DatabaseServer, path: string, passphrase: string | null, files: FileLoad): Promise<Restored> {
  const records = readArchive(path, passphrase);
  const first = await records.next();
  if (first.done === true || first.value.kind !== 'backup') throw new ArchiveError('the backup is damaged');
  const { at, migrations } = first.value;
  await migrateTo(server.url, migrations);
  const client = new Client({ connectionString: server.url, connectionTimeoutMillis: 10_000 });
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query('BEGIN');
    const database = await DatabaseLoad.begin(client);
    for await (const record of records) {
      await database.take(record);
      await files.take(record);
      if (record.kind === 'end' && (record.rows !== database.rows || record.files !== files.files)) throw new ArchiveError('the backup is not whole');
    }
    await database.finish();
    await files.finish();
    await client.query('COMMIT');
    return { at, rows: database.rows, files: files.files, leftOut: files.leftOut };
  } finally {
    await files.discard();
    // Without a COMMIT nothing has happened.
    await client.end();
  }
}

/** The schema that the rows were in; what came later is done to them as it was to others'. */
async function migrateTo(url: string, names: readonly string[]): Promise<void> {
  const known = MIGRATIONS.filter(({ name }) => names.includes(name));
  if (known.length < names.length) throw new ArchiveError('the backup is of a newer Weir: restore it with that version');
  await runMigrations(createDataSource(url, 1, [], known));
}

async function tryKeyRing(server: DatabaseServer, encryptionKeys: string, print: (text: string) => void): Promise<number> {
  const dataSource = createDataSource(server.url, 2, [UpstreamEntity, UpstreamKeyEntity]);
  await dataSource.initialize();
  try {
    const origins = new Map<UpstreamId, string>();
    for (const { id, baseUrl } of await dataSource.manager.find(UpstreamEntity)) {
      const origin = findOrigin(baseUrl);
      if (origin !== null) origins.set(id, origin);
    }
    let unreadable = 0;
    const opened = await new UpstreamKeyVault(dataSource.manager, KeyRing.parse(encryptionKeys)).openAll(origins, () => (unreadable += 1));
    print(`Providers' keys that open with the key ring of this installation: ${opened.length}.\n`);
    if (unreadable === 0) return SUCCEEDED;
    print(`${unreadable} do not: set ENCRYPTION_KEYS to the ring that the backup's installation had.\n`);
    return FAILED;
  } finally {
    await dataSource.destroy();
  }
}

function findOrigin(baseUrl: string): string | null {
  try {
    return parseBaseUrl(baseUrl).origin;
  } catch (error) {
    if (error instanceof BaseUrlError) return null;
    throw error;
  }
}

function parseArguments(args: readonly string[]): Arguments {
  const { values, positionals } = readOptions(args);
  const [path, ...others] = positionals;
  if (path === undefined || others.length > 0) throw new UsageError(USAGE);
  const { 'passphrase-file': passphraseFile = null, 'files-to': filesTo } = values;
  return { path: resolve(path), passphraseFile, filesTo: filesTo === undefined ? null : resolve(filesTo) };
}

function readOptions(args: readonly string[]) {
  const options = { 'passphrase-file': { type: 'string' }, 'files-to': { type: 'string' } } as const;
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch {
    throw new UsageError(USAGE);
  }
}

if (require.main === module) void runScript('restore', restore);
