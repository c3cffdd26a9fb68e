import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { isErrno, isError } from './is-error';

/** The file in the folder that is locked. */
export const LOCK_FILE = 'lock';

/**
 * A folder that one process has at a time. The operating system takes the lock back however the
 * process ends, so that nothing stale can stop anybody and no reused process id can fake a holder;
 * Node offers such a lock only through SQLite, whose database file stays empty here.
 */
export class FolderLock {
  private constructor(private readonly database: DatabaseSync) {}

  /**
   * @returns null when it is taken already.
   * @throws Error when the folder is not there or nothing can be written in it.
   */
  static take(folder: string): FolderLock | null {
    const path = join(folder, LOCK_FILE);
    makeFile(path);
    let database: DatabaseSync | null = null;
    try {
      database = new DatabaseSync(path, { timeout: 0 });
      // Nothing is ever written, so there is no journal to leave behind.
      database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
      return new FolderLock(database);
    } catch (error) {
      database?.close();
      if (isError(error) && error.message.includes('database is locked')) return null;
      throw error;
    }
  }

  release(): void {
    if (this.database.isOpen) this.database.close();
  }
}

/**
 * Whoever can open the file can lock it. One that is there is not opened: a process that closes any
 * descriptor of a file loses its locks on it, and SQLite alone takes care of that.
 */
function makeFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
  }
}
