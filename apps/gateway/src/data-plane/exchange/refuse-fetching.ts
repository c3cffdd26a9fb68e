import { WeirError } from '@weir/kernel';
import { type ConversationTurn, JsonObject, refusePictureUrls, refuseReferences } from '@weir/wire';
import { isDialect } from './caller-dialects';
import { type CallerSpeech } from './caller-speech';

/**
 * For a server of one's own: it fetches from inside the operator's network, and opens `file://` on its
 * own disk. So whatever it is to see comes with the request. Texts of forms, and what embeddings are made
 * of, are refused where they are read (`facts/`), whoever is asked.
 * @throws WeirError invalid_request that names the caller's field
 */
export function refuseFetching(speech: CallerSpeech): void {
  const { facts } = speech;
  if (facts.format === 'openai-images') refuseNamed(speech);
  if (facts.imageCount + facts.fileCount === 0) return;
  if (facts.format === 'openai-moderations') throw refuse('input', 'must be text for this model');
  // vLLM takes messages for embeddings, too.
  if (facts.format === 'openai-chat' || facts.format === 'openai-embeddings') refusePictureUrls(JsonObject.of(speech.body, '', 'caller'));
  else if (isDialect(facts.format)) for (const turn of speech.conversation.turns) refuseUrls(turn);
}

/** The caller's own words, in which a URL is something to draw. */
const FREE_TEXTS: readonly string[] = ['prompt', 'negative_prompt'];

/** Members by which a server loads what the caller names: pictures, masks, adapters. */
function refuseNamed(speech: CallerSpeech): void {
  const request = JsonObject.of(speech.body, '', 'caller');
  for (const name of request.names) if (!FREE_TEXTS.includes(name)) refuseReferences(request.find(name), name);
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
