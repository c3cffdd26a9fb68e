/** OpenAI's formats of sound. */
export const SPEECH_FORMATS = ['mp3', 'opus', 'aac', 'flac', 'wav', 'pcm'] as const;
export type SpeechFormat = (typeof SPEECH_FORMATS)[number];

/** OpenAI's own default. */
export const DEFAULT_SPEECH_FORMAT: SpeechFormat = 'mp3';

const CONTENT_TYPES: Readonly<Record<SpeechFormat, string>> = {
  mp3: 'audio/mpeg',
  opus: 'audio/ogg',
  aac: 'audio/aac',
  flac: 'audio/flac',
  wav: 'audio/wav',
  // 24 kHz, 16 bits, one channel, little-endian, without a header; the name is that of OpenAI's servers.
  pcm: 'audio/pcm',
};

export function toSpeechContentType(format: SpeechFormat): string {
  return CONTENT_TYPES[format];
}
