import { isMeshId } from './mesh-job';

/** What a path under the meshes' collection means: one of them, or its bytes. */
export interface MeshPath {
  readonly id: string;
  readonly part: 'mesh' | 'content';
}

const PREFIX = '/v1/meshes/';
const CONTENT = '/content';

/** @param path without the query. Null for any other path, and for what can be no mesh's id. Never throws. */
export function matchMeshPath(path: string): MeshPath | null {
  if (!path.startsWith(PREFIX)) return null;
  const rest = path.slice(PREFIX.length);
  const part = rest.endsWith(CONTENT) ? 'content' : 'mesh';
  const id = part === 'content' ? rest.slice(0, -CONTENT.length) : rest;
  return isMeshId(id) || /^[\w.~-]{1,64}$/.test(id) ? { id, part } : null;
}
