import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, opendir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Readable } from 'node:stream';
import { isErrno, toErrorCode } from '../is-error';
import { syncFolder } from '../sync-folder';
import { BlobMissing, type BlobPlace, type BlobStore, type IsBlobName, type OpenedBlob, storeUnavailable, type StoredBlob, toPutError, toStoreName } from './blob-store';

const UNFINISHED = '.tmp';

/** A folder of this machine, or of one that it shares; readable to its owner alone. */
export class DiskBlobStore<Name extends string> implements BlobStore<Name> {
  /** @param root absolute; made when there is none */
  constructor(
    private readonly root: string,
    private readonly isName: IsBlobName<Name>,
  ) {}

  async put(place: BlobPlace<Name>, content: Readable, signal?: AbortSignal): Promise<void> {
    const path = this.toPath(place);
    const unfinished = `${path}.${randomBytes(6).toString('hex')}${UNFINISHED}`;
    try {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await writeDurably(unfinished, content, signal);
      await rename(unfinished, path);
      // Without this the new name itself may be lost when the power goes.
      await syncFolder(dirname(path));
    } catch (error) {
      content.destroy();
      await rm(unfinished, { force: true }).catch(() => undefined);
      throw toPutError(content, signal, toUnavailable(error));
    }
  }

  async open(place: BlobPlace<Name>, signal?: AbortSignal): Promise<OpenedBlob> {
    let file: FileHandle | null = null;
    try {
      file = await open(this.toPath(place), 'r');
      const { size } = await file.stat();
      return { content: file.createReadStream({ ...(signal === undefined ? {} : { signal }) }), bytes: size };
    } catch (error) {
      await file?.close();
      throw isErrno(error, 'ENOENT') ? new BlobMissing(place.name) : toUnavailable(error);
    }
  }

  async delete(place: BlobPlace<Name>): Promise<void> {
    await rm(this.toPath(place), { force: true }).catch(rethrowUnavailable);
  }

  async *list(folder: string): AsyncGenerator<StoredBlob<Name>> {
    for await (const name of this.readNames(folder)) {
      if (!this.isName(name)) continue;
      const storedAtMs = await this.findChangedAtMs(folder, name);
      if (storedAtMs !== null) yield { name, storedAtMs };
    }
  }

  async dropUnfinished(folder: string, beforeMs: number): Promise<number> {
    let dropped = 0;
    for await (const name of this.readNames(folder)) {
      if (!name.endsWith(UNFINISHED)) continue;
      const changedAtMs = await this.findChangedAtMs(folder, name);
      if (changedAtMs === null || changedAtMs >= beforeMs) continue;
      await rm(join(this.root, folder, name), { force: true }).catch(rethrowUnavailable);
      dropped += 1;
    }
    return dropped;
  }

  close(): void {
    // It holds nothing open.
  }

  private async *readNames(folder: string): AsyncGenerator<string> {
    try {
      for await (const { name } of await opendir(join(this.root, folder))) yield name;
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw toUnavailable(error);
    }
  }

  /** Null when somebody was quicker and deleted it. */
  private async findChangedAtMs(folder: string, name: string): Promise<number | null> {
    try {
      return (await stat(join(this.root, folder, name))).mtimeMs;
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return null;
      throw toUnavailable(error);
    }
  }

  private toPath(place: BlobPlace<Name>): string {
    return join(this.root, toStoreName(place, this.isName));
  }
}

async function writeDurably(path: string, content: Readable, signal: AbortSignal | undefined): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(content, { ...(signal === undefined ? {} : { signal }) });
    await file.sync();
  } finally {
    await file.close();
  }
}

function rethrowUnavailable(error: unknown): never {
  throw toUnavailable(error);
}

function toUnavailable(error: unknown): Error {
  const code = toErrorCode(error);
  // What has no code of the system is a mistake of ours and must be seen as one.
  return code === null && error instanceof Error ? error : storeUnavailable(`disk: ${code ?? 'unknown'}`);
}
