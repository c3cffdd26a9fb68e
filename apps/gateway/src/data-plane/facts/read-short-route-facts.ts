import { parseExactJson, type ShortRoute, toCanonicalBody } from '@weir/wire';
import { type OperationDefinition } from '../../operations/operation-definition';
import { type FactsPlace, type RequestFacts } from './request-facts';
import { scanBody } from './scan-body';

/**
 * The facts of a short route's request, said as the long route has it: from here on they are one.
 * @throws WeirError invalid_json or invalid_request that names the caller's field
 */
export function readShortRouteFacts(body: Buffer, route: ShortRoute, long: OperationDefinition, place: FactsPlace): RequestFacts {
  scanBody(body);
  const canonical = toCanonicalBody(route, parseExactJson(body.toString('utf8')), place.defaults);
  return long.readFacts(Buffer.from(JSON.stringify(canonical)), long, place);
}
