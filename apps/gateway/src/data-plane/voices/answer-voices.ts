import { type IncomingMessage, type ServerResponse } from 'node:http';
import { type Caller } from '@weir/access';
import { uuidV7, WeirError } from '@weir/kernel';
import { isVoiceId, type VoiceId } from '@weir/voices';
import { addVoice } from './add-voice';
import { type VoicePath } from './match-voice-path';
import { toVoiceList, toVoiceObject } from './to-voice-object';
import { type VoiceRoad } from './voice-road';

const MOST_LISTED = 1000;
const LIMIT = /^[1-9]\d{0,3}$/;

/**
 * `GET` and `POST /v1/audio/voices`, `GET` and `DELETE /v1/audio/voices/{id or name}`. They take
 * nothing from limits: they cost no upstream anything.
 * @throws WeirError; the answer has not begun then, and a body may still be on its way
 */
export async function answerVoices(road: VoiceRoad, caller: Caller, request: IncomingMessage, response: ServerResponse, { voice }: VoicePath): Promise<void> {
  const { organizationId } = caller;
  switch (`${request.method} ${voice === null ? 'all' : 'one'}`) {
    case 'GET all':
      send(road, response, await listVoices(road, caller, request.url ?? ''));
      return;
    case 'POST all':
      send(road, response, toVoiceObject(await addVoice(road, caller, request)));
      return;
    case 'GET one':
      send(road, response, toVoiceObject(await road.voices.get(organizationId, voice ?? '')));
      return;
    case 'DELETE one': {
      const { id } = await road.voices.delete(organizationId, voice ?? '');
      send(road, response, { id, object: 'audio.voice.deleted', deleted: true });
      return;
    }
    default:
      response.setHeader('allow', voice === null ? 'GET, POST' : 'GET, DELETE');
      throw new WeirError('method_not_allowed');
  }
}

async function listVoices({ voices, listBuiltIn }: VoiceRoad, caller: Caller, url: string) {
  const query = new URLSearchParams(url.split('?').slice(1).join('?'));
  const page = { limit: parseLimit(query.get('limit')), after: parseAfter(query.get('after')) };
  // A page behind the first is not asked what everybody has.
  const builtIn = page.after === null ? await listBuiltIn(caller) : [];
  return toVoiceList(await voices.list(caller.organizationId, page), builtIn);
}

function parseLimit(given: string | null): number {
  if (given === null) return MOST_LISTED;
  if (!LIMIT.test(given) || Number(given) > MOST_LISTED) throw new WeirError('invalid_request', { message: `Invalid 'limit': a whole number from 1 to ${MOST_LISTED}.`, param: 'limit' });
  return Number(given);
}

function parseAfter(given: string | null): VoiceId | null {
  if (given === null) return null;
  if (!isVoiceId(given)) throw new WeirError('invalid_request', { message: "Invalid 'after': the id of a voice, such as a page's last_id.", param: 'after' });
  return given;
}

function send({ clock }: VoiceRoad, response: ServerResponse, answer: object): void {
  const body = Buffer.from(JSON.stringify(answer));
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length, 'x-request-id': uuidV7(clock.nowMs()) });
  response.end(body);
}
