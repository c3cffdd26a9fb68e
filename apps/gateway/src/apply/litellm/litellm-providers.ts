import { type PresetName, PRESETS, type ProviderName } from '@weir/providers';

/** What a prefix of LiteLLM's model names is here. */
export interface LitellmProvider {
  readonly provider: ProviderName;
  /** Where it is when the configuration does not say; null must be said. */
  readonly baseUrl: string | null;
  /** The variable that LiteLLM reads the key from when none is given; null for one's own servers, which need none. */
  readonly keyVariable: string | null;
  readonly preset?: PresetName;
}

/** Prefixes as in https://docs.litellm.ai/docs/providers. */
const PROVIDERS: Readonly<Record<string, LitellmProvider>> = {
  openai: { provider: 'openai', baseUrl: 'https://api.openai.com/v1', keyVariable: 'OPENAI_API_KEY' },
  'text-completion-openai': { provider: 'openai', baseUrl: 'https://api.openai.com/v1', keyVariable: 'OPENAI_API_KEY' },
  azure: { provider: 'azure', baseUrl: null, keyVariable: 'AZURE_API_KEY' },
  anthropic: { provider: 'anthropic', baseUrl: 'https://api.anthropic.com', keyVariable: 'ANTHROPIC_API_KEY' },
  gemini: { provider: 'gemini', baseUrl: 'https://generativelanguage.googleapis.com', keyVariable: 'GEMINI_API_KEY' },
  openai_like: { provider: 'openai-compatible', baseUrl: null, keyVariable: 'OPENAI_LIKE_API_KEY' },
  custom_openai: { provider: 'openai-compatible', baseUrl: null, keyVariable: 'OPENAI_API_KEY' },
  infinity: { provider: 'infinity', baseUrl: null, keyVariable: null },
  hosted_vllm: own('vllm', null),
  vllm: own('vllm', null),
  llamafile: own('llama.cpp', 'http://127.0.0.1:8080/v1'),
  lm_studio: own('lm-studio', null),
  ollama: own('ollama', 'http://localhost:11434/v1'),
  ollama_chat: own('ollama', 'http://localhost:11434/v1'),
  cerebras: service('cerebras', 'CEREBRAS_API_KEY'),
  cohere: service('cohere', 'COHERE_API_KEY'),
  cohere_chat: service('cohere', 'COHERE_API_KEY'),
  dashscope: service('alibaba', 'DASHSCOPE_API_KEY'),
  deepinfra: service('deepinfra', 'DEEPINFRA_API_KEY'),
  deepseek: service('deepseek', 'DEEPSEEK_API_KEY'),
  fireworks_ai: service('fireworks', 'FIREWORKS_AI_API_KEY'),
  groq: service('groq', 'GROQ_API_KEY'),
  mistral: service('mistral', 'MISTRAL_API_KEY'),
  moonshot: service('moonshot', 'MOONSHOT_API_KEY'),
  nvidia_nim: service('nvidia', 'NVIDIA_NIM_API_KEY'),
  openrouter: service('openrouter', 'OPENROUTER_API_KEY'),
  perplexity: service('perplexity', 'PERPLEXITYAI_API_KEY'),
  siliconflow: service('siliconflow', 'SILICONFLOW_API_KEY'),
  together_ai: service('together', 'TOGETHERAI_API_KEY'),
  xai: service('xai', 'XAI_API_KEY'),
  zai: service('zai', 'ZAI_API_KEY'),
};

function service(preset: PresetName, keyVariable: string): LitellmProvider {
  return { provider: 'openai-compatible', baseUrl: PRESETS[preset].baseUrl, keyVariable, preset };
}

function own(preset: PresetName, baseUrl: string | null): LitellmProvider {
  return { provider: 'openai-compatible', baseUrl, keyVariable: null, preset };
}

export function findLitellmProvider(prefix: string): LitellmProvider | null {
  return Object.hasOwn(PROVIDERS, prefix) ? PROVIDERS[prefix] : null;
}

/** A name such as `azure/o_series/gpt`: who answers, and what they call the model. A bare name is OpenAI's or Anthropic's. */
export function splitLitellmModel(model: string, customProvider: unknown): { readonly prefix: string; readonly upstreamModel: string } {
  if (typeof customProvider === 'string' && customProvider !== '') {
    const own = `${customProvider}/`;
    return { prefix: customProvider, upstreamModel: toBare(model.startsWith(own) ? model.slice(own.length) : model) };
  }
  const slash = model.indexOf('/');
  if (slash === -1) return { prefix: model.startsWith('claude') ? 'anthropic' : 'openai', upstreamModel: model };
  return { prefix: model.slice(0, slash), upstreamModel: toBare(model.slice(slash + 1)) };
}

/** Words that only tell LiteLLM which of its roads to take. */
function toBare(model: string): string {
  return model.replace(/^(?:o_series|gpt5_series|responses|chat|rerank)\//, '');
}
