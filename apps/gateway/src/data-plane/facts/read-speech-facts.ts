import { parseExactJson, readSpeechRequest } from '@weir/wire';
import { type OperationDefinition } from '../../operations/operation-definition';
import { type FactsPlace, type RequestFacts } from './request-facts';
import { parseModel, readModel, refuseOtherSpellings, scanBody } from './scan-body';
import { toUnits, toWorkFacts } from './to-work-facts';

const BYTES_PER_TOKEN = 4;
/** A thousand characters are about a minute when spoken, and a minute about 1,250 tokens of sound (gpt-4o-mini-tts). */
const USUAL_MS_PER_CHARACTER = 65;
const USUAL_TOKENS_PER_CHARACTER = 1.4;
/** At a quarter of the speed, with pauses, in a language whose characters are words. */
const WORST_MS_PER_CHARACTER = 1_500;
const WORST_TOKENS_PER_CHARACTER = 32;

/**
 * The facts of a request to OpenAI's `POST /v1/audio/speech`
 * (https://platform.openai.com/docs/api-reference/audio/createSpeech).
 * @throws WeirError invalid_json or invalid_request that names the field
 */
export function readSpeechFacts(body: Buffer, definition: OperationDefinition, place: FactsPlace): RequestFacts {
  const scanner = scanBody(body);
  refuseOtherSpellings(['model', 'input', 'voice', 'stream', 'stream_format']);
  const model = parseModel(place.model ?? readModel(scanner.findMember('model')));
  const { characters, isEvents } = readSpeechRequest(parseExactJson(body.toString('utf8')));
  const known = toUnits({ characters });
  return toWorkFacts(definition, {
    body,
    model,
    isStream: isEvents,
    scanner,
    work: {
      known,
      usual: {
        ...known,
        inputTokens: Math.ceil(scanner.textBytes / BYTES_PER_TOKEN),
        outputTokens: Math.ceil(characters * USUAL_TOKENS_PER_CHARACTER),
        mediaMs: characters * USUAL_MS_PER_CHARACTER,
      },
      worst: { ...known, inputTokens: body.length, outputTokens: characters * WORST_TOKENS_PER_CHARACTER, mediaMs: characters * WORST_MS_PER_CHARACTER },
    },
  });
}
