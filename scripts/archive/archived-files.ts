import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, normalize, relative } from 'node:path';
import { isErrno } from '@weir/platform';
import { ArchiveError } from './archive-error';
import { type ArchiveRecord } from './archive-record';

/** Made anew by each embedded database, and of no use to another one. */
const NOT_KEPT = ['postgres-password'];
/** A multiple of three: Base64 of pieces is then without padding in between. */
const PIECE_BYTES = 384 * 1024;

type FileGroup = Extract<ArchiveRecord, { kind: 'file' }>['group'];

export interface FileSource {
  readonly group: FileGroup;
  /** Where it is now. */
  readonly path: string;
  /** What it is called in the backup. */
  readonly name: string;
}

/** What of the data folder goes into a backup: voices, and the secrets where the backup is encrypted. */
export async function findFiles(dataDirectory: string, included: readonly string[], withSecrets: boolean): Promise<FileSource[]> {
  const voices = await listFiles(join(dataDirectory, 'voices'));
  const secrets = withSecrets ? (await listFiles(join(dataDirectory, 'secrets'))).filter((name) => !NOT_KEPT.includes(name)) : [];
  return [
    ...voices.map((name): FileSource => ({ group: 'voices', path: join(dataDirectory, 'voices', name), name })),
    ...secrets.map((name): FileSource => ({ group: 'secrets', path: join(dataDirectory, 'secrets', name), name })),
    ...included.map((path): FileSource => ({ group: 'included', path, name: basename(path) })),
  ];
}

/** A file that vanishes meanwhile (a voice that was deleted) is left out. */
export async function* dumpFile({ group, path, name }: FileSource): AsyncGenerator<ArchiveRecord> {
  const file = await open(path, 'r').catch((error: unknown) => {
    if (group !== 'included' && isErrno(error, 'ENOENT')) return null;
    throw new ArchiveError(`${path} cannot be read`);
  });
  if (file === null) return;
  const { size } = await file.stat();
  yield { kind: 'file', group, path: name, bytes: size };
  const pieces = createReadStream('', { fd: file, highWaterMark: PIECE_BYTES, ...(size === 0 ? {} : { end: size - 1 }) }) as AsyncIterable<Buffer>;
  let missing = size;
  for await (const piece of pieces) {
    missing -= piece.length;
    yield { kind: 'bytes', base64: piece.toString('base64') };
  }
  // A backup with less of it than it says could not be restored at all.
  if (missing !== 0) throw new ArchiveError(`${path} was changed while it was read: try again`);
}

/**
 * Files of a backup, first put beside the place where they go, then moved there all at once. Beside it, as
 * each place may be a disk of its own, and a file can only be moved in one step on the same disk.
 */
export class FileLoad {
  private readonly stagings = new Set<string>();
  private readonly moves: { from: string; to: string }[] = [];
  private current: { file: Awaited<ReturnType<typeof open>>; missing: number } | null = null;
  files = 0;
  /** Of the group `included` when there is nowhere to put them. */
  readonly leftOut: string[] = [];

  /**
   * @param includedTo where files of the configuration go; null leaves them out
   * @param staging the name of the folder that they are in until then, in each place
   */
  constructor(
    private readonly dataDirectory: string,
    private readonly includedTo: string | null,
    private readonly staging: string,
  ) {}

  async take(record: ArchiveRecord): Promise<void> {
    if (record.kind === 'bytes') return this.write(Buffer.from(record.base64, 'base64'));
    await this.closeFile();
    if (record.kind === 'file') await this.begin(record);
  }

  /** Moves everything to its place, or nothing. */
  async finish(): Promise<void> {
    const moved: { from: string; to: string }[] = [];
    try {
      for (const { from, to } of this.moves) {
        await mkdir(dirname(to), { recursive: true, mode: 0o700 });
        await rename(from, to);
        moved.push({ from, to });
      }
    } catch (error) {
      // Left there, they would make the next try find an installation that is not empty.
      for (const { from, to } of moved.reverse()) await rename(to, from);
      throw error;
    }
    await this.discard();
  }

  async discard(): Promise<void> {
    await this.current?.file.close();
    this.current = null;
    for (const staging of this.stagings) await rm(staging, { recursive: true, force: true });
  }

  private async begin({ group, path, bytes }: Extract<ArchiveRecord, { kind: 'file' }>): Promise<void> {
    this.files += 1;
    const root = group === 'included' ? this.includedTo : join(this.dataDirectory, group);
    if (root === null) {
      this.leftOut.push(path);
      return;
    }
    const to = join(root, path);
    // A backup that is not encrypted may have been written by anybody.
    if (isAbsolute(path) || normalize(path) !== path || relative(root, to).startsWith('..')) throw new ArchiveError('the backup is damaged');
    if (await isThere(to)) throw new ArchiveError(`${to} is there already: restore into an empty installation`);
    const staging = join(root, this.staging);
    this.stagings.add(staging);
    await mkdir(staging, { recursive: true, mode: 0o700 });
    const from = join(staging, String(this.files));
    this.current = { file: await open(from, 'wx', 0o600), missing: bytes };
    this.moves.push({ from, to });
  }

  private async write(bytes: Buffer): Promise<void> {
    if (this.current === null) return;
    this.current.missing -= bytes.length;
    await this.current.file.writeFile(bytes);
  }

  private async closeFile(): Promise<void> {
    if (this.current === null) return;
    const { file, missing } = this.current;
    this.current = null;
    await file.sync();
    await file.close();
    if (missing !== 0) throw new ArchiveError('the backup is damaged');
  }
}

async function listFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) return [];
    throw new ArchiveError(`${folder} cannot be read`);
  });
  return entries.filter((entry) => entry.isFile() && !entry.name.endsWith('.tmp')).map((entry) => relative(folder, join(entry.parentPath, entry.name))).sort();
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
