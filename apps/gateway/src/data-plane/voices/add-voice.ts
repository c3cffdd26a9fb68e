import { type IncomingMessage } from 'node:http';
import { type Caller } from '@weir/access';
import { WeirError } from '@weir/kernel';
import { parseVoiceFields, parseVoiceName, type StoredSample, type Voice } from '@weir/voices';
import { type MultipartField, type MultipartForm, toFieldMap } from '../multipart/multipart-form';
import { readMultipart } from '../multipart/read-multipart';
import { type VoiceRoad } from './voice-road';

/** OpenAI's and vLLM-Omni's form; `type` is what OpenAI's client may send with it. */
const VOICE_FORM: MultipartForm = {
  parts: new Map([
    ['name', { kind: 'text', isRequired: true, maxBytes: 1024 }],
    ['audio_sample', { kind: 'file', isRequired: true }],
    ['consent', { kind: 'text', isRequired: true, maxBytes: 2048 }],
    ['ref_text', { kind: 'text', maxBytes: 32 * 1024 }],
    ['type', { kind: 'text', maxBytes: 64 }],
  ]),
};

/**
 * Takes a voice: the recording goes into the store as it comes, and becomes a voice when the whole
 * form is valid.
 * @throws WeirError; nothing stays then
 */
export async function addVoice(road: VoiceRoad, caller: Caller, request: IncomingMessage): Promise<Voice> {
  const { voices, configuration } = road;
  await voices.requireRoom(caller.organizationId);
  const stored: StoredSample[] = [];
  try {
    const { fields } = await readMultipart(request, VOICE_FORM, { maxFileBytes: configuration.maxUploadBytes }, async ({ content, mediaType }, before) => {
      // Who sends the name first learns at once that it will not do.
      await requireFreeName(road, caller, before);
      stored.push(await voices.storeSample(content, mediaType));
    });
    const parsed = parseVoiceFields(toGiven(fields));
    await requireFreeName(road, caller, fields);
    const sample = stored.pop();
    if (sample === undefined) throw new Error('a form without its file was taken');
    // From here on it is the store's: after an error that leaves the row in doubt the file must stay.
    return await voices.add(caller, sample, parsed);
  } finally {
    for (const sample of stored) await voices.discardSample(sample);
  }
}

function toGiven(fields: readonly MultipartField[]): Parameters<typeof parseVoiceFields>[0] {
  const given = toFieldMap(fields);
  return { name: given.get('name'), consent: given.get('consent'), refText: given.get('ref_text'), type: given.get('type') };
}

/** A service's own voice comes first when a name is asked for, so another one of that name would never be heard. */
async function requireFreeName({ voices, listBuiltIn }: VoiceRoad, caller: Caller, fields: readonly MultipartField[]): Promise<void> {
  const given = toFieldMap(fields).get('name');
  if (given === undefined) return;
  const name = parseVoiceName(given);
  const builtIn = await listBuiltIn(caller);
  if (builtIn.some((one) => one.toLowerCase() === name.toLowerCase())) throw taken('The TTS service has a voice of that name.');
  if ((await voices.find(caller.organizationId, name)) !== null) throw taken('There is a voice of that name.');
}

function taken(message: string): WeirError {
  return new WeirError('conflict', { message, param: 'name' });
}
