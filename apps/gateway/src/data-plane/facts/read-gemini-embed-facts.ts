import { type OperationDefinition } from '../../operations/operation-definition';
import { type FactsPlace, type RequestFacts } from './request-facts';
import { parseModel, refuseOtherSpellings, requireMemberOf, scanBody } from './scan-body';
import { toWorkFacts } from './to-work-facts';

/**
 * The facts of a request to Google's `:embedContent` or `:batchEmbedContents`
 * (https://ai.google.dev/api/embeddings).
 * @throws WeirError invalid_json or invalid_request that names the field
 */
export function readGeminiEmbedFacts(body: Buffer, definition: OperationDefinition, place: FactsPlace): RequestFacts {
  const scanner = scanBody(body);
  refuseOtherSpellings(['model', 'content', 'requests']);
  const model = parseModel(place.model ?? '');
  if (definition.format === 'gemini-embed') requireMemberOf(scanner, 'content', 'object');
  else requireMemberOf(scanner, 'requests', 'array');
  return toWorkFacts(definition, { body, model, isStream: false, scanner, work: null });
}
