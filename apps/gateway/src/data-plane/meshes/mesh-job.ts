import { type OrganizationId, type ProxyKeyId, uuidV7 } from '@weir/kernel';

declare const brand: unique symbol;
/** `mesh_` and a UUID of version 7 as 32 hexadecimal digits: ids sort by the time they were made. */
export type MeshId = string & { readonly [brand]: 'MeshId' };

const MESH_ID = /^mesh_[0-9a-f]{32}$/;

/** Whether outside data is the id of a mesh, as far as its form goes. */
export function isMeshId(value: unknown): value is MeshId {
  return typeof value === 'string' && MESH_ID.test(value);
}

export function newMeshId(nowMs: number): MeshId {
  const id = `mesh_${uuidV7(nowMs).replaceAll('-', '')}`;
  if (!isMeshId(id)) throw new Error('a UUID has another form than before');
  return id;
}

export type MeshStatus = 'queued' | 'in_progress' | 'completed' | 'failed';

/** Why a mesh was not made; safe for its owner. */
export interface MeshError {
  readonly code: string;
  readonly message: string;
}

/** A mesh that was asked for. */
export interface Mesh {
  readonly id: MeshId;
  readonly organizationId: OrganizationId;
  /** As the caller asked for it. */
  readonly model: string;
  readonly status: MeshStatus;
  /** Per cent. */
  readonly progress: number;
  /** Of a failed one; null for all others. */
  readonly error: MeshError | null;
  /** Where the bytes of a completed one are; null for all others. */
  readonly file: MeshFile | null;
  readonly createdAtMs: number;
  readonly endedAtMs: number | null;
  /** When it is forgotten; of one that has not ended, when it fails. */
  readonly expiresAtMs: number;
}

/** A completed mesh in the store. */
export interface MeshFile {
  readonly id: MeshId;
  /** The run that made it: two runs of one job never write the same file. */
  readonly runId: string;
  readonly bytes: number;
}

/** A job that this process may work on, until its lease is over. */
export interface ClaimedMesh {
  readonly id: MeshId;
  readonly organizationId: OrganizationId;
  /** Null: the key is gone. */
  readonly keyId: ProxyKeyId | null;
  /** Sealed. */
  readonly request: Buffer;
  readonly runId: string;
  /** Runs until now, with this one; those that were called off do not count. */
  readonly attempts: number;
  /** How long it may still wait for its turn, in milliseconds. */
  readonly remainingMs: number;
}
