import { countCodePoints } from '../count-code-points';
import { JsonObject } from '../dialects/json-object';
import { refuseReferences } from '../refuse-references';
import { DEFAULT_SPEECH_FORMAT, SPEECH_FORMATS, type SpeechFormat, toSpeechContentType } from './speech-format';

/** OpenAI's limit (https://platform.openai.com/docs/api-reference/audio/createSpeech), in code points. */
export const MAX_SPEECH_CHARACTERS = 4096;
const MAX_VOICE_CHARACTERS = 200;

/** By which servers take a voice to imitate. Callers upload voices to Weir instead, where they have an owner. */
const VOICE_SOURCES: readonly string[] = [
  'ref_audio', 'ref_audio_2', 'references', 'reference_audio', 'reference_id', 'speaker_audio', 'speaker_embedding', 'voice_prompt', 'audio_prompt', 'audio_prompt_path', 'audio_path', 'audio_paths',
  'spk_audio_prompt', 'emo_audio_prompt', 'prompt_audio', 'lora',
];
/** Texts of the caller's own, in which a URL is something to say. */
const FREE_TEXTS: readonly string[] = ['input', 'instructions', 'language'];
/** Servers look a voice up among files of this name. */
const VOICE_PATH = /[/\\\p{Cc}]|^\.{1,2}$/u;

/** A caller's request for speech, checked. */
export interface SpeechRequest {
  readonly input: string;
  /** Of the input, in code points: what is charged where no tokens are told. */
  readonly characters: number;
  /** The name or id of a voice; null when the caller did not say. */
  readonly voice: string | null;
  /** Null when the caller did not say: then DEFAULT_SPEECH_FORMAT. */
  readonly format: SpeechFormat | null;
  /** 1 is as the voice speaks. */
  readonly speed: number;
  readonly instructions: string | null;
  /** `speech.audio.*` events instead of the sound itself. */
  readonly isEvents: boolean;
  /** Of the answer. */
  readonly contentType: string;
  /** Members that Weir does not know, as they came; none of them holds a URL or a path. */
  readonly others: Readonly<Record<string, unknown>>;
}

const KNOWN: readonly string[] = ['model', 'input', 'voice', 'response_format', 'speed', 'stream_format', 'instructions'];

/**
 * Checks a caller's request for speech. Members that are not known pass, as servers have many of their
 * own, but for those by which a caller could have a server fetch or open something (`ref_audio`).
 * @param maxCharacters of the input, in code points
 * @throws WeirError invalid_request that names the field
 */
export function readSpeechRequest(body: unknown, maxCharacters = MAX_SPEECH_CHARACTERS): SpeechRequest {
  const request = JsonObject.of(body, '', 'caller');
  const input = request.getText('input');
  if (input.trim() === '') throw request.fault('input', 'must not be empty');
  const characters = countCodePoints(input);
  if (characters > maxCharacters) throw request.fault('input', `may have at most ${maxCharacters} characters`);
  const format = request.findChoice('response_format', SPEECH_FORMATS);
  const isEvents = readIsEvents(request);
  return {
    input,
    characters,
    voice: readVoice(request),
    format,
    speed: request.findNumber('speed', 0.25, 4) ?? 1,
    instructions: request.findText('instructions'),
    isEvents,
    contentType: isEvents ? 'text/event-stream' : toSpeechContentType(format ?? DEFAULT_SPEECH_FORMAT),
    others: readOthers(request),
  };
}

/** `stream: true` alone is how vLLM-Omni asks for events. */
function readIsEvents(request: JsonObject): boolean {
  const format = request.findChoice('stream_format', ['sse', 'audio']);
  const isStream = request.findFlag('stream') ?? false;
  return format === 'sse' || (format === null && isStream);
}

function readVoice(request: JsonObject): string | null {
  const value = request.find('voice');
  if (value === null) return null;
  const isText = typeof value === 'string';
  const field = isText ? 'voice' : 'voice.id';
  const voice = isText ? value : JsonObject.of(value, 'voice', 'caller').getText('id');
  if (voice.trim() === '') throw request.fault(field, 'must not be empty');
  if (voice.length > MAX_VOICE_CHARACTERS || VOICE_PATH.test(voice)) throw request.fault(field, 'must be the name of a voice');
  return voice;
}

function readOthers(request: JsonObject): Readonly<Record<string, unknown>> {
  const others: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(request.members)) {
    if (KNOWN.includes(name) || value === null) continue;
    if (VOICE_SOURCES.includes(name)) throw request.fault(name, 'is not taken from callers: upload a voice and name it');
    if (!FREE_TEXTS.includes(name)) refuseReferences(value, name);
    others[name] = value;
  }
  return others;
}
