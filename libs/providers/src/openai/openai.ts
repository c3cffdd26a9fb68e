import { type Provider } from '../provider';
import { readOpenAiFailure } from './openai-failure';
import { toOpenAiPath } from './openai-paths';

/** OpenAI's API (https://platform.openai.com/docs/api-reference). The base URL ends in `/v1`. */
export const openai: Provider = {
  name: 'openai',
  formats: {
    chat: ['openai-chat', 'openai-responses'],
    completions: ['openai-completions'],
    embeddings: ['openai-embeddings'],
    moderations: ['openai-moderations'],
    speech: ['openai-speech'],
    transcriptions: ['openai-transcriptions', 'openai-translations'],
    images: ['openai-images', 'openai-image-edits'],
  },
  passedHeaders: [],
  toPath: (address, format) => address.basePath + toOpenAiPath(format),
  toAuthorization: (secret) => ['authorization', `Bearer ${secret.expose()}`],
  toHeaders: () => [],
  toChatQuirks: () => ({ refusesThinking: true }),
  toSpeechQuirks: () => null,
  toHealthPath: () => null,
  readFailure: readOpenAiFailure,
};
