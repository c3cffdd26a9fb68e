import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, rmdirSync } from 'node:fs';
import { rm, rmdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { isUuid } from '@weir/kernel';
import { ConfigurationError, FolderLock, isErrno, LOCK_FILE, toWriteFault } from '@weir/platform';
import { syncFolderNow } from './segment-file';

const SEGMENT = /^(\d{6,})\.log$/;
const MAKING_ATTEMPTS = 5;

/** One process's spool, `<parent>/<uuid>/`, held by whoever has made or adopted it. */
export class SpoolFolder {
  private constructor(
    readonly path: string,
    private readonly lock: FolderLock,
  ) {}

  /** A new one. @throws ConfigurationError when the parent cannot be written. */
  static make(parent: string): SpoolFolder {
    try {
      mkdirSync(parent, { recursive: true, mode: 0o700 });
      for (let attempt = 0; attempt < MAKING_ATTEMPTS; attempt++) {
        const path = join(parent, randomUUID());
        mkdirSync(path, { mode: 0o700 });
        const folder = SpoolFolder.adopt(path, { isNew: true });
        // Between these two lines another process may have taken it for an orphan, and deleted it.
        if (folder === null) continue;
        syncFolderNow(parent);
        return folder;
      }
    } catch (error) {
      throw new ConfigurationError(`WEIR_DATA_DIR: the spool ${parent} ${toWriteFault(error)}`);
    }
    throw new Error('no folder could be made for the spool');
  }

  /** The spools under the parent, whoever has them. */
  static list(parent: string): string[] {
    return readdirSync(parent)
      .filter((name) => isUuid(name))
      .map((name) => join(parent, name));
  }

  /** Takes a spool whose process has died. @returns null when somebody has it, or it is gone. */
  static adopt(path: string, { isNew = false } = {}): SpoolFolder | null {
    if (!isNew && !existsSync(join(path, LOCK_FILE))) {
      removeIfEmpty(path);
      return null;
    }
    let lock: FolderLock | null;
    try {
      lock = FolderLock.take(path);
    } catch (error) {
      if (!existsSync(join(path, LOCK_FILE))) return null;
      throw error;
    }
    if (lock === null) return null;
    if (existsSync(join(path, LOCK_FILE))) return new SpoolFolder(path, lock);
    // Whoever had it has deleted it since the file was opened here: this lock locks nothing any more.
    lock.release();
    return null;
  }

  get name(): string {
    return basename(this.path);
  }

  /** The numbers of its segments, in the order in which they were written. */
  listSegments(): number[] {
    return readdirSync(this.path)
      .flatMap((name) => SEGMENT.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((one, other) => one - other);
  }

  toSegmentPath(number: number): string {
    return join(this.path, `${String(number).padStart(6, '0')}.log`);
  }

  /** Leaves it to others. */
  release(): void {
    this.lock.release();
  }

  /** Deletes it. Oldest segment first, as while it was used: what is left after a crash in between still makes sense. */
  async remove(): Promise<void> {
    for (const number of this.listSegments()) await rm(this.toSegmentPath(number), { force: true });
    await rm(join(this.path, LOCK_FILE), { force: true });
    await rmdir(this.path).catch(() => undefined);
    this.lock.release();
  }
}

/** What a crash during the deletion left; one that is just being made does not mind, and gets another name. */
function removeIfEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    if (!isErrno(error, 'ENOTEMPTY') && !isErrno(error, 'ENOENT')) throw error;
  }
}
