import { checkModerationRequest, parseExactJson } from '@weir/wire';
import { type OperationDefinition } from '../../operations/operation-definition';
import { type FactsPlace, type RequestFacts } from './request-facts';
import { hasMember, parseModel, readModel, refuseOtherSpellings, scanBody } from './scan-body';
import { toUnits, toWorkFacts } from './to-work-facts';

/** OpenAI's own default. */
const DEFAULT_MODEL = 'omni-moderation-latest';

/** @throws WeirError invalid_json or invalid_request that names the field */
export function readModerationFacts(body: Buffer, definition: OperationDefinition, place: FactsPlace): RequestFacts {
  const scanner = scanBody(body);
  refuseOtherSpellings(['model', 'input']);
  const model = parseModel(place.model ?? (hasMember('model') ? readModel(scanner.findMember('model')) : DEFAULT_MODEL));
  checkModerationRequest(parseExactJson(body.toString('utf8')));
  const known = toUnits({});
  const usual = { ...known, inputTokens: Math.ceil(scanner.textBytes / 4) };
  return toWorkFacts(definition, { body, model, isStream: false, scanner, work: { known, usual, worst: { ...known, inputTokens: body.length } } });
}
