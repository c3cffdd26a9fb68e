import { MAX_SPEECH_CHARACTERS, SPEECH_FORMATS, type SpeechQuirks } from '@weir/wire';
import { readFastApiFailure } from '../fast-api/read-fast-api-failure';
import { toRootPath } from '../fast-api/to-root-path';
import { openai } from '../openai/openai';
import { type Provider, type UpstreamAddress } from '../provider';

/**
 * IndexTTS behind an OpenAI-like route (https://github.com/Ksuriuri/index-tts-vllm): `/audio/speech` and
 * `/audio/voices` right below the base URL. Servers that have them at `/v1` say so in the base URL.
 */
export const indexTts: Provider = {
  ...openai,
  name: 'index-tts',
  formats: { speech: ['index-tts-speech'] },
  toSpeechQuirks: toIndexTtsSpeech,
  toPath: ({ basePath }, format) => {
    if (format !== 'index-tts-speech') throw new Error(`no path for ${format}`);
    return `${basePath}/audio/speech`;
  },
  toHealthPath: ({ basePath }) => `${toRootPath(basePath)}/health`,
  readFailure: readFastApiFailure,
};

/**
 * It answers wav whatever is asked, and knows neither speed nor instructions. A server that makes more
 * formats says them in the upstream's option `response_formats`: `"mp3,wav"`.
 */
export function toIndexTtsSpeech({ options }: UpstreamAddress): SpeechQuirks {
  const said = typeof options.response_formats === 'string' ? options.response_formats.split(',').map((name) => name.trim()) : [];
  const formats = SPEECH_FORMATS.filter((format) => said.includes(format));
  return {
    maxInputCharacters: MAX_SPEECH_CHARACTERS,
    formats: formats.length === 0 ? ['wav'] : formats,
    streamFormats: [],
    takesSpeed: false,
    takesInstructions: false,
    requiresVoice: true,
  };
}

/** Where it lists its voices: an object with a member for each, or an empty array. It takes no new ones. */
export function toIndexTtsVoicesPath({ basePath }: UpstreamAddress): string {
  return `${basePath}/audio/voices`;
}
