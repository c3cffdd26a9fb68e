import { parseExactJson, readMeshRequest } from '@weir/wire';
import { type OperationDefinition } from '../../operations/operation-definition';
import { type FactsPlace, type RequestFacts } from './request-facts';
import { parseModel, readModel, refuseOtherSpellings, scanBody } from './scan-body';
import { toUnits, toWorkFacts } from './to-work-facts';

/**
 * The facts of a request for a mesh: one picture, one mesh.
 * @throws WeirError invalid_json or invalid_request that names the field
 */
export function readMeshFacts(body: Buffer, definition: OperationDefinition, place: FactsPlace): RequestFacts {
  const scanner = scanBody(body);
  refuseOtherSpellings(['model', 'image', 'input_image']);
  const model = parseModel(place.model ?? readModel(scanner.findMember('model')));
  readMeshRequest(parseExactJson(body.toString('utf8')));
  const known = toUnits({});
  return toWorkFacts(definition, { body, model, isStream: false, scanner, work: { known, usual: known, worst: known } });
}
