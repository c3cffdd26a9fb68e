import { WeirError } from '@weir/kernel';
import { type ConversationTurn, JsonObject, refuseInputUrls, refusePictureUrls, refuseReferences } from '@weir/wire';
import { isDialect } from './caller-dialects';
import { type CallerSpeech } from './caller-speech';

const BRACE = 0x7b;
const TOOL_SERVERS: readonly Buffer[] = [Buffer.from('"server_url"'), Buffer.from('"mcp_servers"')];
/** A key may be written with escapes, which no byte search finds. */
const ESCAPE = Buffer.from('\\u00');

/**
 * For a server of one's own: it fetches from inside the operator's network, and opens `file://` on its
 * own disk. So whatever it is to see comes with the request. Texts of forms, and what embeddings are made
 * of, are refused where they are read (`facts/`), whoever is asked.
 * @throws WeirError invalid_request that names the caller's field
 */
export function refuseFetching(speech: CallerSpeech): void {
  const { facts } = speech;
  if (facts.format === 'openai-images') refuseNamed(speech);
  if (facts.format === 'openai-embeddings' || facts.format === 'rerank') refuseObjects(speech);
  if (facts.format === 'openai-responses' || facts.format === 'anthropic') refuseToolServers(speech);
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

/** Inputs and documents are mostly texts: an object in the body is told by a second brace. */
function refuseObjects(speech: CallerSpeech): void {
  const { body } = speech.facts;
  if (body.indexOf(BRACE, body.indexOf(BRACE) + 1) === -1) return;
  const request = JsonObject.of(speech.body, '', 'caller');
  refuseInputUrls(request, speech.facts.format === 'rerank' ? 'documents' : 'input');
}

/** A server that calls tools by itself would call them where the caller says. */
function refuseToolServers(speech: CallerSpeech): void {
  const { body } = speech.facts;
  if (!TOOL_SERVERS.some((name) => body.includes(name)) && !body.includes(ESCAPE)) return;
  const request = JsonObject.of(speech.body, '', 'caller');
  if (request.has('mcp_servers')) throw refuse('mcp_servers', 'is not for this model: nothing is called at a URL');
  request.findObjects('tools')?.forEach((tool) => {
    if (tool.has('server_url')) throw refuse(tool.pathOf('server_url'), 'is not for this model: nothing is called at a URL');
  });
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
