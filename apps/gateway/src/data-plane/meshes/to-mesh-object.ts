import { type Mesh } from './mesh-job';
import { type MeshPage } from './meshes';

/** A mesh as its owner sees it, in the shape of OpenAI's jobs. Times in seconds. */
export function toMeshObject(mesh: Mesh) {
  return {
    id: mesh.id,
    object: 'mesh',
    status: mesh.status,
    progress: mesh.progress,
    model: mesh.model,
    created_at: toSeconds(mesh.createdAtMs),
    completed_at: mesh.endedAtMs === null ? null : toSeconds(mesh.endedAtMs),
    expires_at: toSeconds(mesh.expiresAtMs),
    bytes: mesh.file?.bytes ?? null,
    error: mesh.error,
  };
}

export function toMeshList({ meshes, hasMore }: MeshPage) {
  return { object: 'list', data: meshes.map(toMeshObject), first_id: meshes.at(0)?.id ?? null, last_id: meshes.at(-1)?.id ?? null, has_more: hasMore };
}

function toSeconds(timeMs: number): number {
  return Math.floor(timeMs / 1000);
}
