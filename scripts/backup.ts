import { readFile, mkdir, readdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type Clock, systemClock } from '@weir/kernel';
import { createLogger, type DatabaseServer, loadConfiguration, LogDestination, openDatabaseServer } from '@weir/platform';
import { Client } from 'pg';
import { ArchiveError } from './archive/archive-error';
import { readArchive, writeArchive } from './archive/archive-file';
import { type ArchiveRecord } from './archive/archive-record';
import { dumpFile, type FileSource, findFiles } from './archive/archived-files';
import { dumpDatabase } from './archive/dump-database';
import { type Retention, toBackupName, toExpired } from './archive/to-expired';
import { runScript, type ScriptInput, SUCCEEDED, UsageError } from './run-script';

const USAGE = 'usage: backup --to <folder> [--passphrase-file <file> [--include <file>]…] [--keep <number>] [--keep-days <days>]';
const SHORTEST_PASSPHRASE = 12;

interface Arguments extends Retention {
  readonly folder: string;
  readonly passphraseFile: string | null;
  readonly included: readonly string[];
}

interface Counts {
  rows: number;
  files: number;
}

/**
 * Writes the database, the voices and, where it is encrypted, the secrets and the named files into one
 * file; reads it again to its end; and deletes those that have had their time. Safe while Weir serves.
 */
export async function backup(input: ScriptInput, clock: Clock = systemClock): Promise<number> {
  const { args, environment, print, tell } = input;
  const { folder, passphraseFile, included, ...retention } = parseArguments(args);
  const passphrase = passphraseFile === null ? null : await readPassphrase(passphraseFile);
  const configuration = loadConfiguration(environment);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const at = new Date(clock.nowMs());
  const path = join(folder, toBackupName(at));
  const sources = await findFiles(configuration.dataDirectory, included, passphrase !== null);
  const log = { ...configuration.log, level: 'warn', file: null } as const;
  const logger = createLogger(log, new LogDestination(log, tell));
  try {
    const server = await openDatabaseServer(configuration, logger);
    try {
      await onClient(server, (client) => writeArchive(path, toRecords(client, at, sources), passphrase));
    } finally {
      await server.close();
    }
  } finally {
    logger.closeDestination();
  }
  const { rows, files } = await verify(path, passphrase);
  print(`Wrote ${path}: ${rows} rows, ${files} files; read again, and whole.\n`);
  if (passphrase === null) tell(UNSEALED_WARNING);
  if (configuration.voiceStore.kind === 's3') print('Voices are in the bucket, and not in the backup.\n');
  await deleteExpired(folder, clock.nowMs(), retention, print);
  return SUCCEEDED;
}

const UNSEALED_WARNING =
  'Warning: this backup is not encrypted. Whoever reads it has the usage, the names of callers and the voices. ' +
  'The key ring is left out: without ENCRYPTION_KEY (or secrets/encryption-keys of the data folder), kept elsewhere, the providers\' keys in it are lost. ' +
  'Encrypt it with --passphrase-file.\n';

async function onClient<Answer>(server: DatabaseServer, work: (client: Client) => Promise<Answer>): Promise<Answer> {
  const client = new Client({ connectionString: server.url, connectionTimeoutMillis: 10_000 });
  client.on('error', () => undefined);
  await client.connect().catch((error: unknown) => {
    throw new ArchiveError(`DATABASE_URL (or POSTGRES_…): the database cannot be reached (${String(Reflect.get(Object(error), 'code') ?? 'unknown')})`);
  });
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function* toRecords(client: Client, at: Date, sources: readonly FileSource[]): AsyncGenerator<ArchiveRecord> {
  const counts: Counts = { rows: 0, files: 0 };
  for await (const record of dumpDatabase(client, at)) {
    if (record.kind === 'rows') counts.rows += record.rows.length;
    yield record;
  }
  for (const source of sources) {
    for await (const record of dumpFile(source)) {
      if (record.kind === 'file') counts.files += 1;
      yield record;
    }
  }
  yield { kind: 'end', ...counts };
}

/** A backup that cannot be read is none. */
async function verify(path: string, passphrase: string | null): Promise<Counts> {
  const counts: Counts = { rows: 0, files: 0 };
  for await (const record of readArchive(path, passphrase)) {
    if (record.kind === 'rows') counts.rows += record.rows.length;
    else if (record.kind === 'file') counts.files += 1;
    else if (record.kind === 'end' && (record.rows !== counts.rows || record.files !== counts.files)) throw new ArchiveError(`${path} is not whole`);
  }
  return counts;
}

async function deleteExpired(folder: string, nowMs: number, retention: Retention, print: (text: string) => void): Promise<void> {
  for (const name of toExpired(await readdir(folder), nowMs, retention)) {
    await rm(join(folder, name));
    print(`Deleted ${join(folder, name)}.\n`);
  }
}

/** One line; a file, because a command line and an environment can be read by others. */
export async function readPassphrase(path: string): Promise<string> {
  const passphrase = (await readFile(path, 'utf8').catch(() => null))?.trim();
  if (passphrase === undefined) throw new ArchiveError(`the passphrase file ${path} cannot be read`);
  if (passphrase.length < SHORTEST_PASSPHRASE) throw new ArchiveError(`the passphrase in ${path} is too short: openssl rand -base64 32 makes one`);
  return passphrase;
}

function parseArguments(args: readonly string[]): Arguments {
  const { to, include: included = [], keep, 'keep-days': keepDays, 'passphrase-file': passphraseFile = null } = readOptions(args);
  // Such files hold secrets: they do not go into a file that anybody can read.
  if (to === undefined || (included.length > 0 && passphraseFile === null)) throw new UsageError(USAGE);
  return { folder: resolve(to), passphraseFile, included: included.map((path) => resolve(path)), keep: toCount(keep), keepDays: toCount(keepDays) };
}

function toCount(text: string | undefined): number | null {
  if (text === undefined) return null;
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new UsageError(USAGE);
  return Number(text);
}

function readOptions(args: readonly string[]) {
  const options = {
    to: { type: 'string' },
    'passphrase-file': { type: 'string' },
    include: { type: 'string', multiple: true },
    keep: { type: 'string' },
    'keep-days': { type: 'string' },
  } as const;
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch {
    throw new UsageError(USAGE);
  }
}

if (require.main === module) void runScript('backup', (input) => backup(input));
