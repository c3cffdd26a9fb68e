import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Readable } from 'node:stream';
import { WeirError } from '@weir/kernel';
import { isErrno, toErrorCode } from '@weir/platform';

const RETRY_AFTER_MS = 5000;
const MOST_OPEN = 256;

/** A file of this process's own that holds an upload while it is sent on. */
export interface UploadedFile {
  readonly path: string;
  readonly bytes: number;
}

/** The folder of uploads that are under way; what is in it when the process starts is nobody's. */
export class UploadFolder {
  /** Whose the open files are. */
  private readonly owners = new Map<string, string>();

  /**
   * @param path absolute, and this installation's alone
   * @param mostOpen files at the same time: together they must not fill the disk, where rows are kept, too
   */
  constructor(
    private readonly path: string,
    private readonly mostOpen = MOST_OPEN,
  ) {}

  /** Empties it. Call it once, before the first upload, by the process that owns the data folder. */
  async clean(): Promise<void> {
    await mkdir(this.path, { recursive: true, mode: 0o700 });
    for (const name of await readdir(this.path)) await rm(join(this.path, name), { recursive: true, force: true });
  }

  /**
   * Writes a file as it comes. When it fails, nothing stays.
   * @param owner the organization whose it is
   * @throws WeirError no_upstream_available when the disk does not take it; an error of `content` as it is
   */
  async write(content: Readable, owner: string): Promise<UploadedFile> {
    if (!this.hasRoom(owner)) {
      content.destroy();
      throw new WeirError('no_upstream_available', { message: 'Too many uploads are under way.', retryAfterMs: RETRY_AFTER_MS, detail: 'uploads: full' });
    }
    const path = join(this.path, `${randomUUID()}.upload`);
    this.owners.set(path, owner);
    try {
      // The folder may be that of a process that was never cleaned.
      await mkdir(this.path, { recursive: true, mode: 0o700 });
      return { path, bytes: await writeAll(path, content) };
    } catch (error) {
      content.destroy();
      await this.delete(path);
      // A stream whose reader leaves early gets an AbortError, which is nobody's reason.
      throw content.errored === null || isErrno(content.errored, 'ABORT_ERR') ? toUnavailable(error) : content.errored;
    }
  }

  /** No organization takes more than a quarter of all. */
  private hasRoom(owner: string): boolean {
    if (this.owners.size >= this.mostOpen) return false;
    let own = 0;
    for (const other of this.owners.values()) if (other === owner) own += 1;
    return own < Math.ceil(this.mostOpen / 4);
  }

  /** Never throws: what stays is cleaned at the next start. */
  async delete(path: string): Promise<void> {
    this.owners.delete(path);
    await rm(path, { force: true }).catch(() => undefined);
  }
}

/** Not forced to the disk: after a crash nobody wants it. */
async function writeAll(path: string, content: Readable): Promise<number> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(content);
    return (await file.stat()).size;
  } finally {
    await file.close();
  }
}

function toUnavailable(error: unknown): unknown {
  const code = toErrorCode(error);
  if (code === null) return error;
  return new WeirError('no_upstream_available', { message: 'Uploads cannot be taken now.', retryAfterMs: RETRY_AFTER_MS, detail: `uploads: ${code}` });
}

/** No upload takes as long. */
const LEFT_OVER_MS = 3_600_000;

/** Deletes what processes that are gone have left in their folders below this one. Never throws. */
export async function sweepUploads(path: string, nowMs: number): Promise<void> {
  try {
    for (const folder of await readdir(path)) {
      for (const name of await readdir(join(path, folder))) {
        const file = join(path, folder, name);
        if (nowMs - (await stat(file)).mtimeMs > LEFT_OVER_MS) await rm(file, { recursive: true, force: true });
      }
    }
  } catch {
    // No folder yet, or another process sweeps as well.
  }
}
