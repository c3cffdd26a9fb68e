import { parseExactJson, readRerankRequest, toRerankFacts } from '@weir/wire';
import { type OperationDefinition } from '../../operations/operation-definition';
import { type FactsPlace, type RequestFacts } from './request-facts';
import { hasMember, parseModel, readModel, refuseOtherSpellings, scanBody } from './scan-body';
import { toUnits, toWorkFacts } from './to-work-facts';

const BYTES_PER_TOKEN = 4;

/**
 * The facts of a rerank request. Every document is read together with the query, so that the query
 * counts once for each.
 * @throws WeirError invalid_json or invalid_request that names the field
 */
export function readRerankFacts(body: Buffer, definition: OperationDefinition, place: FactsPlace): RequestFacts {
  const scanner = scanBody(body);
  refuseOtherSpellings(['model', 'query', 'documents']);
  const model = parseModel(hasMember('model') ? readModel(scanner.findMember('model')) : place.defaults.rerankModel);
  const request = readRerankRequest(parseExactJson(body.toString('utf8')));
  const { documents, characters } = toRerankFacts(request);
  const known = toUnits({ documents });
  const worstTokens = body.length + documents * Buffer.byteLength(request.query);
  return toWorkFacts(definition, {
    body,
    model,
    isStream: false,
    scanner,
    work: { known, usual: { ...known, inputTokens: Math.ceil(characters / BYTES_PER_TOKEN) }, worst: { ...known, inputTokens: worstTokens } },
  });
}
