import { type Voice, type VoicePage } from '@weir/voices';

/** OpenAI's voice object, and what Weir knows besides. The consent and the text are the organization's own. */
export function toVoiceObject(voice: Voice) {
  return {
    id: voice.id,
    object: 'audio.voice',
    type: 'audio_sample',
    name: voice.name,
    created_at: toSeconds(voice.createdAtMs),
    consent: voice.consent,
    ref_text: voice.refText,
    media_type: voice.mediaType,
    bytes: voice.bytes,
  };
}

/**
 * OpenAI's page of objects; beside it `voices` and `uploaded_voices` as vLLM-Omni's speech service
 * lists them, so that its clients find what they know.
 */
export function toVoiceList({ voices, hasMore }: VoicePage, builtIn: readonly string[]) {
  return {
    object: 'list',
    data: voices.map(toVoiceObject),
    first_id: voices.at(0)?.id ?? null,
    last_id: voices.at(-1)?.id ?? null,
    has_more: hasMore,
    voices: [...builtIn, ...voices.map(({ name }) => name)],
    uploaded_voices: voices.map(toUploadedVoice),
  };
}

function toUploadedVoice(voice: Voice) {
  return {
    name: voice.name,
    consent: voice.consent,
    created_at: toSeconds(voice.createdAtMs),
    file_size: voice.bytes,
    mime_type: voice.mediaType,
    ...(voice.refText === null ? {} : { ref_text: voice.refText }),
  };
}

function toSeconds(timeMs: number): number {
  return Math.floor(timeMs / 1000);
}
