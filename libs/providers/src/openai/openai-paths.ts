import { type WireFormat } from '@weir/wire';

/** Where OpenAI's API has what, behind the base path (`/v1`). */
const OPENAI_PATHS: Readonly<Partial<Record<WireFormat, string>>> = {
  'openai-chat': '/chat/completions',
  'openai-completions': '/completions',
  'openai-responses': '/responses',
  'openai-embeddings': '/embeddings',
  'openai-moderations': '/moderations',
  'openai-speech': '/audio/speech',
  'vllm-omni-speech': '/audio/speech',
  'openai-transcriptions': '/audio/transcriptions',
  'openai-translations': '/audio/translations',
  'openai-images': '/images/generations',
  'vllm-omni-images': '/images/generations',
  'openai-image-edits': '/images/edits',
  meshes: '/meshes',
  rerank: '/rerank',
};

/** @throws Error for a format that the provider does not list */
export function toOpenAiPath(format: WireFormat): string {
  const path = OPENAI_PATHS[format];
  if (path === undefined) throw new Error(`no path for ${format}`);
  return path;
}
