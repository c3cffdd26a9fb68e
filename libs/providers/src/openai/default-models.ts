import { type Operation } from '@weir/kernel';

/**
 * The models that an import of OpenAI keys offers by their own names (openai 7.55.0). Others are
 * reached as `openai/<name>`, or declared by an admin.
 */
export const OPENAI_DEFAULT_MODELS: Readonly<Partial<Record<Operation, readonly string[]>>> = {
  chat: [
    'gpt-6-sol',
    'gpt-6-luna',
    'gpt-5.6-sol',
    'gpt-5.6-terra',
    'gpt-5.6-luna',
    'gpt-5.5',
    'gpt-5.4',
    'gpt-5.4-mini',
    'gpt-5.4-nano',
    'gpt-5.2',
    'gpt-5.1',
    'gpt-5',
    'gpt-5-mini',
    'gpt-5-nano',
    'gpt-4.1',
    'gpt-4.1-mini',
    'gpt-4.1-nano',
    'gpt-4o',
    'gpt-4o-mini',
    'o3',
    'o4-mini',
  ],
  completions: ['gpt-3.5-turbo-instruct'],
  embeddings: ['text-embedding-3-small', 'text-embedding-3-large', 'text-embedding-ada-002'],
  moderations: ['omni-moderation-latest'],
  speech: ['gpt-4o-mini-tts', 'tts-1', 'tts-1-hd'],
  transcriptions: ['gpt-transcribe', 'gpt-4o-transcribe', 'gpt-4o-mini-transcribe', 'gpt-4o-transcribe-diarize', 'whisper-1'],
  images: ['gpt-image-2.6-sunburst', 'gpt-image-2.6-flare', 'gpt-image-2', 'gpt-image-1.5', 'gpt-image-1', 'gpt-image-1-mini', 'chatgpt-image-latest'],
};
