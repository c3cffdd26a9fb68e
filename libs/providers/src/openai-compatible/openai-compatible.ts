import { openai } from '../openai/openai';
import { toOpenAiPath } from '../openai/openai-paths';
import { type Provider } from '../provider';
import { findPreset, toPresetQuirks } from './preset';

/**
 * Any server that speaks OpenAI's API: vLLM, SGLang, llama.cpp, Ollama and hosted services. The
 * base URL says where, including `/v1` where the server has it; the option `preset` says what it is.
 */
export const openaiCompatible: Provider = {
  ...openai,
  name: 'openai-compatible',
  formats: {
    chat: ['openai-chat'],
    completions: ['openai-completions'],
    embeddings: ['openai-embeddings'],
    moderations: ['openai-moderations'],
    rerank: ['rerank'],
    speech: ['openai-speech'],
    transcriptions: ['openai-transcriptions', 'openai-translations'],
    images: ['openai-images', 'openai-image-edits'],
    meshes: ['meshes'],
  },
  toPath: (address, format) => findPreset(address)?.paths?.[format] ?? address.basePath + toOpenAiPath(format),
  toChatQuirks: (address, upstreamModel) => {
    const preset = findPreset(address);
    return preset === null ? { outputCapMember: 'max_tokens' } : toPresetQuirks(preset, upstreamModel, address.options.drop_unsupported === true);
  },
  toHealthPath: (address) => {
    const path = findPreset(address)?.healthPath;
    return path === undefined ? null : address.basePath.replace(/\/v1$/, '') + path;
  },
};
