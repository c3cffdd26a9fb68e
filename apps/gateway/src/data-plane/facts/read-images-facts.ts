import { parseExactJson, readImagesRequest } from '@weir/wire';
import { type OperationDefinition } from '../../operations/operation-definition';
import { type FactsPlace, type RequestFacts } from './request-facts';
import { parseModel, readModel, refuseOtherSpellings, scanBody } from './scan-body';
import { toUnits, toWorkFacts } from './to-work-facts';

/** OpenAI's largest picture of the best quality is 6,240 tokens, and 100 more for each partial one; others have no tokens. */
const WORST_TOKENS_PER_IMAGE = 8_192;
const USUAL_TOKENS_PER_IMAGE = 1_056;

/**
 * The facts of a request to OpenAI's `POST /v1/images/generations`
 * (https://platform.openai.com/docs/api-reference/images/create).
 * @throws WeirError invalid_json or invalid_request that names the field
 */
export function readImagesFacts(body: Buffer, definition: OperationDefinition, place: FactsPlace): RequestFacts {
  const scanner = scanBody(body);
  refuseOtherSpellings(['model', 'n', 'prompt', 'stream']);
  const model = parseModel(place.model ?? readModel(scanner.findMember('model')));
  const { images, isStream } = readImagesRequest(parseExactJson(body.toString('utf8')));
  const known = toUnits({ images });
  return toWorkFacts(definition, {
    body,
    model,
    isStream,
    scanner,
    work: {
      known,
      usual: { ...known, inputTokens: Math.ceil(scanner.textBytes / 4), outputTokens: images * USUAL_TOKENS_PER_IMAGE },
      worst: { ...known, inputTokens: body.length, outputTokens: images * WORST_TOKENS_PER_IMAGE },
    },
  });
}
