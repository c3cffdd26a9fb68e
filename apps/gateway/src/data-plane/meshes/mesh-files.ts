import { isUuid, WeirError } from '@weir/kernel';
import { BlobMissing, type BlobStore, sweepOrphans } from '@weir/platform';
import { Readable } from 'node:stream';
import { isMeshId, type MeshFile } from './mesh-job';

declare const brand: unique symbol;
/** The name of a mesh's file: its job, and the run that made it. */
export type MeshFileName = string & { readonly [brand]: 'MeshFileName' };

type MeshPlace = Pick<MeshFile, 'id' | 'runId'>;

/** The rows that files belong to. */
export interface MeshRows {
  /** The installation's own folder in any store. */
  getFolder(): Promise<string>;
  /** Which of the places no job's run has, neither one under way nor one that made the mesh. */
  findUnknown(places: readonly MeshPlace[]): Promise<readonly MeshPlace[]>;
}

const RETRY_AFTER_MS = 5_000;
/** A file without a row is a run's that writes it for so long at least. */
const ORPHAN_GRACE_MS = 3_600_000;
const NAME = /^(mesh_[0-9a-f]{32})\.([0-9a-f-]{36})\.glb$/;

export function isMeshFileName(value: unknown): value is MeshFileName {
  return typeof value === 'string' && isUuid(NAME.exec(value)?.[2]);
}

/** The files of meshes, in the store that all processes of the installation share. */
export class MeshFiles {
  constructor(
    private readonly store: BlobStore<MeshFileName>,
    private readonly rows: MeshRows,
  ) {}

  /**
   * Writes a mesh whole or not at all, and durably.
   * @throws WeirError no_upstream_available when the store does not take it
   */
  async write(place: MeshPlace, bytes: Buffer): Promise<void> {
    const folder = await this.rows.getFolder();
    await this.store.put({ folder, name: toName(place) }, Readable.from([bytes], { objectMode: false }));
  }

  /** @throws WeirError no_upstream_available when it is not there, or not whole */
  async open(place: MeshFile): Promise<Readable> {
    try {
      const { content, bytes } = await this.store.open({ folder: await this.rows.getFolder(), name: toName(place) });
      if (bytes === place.bytes) return content;
      content.destroy();
      throw unavailable(`the file of ${place.id} has ${bytes} bytes and not ${place.bytes}`);
    } catch (error) {
      throw error instanceof BlobMissing ? unavailable(error.message) : error;
    }
  }

  /** Never throws: what stays is swept. */
  async delete(place: MeshPlace): Promise<void> {
    const name = toName(place);
    await this.rows
      .getFolder()
      .then((folder) => this.store.delete({ folder, name }))
      .catch(() => undefined);
  }

  /**
   * Deletes the files that no job has any more, and what unfinished writes have left.
   * @returns how many
   * @throws WeirError no_upstream_available or database_unavailable
   */
  async sweep(nowMs: number): Promise<number> {
    return sweepOrphans({
      store: this.store,
      folder: await this.rows.getFolder(),
      beforeMs: nowMs - ORPHAN_GRACE_MS,
      findUnknown: async (names) => (await this.rows.findUnknown(names.flatMap(toPlace))).map(toName),
    });
  }

  close(): void {
    this.store.close();
  }
}

function toName({ id, runId }: MeshPlace): MeshFileName {
  const name = `${id}.${runId}.glb`;
  if (!isMeshFileName(name)) throw new TypeError('not the place of a mesh');
  return name;
}

function toPlace(name: MeshFileName): MeshPlace[] {
  const [, id, runId] = NAME.exec(name) ?? [];
  return isMeshId(id) ? [{ id, runId }] : [];
}

/** @param detail for the log */
function unavailable(detail: string): WeirError {
  return new WeirError('no_upstream_available', { message: "The mesh's file cannot be reached now.", retryAfterMs: RETRY_AFTER_MS, detail: `meshes: ${detail}` });
}
