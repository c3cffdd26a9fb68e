import { type Clock, type OrganizationId, type ProxyKeyId, WeirError } from '@weir/kernel';
import { type KeyRing, openBytes, sealBytes } from '@weir/vault';
import { type Readable } from 'node:stream';
import { type ClaimedMesh, isMeshId, type Mesh, type MeshFile, type MeshId, newMeshId } from './mesh-job';
import { type MeshFiles } from './mesh-files';
import { type MeshTable } from './mesh-table';

export interface MeshesOptions {
  readonly table: MeshTable;
  readonly files: MeshFiles;
  /** Seals the requests: a picture is its caller's. */
  readonly ring: KeyRing;
  readonly clock: Clock;
  /** Jobs of an organization that have not ended. */
  readonly mostOpen?: number;
}

export interface MeshPage {
  readonly meshes: readonly Mesh[];
  readonly hasMore: boolean;
}

/** What works on meshes, told of them without delay. */
export interface MeshWatcher {
  onQueued(): void;
  onDeleted(id: MeshId): void;
}

const MOST_OPEN = 100;

/** Meshes as their owners see them: asked for, looked at, fetched, deleted. */
export class Meshes {
  readonly table: MeshTable;
  readonly files: MeshFiles;
  /** The runner of this process; those of others find out by looking. */
  watcher: MeshWatcher = { onQueued: () => undefined, onDeleted: () => undefined };

  constructor(private readonly options: MeshesOptions) {
    this.table = options.table;
    this.files = options.files;
  }

  /**
   * @param body the request as JSON in the format `meshes`, checked
   * @throws WeirError rate_limit_exceeded when the organization has too many that are not done; database_unavailable
   */
  async create(owner: { readonly organizationId: OrganizationId; readonly keyId: ProxyKeyId }, model: string, body: Buffer): Promise<Mesh> {
    const { ring, clock, mostOpen = MOST_OPEN } = this.options;
    const { organizationId, keyId } = owner;
    const id = newMeshId(clock.nowMs());
    const request = await sealBytes(ring, body, toPlace({ id, organizationId }));
    const mesh = await this.table.insert({ id, organizationId, keyId, model, request }, mostOpen);
    this.watcher.onQueued();
    return mesh;
  }

  async list(organizationId: OrganizationId, page: { readonly limit: number; readonly after: MeshId | null }): Promise<MeshPage> {
    const meshes = await this.table.list(organizationId, page.limit + 1, page.after);
    return { meshes: meshes.slice(0, page.limit), hasMore: meshes.length > page.limit };
  }

  /** @throws WeirError not_found, for another organization's too */
  async get(organizationId: OrganizationId, id: string): Promise<Mesh> {
    const mesh = isMeshId(id) ? await this.table.find(organizationId, id) : null;
    if (mesh === null) throw notFound();
    return mesh;
  }

  /**
   * The bytes of a completed mesh.
   * @throws WeirError not_found, conflict while it is not done and when it has failed, no_upstream_available without its file
   */
  async open(organizationId: OrganizationId, id: string): Promise<{ readonly file: MeshFile; readonly content: Readable }> {
    const { file, status, error } = await this.get(organizationId, id);
    if (file === null) {
      throw new WeirError('conflict', { message: status === 'failed' ? `The mesh has failed: ${error?.message ?? 'nobody knows why.'}` : `The mesh is not done: it is ${status}.` });
    }
    return { file, content: await this.files.open(file) };
  }

  /**
   * Deletes a mesh with its file; one that is not done is called off.
   * @throws WeirError not_found, for another organization's too
   */
  async delete(organizationId: OrganizationId, id: string): Promise<Mesh> {
    const mesh = isMeshId(id) ? await this.table.delete(organizationId, id) : null;
    if (mesh === null) throw notFound();
    this.watcher.onDeleted(mesh.id);
    if (mesh.file !== null) await this.files.delete(mesh.file);
    return mesh;
  }

  /** The request of a job. @throws SealedBytesUnreadable */
  openRequest(job: ClaimedMesh): Promise<Buffer> {
    return openBytes(this.options.ring, job.request, toPlace(job));
  }
}

function notFound(): WeirError {
  return new WeirError('not_found', { message: 'There is no such mesh.' });
}

function toPlace({ id, organizationId }: { readonly id: MeshId; readonly organizationId: OrganizationId }): string {
  return `weir/mesh-request/v1|${id}|${organizationId}`;
}
