import { type IncomingMessage, type ServerResponse } from 'node:http';
import { type Caller } from '@weir/access';
import { uuidV7, WeirError } from '@weir/kernel';
import { parseExactJson } from '@weir/wire';
import { type OperationDefinition } from '../../operations';
import { BodyReader } from '../body-reader';
import { getCallRoutes } from '../call-routes';
import { type FactsPlace } from '../facts/request-facts';
import { type Road } from '../road';
import { checkMeshOptions } from './check-mesh-options';
import { readMeshForm } from './read-mesh-form';
import { toMeshObject } from './to-mesh-object';

/** Where a mesh is asked for: the long route, or a short one. */
export interface MeshCollection {
  readonly definition: OperationDefinition;
  readonly place: FactsPlace;
}

/**
 * Takes a request for a mesh, as JSON or as a form, and answers before it is made. Nothing is taken
 * from limits and budgets yet: that is for the run.
 * @throws WeirError; the answer has not begun then, and a body may still be on its way
 */
export async function createMesh(road: Road, caller: Caller, request: IncomingMessage, response: ServerResponse, { definition, place }: MeshCollection): Promise<void> {
  const facts = definition.readFacts(await readBody(road, request, response), definition, place);
  const { body, model } = facts;
  checkMeshOptions(getCallRoutes(road.pool, caller, 'meshes', model), parseExactJson(body.toString('utf8')));
  const requestId = uuidV7(road.clock.nowMs());
  const make = async (): Promise<void> => send(response, requestId, toMeshObject(await road.meshes.create(caller, model, body)));
  if (request.headers['idempotency-key'] === undefined) await make();
  else await makeOnce(road, caller, request, response, { requestId, body, make });
}

interface Making {
  readonly requestId: string;
  readonly body: Buffer;
  make(): Promise<void>;
}

async function makeOnce({ idempotency }: Road, { keyId }: Caller, request: IncomingMessage, response: ServerResponse, making: Making): Promise<void> {
  const { requestId, body } = making;
  const guard = await idempotency.begin({ request, keyId, requestId, body });
  if (guard.kind === 'replay') {
    response.writeHead(guard.status, guard.headers);
    response.end(guard.body);
    return;
  }
  guard.capture.attach(response);
  try {
    await making.make();
    guard.capture.finish({ isWhole: true, attempts: 0 });
  } catch (error) {
    guard.capture.abandon();
    throw error;
  }
}

async function readBody({ configuration }: Road, request: IncomingMessage, response: ServerResponse): Promise<Buffer> {
  const type = request.headers['content-type'];
  if (type !== undefined && /^multipart\//i.test(type)) return readMeshForm(request, configuration.maxBodyBytes);
  if (type !== undefined && !/json/i.test(type)) throw new WeirError('unsupported_media_type', { message: 'This address takes application/json and multipart/form-data.' });
  const reader = new BodyReader(request, configuration.maxBodyBytes);
  response.once('close', () => reader.abandon());
  await reader.read();
  return reader.body;
}

function send(response: ServerResponse, requestId: string, answer: object): void {
  const body = Buffer.from(JSON.stringify(answer));
  // As a list: whoever keeps the answer for a repeat reads it so.
  response.writeHead(200, ['content-type', 'application/json', 'content-length', String(body.length), 'x-request-id', requestId]);
  response.end(body);
}
