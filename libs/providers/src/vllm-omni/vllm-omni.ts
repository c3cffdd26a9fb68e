import { MAX_SPEECH_CHARACTERS, type SpeechQuirks } from '@weir/wire';
import { readFastApiFailure } from '../fast-api/read-fast-api-failure';
import { toRootPath } from '../fast-api/to-root-path';
import { openai } from '../openai/openai';
import { toOpenAiPath } from '../openai/openai-paths';
import { type Provider, type UpstreamAddress } from '../provider';

/**
 * vLLM-Omni (https://docs.vllm.ai/projects/vllm-omni): speech by Qwen3-TTS and others, pictures by
 * Z-Image and others, chat. The base URL is the server's, with or without `/v1`.
 */
export const vllmOmni: Provider = {
  ...openai,
  name: 'vllm-omni',
  // Its route for edits takes URLs to fetch as form fields, so it is not offered.
  formats: { chat: ['openai-chat'], speech: ['vllm-omni-speech'], images: ['vllm-omni-images'] },
  toPath: ({ basePath }, format) => `${toRootPath(basePath)}/v1${toOpenAiPath(format)}`,
  toSpeechQuirks: () => vllmOmniSpeech,
  toChatQuirks: () => ({ outputCapMember: 'max_tokens' }),
  toHealthPath: ({ basePath }) => `${toRootPath(basePath)}/health`,
  readFailure: readFastApiFailure,
};

/** It answers wav unless another format is said, and streams pcm and wav alone. */
export const vllmOmniSpeech: SpeechQuirks = {
  maxInputCharacters: MAX_SPEECH_CHARACTERS,
  formats: ['mp3', 'opus', 'aac', 'flac', 'wav', 'pcm'],
  streamFormats: ['pcm', 'wav'],
  takesSpeed: true,
  takesInstructions: true,
  // A model that designs its voice after `instructions` has none to name.
  requiresVoice: false,
};

/** Where it lists its voices (GET) and takes new ones (POST, multipart: see toVoiceUploadFields). */
export function toVllmOmniVoicesPath({ basePath }: UpstreamAddress): string {
  return `${toRootPath(basePath)}/v1/audio/voices`;
}

/** Where an uploaded voice is deleted (DELETE). */
export function toVllmOmniVoicePath(address: UpstreamAddress, name: string): string {
  return `${toVllmOmniVoicesPath(address)}/${encodeURIComponent(name)}`;
}
