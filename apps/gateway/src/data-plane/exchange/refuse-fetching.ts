import { WeirError } from '@weir/kernel';
import { type ConversationTurn, JsonObject, refusePictureUrls } from '@weir/wire';
import { isDialect } from './caller-dialects';
import { type CallerSpeech } from './caller-speech';

const MODALITY = Buffer.from('"modality"');
/** A key may be written with escapes, which no byte search finds. */
const ESCAPE = Buffer.from('\\u00');

/**
 * For a server of one's own: it fetches from inside the operator's network, and opens `file://` on its
 * own disk. So whatever it is to see comes with the request.
 * @throws WeirError invalid_request that names the caller's field
 */
export function refuseFetching(speech: CallerSpeech): void {
  const { facts } = speech;
  if (facts.format === 'openai-embeddings') refuseModality(speech);
  if (facts.imageCount + facts.fileCount === 0) return;
  // vLLM takes messages for embeddings, too.
  if (facts.format === 'openai-chat' || facts.format === 'openai-embeddings') refusePictureUrls(JsonObject.of(speech.body, '', 'caller'));
  else if (isDialect(facts.format)) for (const turn of speech.conversation.turns) refuseUrls(turn);
}

/** Infinity fetches what stands in `input` as soon as it is told that these are pictures or sound. */
function refuseModality(speech: CallerSpeech): void {
  const { body } = speech.facts;
  if (!body.includes(MODALITY) && !body.includes(ESCAPE)) return;
  const modality = JsonObject.of(speech.body, '', 'caller').find('modality');
  if (modality !== null && modality !== 'text') throw refuse('modality', "must be 'text' for this model");
}

function refuseUrls({ parts }: ConversationTurn): void {
  for (const part of parts) {
    const shown = part.type === 'tool_result' ? part.parts : [part];
    for (const one of shown) {
      if ((one.type === 'image' || one.type === 'file') && one.source.type === 'url') throw refuse(one.field, 'must hold its bytes: nothing is fetched from a URL');
    }
  }
}

function refuse(field: string, what: string): WeirError {
  return new WeirError('invalid_request', { message: `${field} ${what}.`, param: field });
}
