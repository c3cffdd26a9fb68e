import { isUuid, WeirError } from '@weir/kernel';
import { isErrno, toErrorCode } from '@weir/platform';
import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, opendir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Readable } from 'node:stream';
import { isMeshId, type MeshFile } from './mesh-job';

const RETRY_AFTER_MS = 5_000;

/** Meshes as files in a folder of this machine, readable to their owner alone. Named by Weir's own ids, never by anything a caller wrote. */
export class MeshFiles {
  /** @param root absolute; made when there is none */
  constructor(private readonly root: string) {}

  /**
   * Writes a mesh whole or not at all, and durably.
   * @throws WeirError no_upstream_available when the disk does not take it
   */
  async write(place: Omit<MeshFile, 'bytes'>, bytes: Buffer): Promise<void> {
    const path = this.toPath(place);
    const unfinished = `${path}.${randomBytes(6).toString('hex')}.tmp`;
    try {
      await mkdir(this.root, { recursive: true, mode: 0o700 });
      await writeDurably(unfinished, bytes);
      await rename(unfinished, path);
      // Without this the new name itself may be lost when the power goes.
      await syncFolder(this.root);
    } catch (error) {
      await rm(unfinished, { force: true }).catch(() => undefined);
      throw toUnavailable(error);
    }
  }

  /** @throws WeirError no_upstream_available when it is not there, or not whole */
  async open(place: MeshFile): Promise<Readable> {
    let file: FileHandle | null = null;
    try {
      file = await open(this.toPath(place), 'r');
      const { size } = await file.stat();
      if (size !== place.bytes) throw unavailable(`the file of ${place.id} has ${size} bytes and not ${place.bytes}`);
      return file.createReadStream();
    } catch (error) {
      await file?.close();
      throw toUnavailable(error);
    }
  }

  /** Never throws: what stays is swept by its age. */
  async delete(place: Omit<MeshFile, 'bytes'>): Promise<void> {
    await rm(this.toPath(place), { force: true }).catch(() => undefined);
  }

  /**
   * Deletes the files that were written before a time, whole or not. By their age alone: what nobody
   * needs after so long is nobody's, whichever installation has written it.
   * @returns how many
   */
  async sweep(beforeMs: number): Promise<number> {
    let deleted = 0;
    try {
      for await (const { name } of await opendir(this.root)) {
        const path = join(this.root, name);
        if (!isMeshId(name.split('.', 1)[0]) || (await stat(path)).mtimeMs >= beforeMs) continue;
        await rm(path, { force: true });
        deleted += 1;
      }
    } catch (error) {
      // Another process may be at the same files.
      if (!isErrno(error, 'ENOENT')) throw toUnavailable(error);
    }
    return deleted;
  }

  private toPath({ id, runId }: Omit<MeshFile, 'bytes'>): string {
    if (!isMeshId(id) || !isUuid(runId)) throw new TypeError('not the place of a mesh');
    return join(this.root, `${id}.${runId}.glb`);
  }
}

async function writeDurably(path: string, bytes: Buffer): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function toUnavailable(error: unknown): unknown {
  if (error instanceof WeirError) return error;
  const code = toErrorCode(error);
  // What has no code of the system is a mistake of ours and must be seen as one.
  return code === null ? error : unavailable(`disk: ${code}`);
}

/** @param detail for the log */
function unavailable(detail: string): WeirError {
  return new WeirError('no_upstream_available', { message: "The mesh's file cannot be reached now.", retryAfterMs: RETRY_AFTER_MS, detail: `meshes: ${detail}` });
}
