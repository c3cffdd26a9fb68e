/** A mesh as an upstream that makes it in the background tells of it. */
export interface UpstreamMesh {
  /** Safe as a segment of a path. */
  readonly id: string;
  readonly status: 'working' | 'completed' | 'failed';
  /** Per cent. */
  readonly progress: number;
}

const ID = /^(?!\.{1,2}$)[\w.~-]{1,200}$/;
const ENDS: ReadonlyMap<string, 'completed' | 'failed'> = new Map([
  ['completed', 'completed'],
  ['succeeded', 'completed'],
  ['failed', 'failed'],
  ['error', 'failed'],
  ['cancelled', 'failed'],
  ['deleted', 'failed'],
]);

/** Reads the answer of `POST /meshes` or `GET /meshes/{id}`. Null for what is no mesh; a status that is not known is one of work. */
export function readMeshState(body: Buffer): UpstreamMesh | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString('utf8'));
  } catch {
    return null;
  }
  if (typeof parsed !== 'object' || parsed === null) return null;
  const id: unknown = Reflect.get(parsed, 'id');
  const status: unknown = Reflect.get(parsed, 'status');
  const progress: unknown = Reflect.get(parsed, 'progress');
  if (typeof id !== 'string' || !ID.test(id) || typeof status !== 'string') return null;
  return { id, status: ENDS.get(status) ?? 'working', progress: typeof progress === 'number' ? Math.min(100, Math.max(0, Math.floor(progress) || 0)) : 0 };
}
