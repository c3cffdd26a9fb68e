import { isJsonObject, JsonObject } from '../dialects/json-object';

/** The voices that a speech server has. */
export interface UpstreamVoices {
  readonly builtIn: readonly string[];
  readonly uploaded: readonly string[];
}

/**
 * Reads a server's list of voices: vLLM-Omni's `{voices: [name], uploaded_voices: [{name}]}`, IndexTTS'
 * object of names (or an empty array), and the lists of others: `[name]`, `{voices: [{id | name}]}`.
 * @throws WeirError upstream_error
 */
export function readUpstreamVoices(answer: unknown): UpstreamVoices {
  if (Array.isArray(answer)) return { builtIn: toNames(answer), uploaded: [] };
  const body = JsonObject.of(answer, '', 'upstream');
  const uploaded = toNames(body.findList('uploaded_voices') ?? []);
  if (!body.has('voices')) return { builtIn: body.has('uploaded_voices') ? [] : body.names, uploaded };
  // vLLM-Omni lists an uploaded voice in both places.
  return { builtIn: toNames(body.findList('voices') ?? []).filter((name) => !uploaded.includes(name)), uploaded };
}

/** A voice to hand to vLLM-Omni. */
export interface VoiceUpload {
  readonly name: string;
  /** The id of a recording of consent, or a word of it: the server wants one. */
  readonly consent: string;
  /** What is said in the sample; better likeness with it. */
  readonly refText: string | null;
}

/** The text fields of `POST /v1/audio/voices`; the sample is the file field `audio_sample`, last. */
export function toVoiceUploadFields({ name, consent, refText }: VoiceUpload): (readonly [name: string, value: string])[] {
  return [['name', name], ['consent', consent], ...(refText === null ? [] : [['ref_text', refText] as const])];
}

function toNames(list: readonly unknown[]): string[] {
  return list.flatMap((item) => {
    const name = isJsonObject(item) ? (item.name ?? item.id) : item;
    return typeof name === 'string' && name !== '' ? [name] : [];
  });
}
