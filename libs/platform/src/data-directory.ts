import { access, constants, mkdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigurationError } from './configuration';
import { FolderLock } from './folder-lock';
import { isErrno, isError } from './is-error';
import { getOrCreateSecretFile, writeFileAtomically } from './secret-file';
import { toWriteFault } from './to-write-fault';

const SECRET_NAME = /^[a-z0-9-]{1,64}$/;

/**
 * The folder of everything Weir keeps by itself: the embedded database, secrets, the spools of the
 * ledger. One process owns it at a time.
 */
export class DataDirectory {
  private constructor(
    readonly path: string,
    private readonly lock: FolderLock | null,
  ) {}

  /**
   * Makes the folder when there is none, and takes it for this process.
   * @throws ConfigurationError when it cannot be written; DataDirectoryInUseError when another process has it.
   */
  static async open(path: string): Promise<DataDirectory> {
    const folder = resolve(path);
    await makeFolder(folder);
    const lock = await takeLock(folder);
    try {
      // Only for people: the lock decides, this says who holds it.
      await writeFileAtomically(join(folder, 'pid'), `${process.pid}\n`);
    } catch (error) {
      lock.release();
      throw toFolderError(folder, error);
    }
    return new DataDirectory(folder, lock);
  }

  /**
   * For a script beside a running Weir: reaches the secrets and leaves the lock to its holder.
   * Nothing is made until a secret is: with a database of your own there may be no such folder.
   */
  static openShared(path: string): DataDirectory {
    return new DataDirectory(resolve(path), null);
  }

  /** A secret that is made once and then kept, readable to its owner alone. */
  async getOrCreateSecret(name: string, make: () => string): Promise<string> {
    return getOrCreateSecretFile(this.secretPath(name), make);
  }

  /** Replaces a secret, whole or not at all. */
  async writeSecret(name: string, secret: string): Promise<void> {
    const path = this.secretPath(name);
    await mkdir(join(this.path, 'secrets'), { recursive: true, mode: 0o700 });
    await writeFileAtomically(path, secret + '\n');
  }

  /** Lets another process have the folder. */
  close(): void {
    this.lock?.release();
  }

  private secretPath(name: string): string {
    if (!SECRET_NAME.test(name)) throw new TypeError('not the name of a secret');
    return join(this.path, 'secrets', name);
  }
}

/** Another process owns the data folder. */
export class DataDirectoryInUseError extends Error {
  constructor(
    readonly path: string,
    readonly pid: number | null,
  ) {
    super(`another Weir${pid === null ? '' : ` (pid ${pid})`} uses this folder: ${path}; stop it, or set WEIR_DATA_DIR to another folder`);
    this.name = 'DataDirectoryInUseError';
  }
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await access(folder, constants.W_OK | constants.X_OK);
    await mkdir(join(folder, 'secrets'), { recursive: true, mode: 0o700 });
    await access(join(folder, 'secrets'), constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw toFolderError(folder, error);
  }
}

const toFolderError = (folder: string, error: unknown): Error => new ConfigurationError(`WEIR_DATA_DIR: the folder ${folder} ${toWriteFault(error)}`);

async function takeLock(folder: string): Promise<FolderLock> {
  let lock: FolderLock | null;
  try {
    lock = FolderLock.take(folder);
  } catch (error) {
    throw new ConfigurationError(`WEIR_DATA_DIR: the folder ${folder} cannot be locked (${isError(error) ? error.message : 'unknown'})`);
  }
  if (lock === null) throw new DataDirectoryInUseError(folder, await readHolder(folder));
  return lock;
}

/** The holder writes its number right after it has the lock; until then an older one may stand there. */
async function readHolder(folder: string): Promise<number | null> {
  for (let attempt = 0; attempt < 10; attempt++) {
    const pid = Number(await readFile(join(folder, 'pid'), 'utf8').catch(() => ''));
    if (Number.isInteger(pid) && pid > 0 && isAlive(pid)) return pid;
    await sleep(50);
  }
  return null;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return isErrno(error, 'EPERM');
  }
}
