import { type IncomingMessage, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { type Caller } from '@weir/access';
import { uuidV7, WeirError } from '@weir/kernel';
import { type Road } from '../road';
import { createMesh, type MeshCollection } from './create-mesh';
import { type MeshPath } from './match-mesh-path';
import { isMeshId, type MeshId } from './mesh-job';
import { toMeshList, toMeshObject } from './to-mesh-object';

const USUALLY_LISTED = 20;
const MOST_LISTED = 100;
const LIMIT = /^[1-9]\d{0,2}$/;

/** What the meshes' routes are asked for. */
export type MeshAddress = { readonly kind: 'all'; readonly collection: MeshCollection; /** A short route makes, and does nothing else. */ readonly isShort: boolean } | { readonly kind: 'one'; readonly path: MeshPath };

/**
 * `GET` and `POST /v1/meshes`, `GET` and `DELETE /v1/meshes/{id}`, `GET /v1/meshes/{id}/content`,
 * `POST /generate/3d`. None takes from limits: the runs of the jobs do.
 * @throws WeirError; the answer has not begun then, and a body may still be on its way
 */
export async function answerMeshes(road: Road, caller: Caller, request: IncomingMessage, response: ServerResponse, address: MeshAddress): Promise<void> {
  const { organizationId } = caller;
  const method = request.method ?? '';
  if (address.kind === 'all') {
    if (method === 'POST') return createMesh(road, caller, request, response, address.collection);
    if (method === 'GET' && !address.isShort) return send(road, response, await listMeshes(road, caller, request.url ?? ''));
    return refuseMethod(response, address.isShort ? 'POST' : 'GET, POST');
  }
  const { id, part } = address.path;
  if (part === 'content') return method === 'GET' ? sendContent(road, caller, response, id) : refuseMethod(response, 'GET');
  if (method === 'GET') return send(road, response, toMeshObject(await road.meshes.get(organizationId, id)));
  if (method !== 'DELETE') return refuseMethod(response, 'GET, DELETE');
  await road.meshes.delete(organizationId, id);
  send(road, response, { id, object: 'mesh.deleted', deleted: true });
}

async function listMeshes({ meshes }: Road, { organizationId }: Caller, url: string) {
  const query = new URLSearchParams(url.split('?').slice(1).join('?'));
  return toMeshList(await meshes.list(organizationId, { limit: parseLimit(query.get('limit')), after: parseAfter(query.get('after')) }));
}

async function sendContent({ meshes, configuration, clock }: Road, { organizationId }: Caller, response: ServerResponse, id: string): Promise<void> {
  const { file, content } = await meshes.open(organizationId, id);
  response.writeHead(200, {
    'content-type': 'model/gltf-binary',
    'content-length': file.bytes,
    'content-disposition': `attachment; filename="${file.id}.glb"`,
    'x-request-id': uuidV7(clock.nowMs()),
  });
  // A caller that does not read must not keep the file open for ever.
  response.setTimeout(configuration.streamTimeoutMs, () => response.destroy());
  // One that leaves has closed the file by that; there is nobody to tell.
  await pipeline(content, response).catch(() => response.destroy());
}

function refuseMethod(response: ServerResponse, allow: string): never {
  response.setHeader('allow', allow);
  throw new WeirError('method_not_allowed');
}

function parseLimit(given: string | null): number {
  if (given === null) return USUALLY_LISTED;
  if (!LIMIT.test(given) || Number(given) > MOST_LISTED) throw new WeirError('invalid_request', { message: `Invalid 'limit': a whole number from 1 to ${MOST_LISTED}.`, param: 'limit' });
  return Number(given);
}

function parseAfter(given: string | null): MeshId | null {
  if (given === null) return null;
  if (!isMeshId(given)) throw new WeirError('invalid_request', { message: "Invalid 'after': the id of a mesh, such as a page's last_id.", param: 'after' });
  return given;
}

function send({ clock }: Road, response: ServerResponse, answer: object): void {
  const body = Buffer.from(JSON.stringify(answer));
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length, 'x-request-id': uuidV7(clock.nowMs()) });
  response.end(body);
}
