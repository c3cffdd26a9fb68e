import { type WireFormat } from '@weir/wire';
import { type ChatQuirks } from '../provider';

type Efforts = NonNullable<ChatQuirks['reasoningEfforts']>;

/** What a server or service makes of OpenAI's API. What is not said is as OpenAI has it. */
export interface Preset {
  /** Where the service is; null for servers that people run themselves. */
  readonly baseUrl: string | null;
  readonly quirks: ChatQuirks;
  /** Efforts by model, the first pattern that fits; where there are any, all other models take none. */
  readonly effortsByModel?: readonly (readonly [model: RegExp, efforts: Efforts])[];
  /** False: it refuses `stream_options`. It sends usage with each stream by itself. */
  readonly takesStreamOptions?: false;
  /** From the server's root, which is the base path without `/v1`. Free, and without a key. */
  readonly healthPath?: string;
  /** Where a format is that is not below the base path: from the root of the host. */
  readonly paths?: Readonly<Partial<Record<WireFormat, string>>>;
}

const THREE: Efforts = ['low', 'medium', 'high'];
const GPT_OSS: readonly [RegExp, Efforts] = [/gpt-oss/, THREE];
/** Its own servers do not know the newer name in all their versions; all of them take this one. */
const MAX_TOKENS = 'max_tokens';
const OWN_SERVER = { outputCapMember: MAX_TOKENS, reasoningEfforts: THREE, takesTopK: true } as const;

/**
 * Written after each service's reference (November 2026); no service could be reached from where it
 * was written. An effort that is not listed becomes the next lower one that is.
 */
const TABLE = {
  // Servers of one's own.
  vllm: { baseUrl: null, quirks: OWN_SERVER, healthPath: '/health' },
  sglang: { baseUrl: null, quirks: OWN_SERVER, healthPath: '/health' },
  'llama.cpp': { baseUrl: null, quirks: OWN_SERVER, healthPath: '/health' },
  ollama: { baseUrl: null, quirks: { outputCapMember: MAX_TOKENS, reasoningEfforts: ['none', ...THREE] }, healthPath: '/api/version' },
  'lm-studio': { baseUrl: null, quirks: OWN_SERVER },

  // Services.
  alibaba: { baseUrl: 'https://dashscope-intl.aliyuncs.com/compatible-mode/v1', quirks: { outputCapMember: MAX_TOKENS, reasoningEfforts: [], takesTopK: true } },
  cerebras: {
    baseUrl: 'https://api.cerebras.ai/v1',
    quirks: { refusedMembers: ['metadata'] },
    effortsByModel: [GPT_OSS, [/glm/, ['none']]],
  },
  cohere: {
    baseUrl: 'https://api.cohere.ai/compatibility/v1',
    quirks: { outputCapMember: MAX_TOKENS, refusedMembers: ['metadata', 'parallel_tool_calls', 'user'] },
    effortsByModel: [[/reasoning/, ['none', 'high']]],
    paths: { rerank: '/v2/rerank' },
  },
  deepinfra: { baseUrl: 'https://api.deepinfra.com/v1/openai', quirks: { outputCapMember: MAX_TOKENS, reasoningEfforts: ['none', ...THREE], takesTopK: true } },
  deepseek: { baseUrl: 'https://api.deepseek.com', quirks: { outputCapMember: MAX_TOKENS, reasoningEfforts: ['high', 'max'] } },
  fireworks: { baseUrl: 'https://api.fireworks.ai/inference/v1', quirks: { outputCapMember: MAX_TOKENS, reasoningEfforts: ['none', ...THREE], takesTopK: true } },
  groq: {
    baseUrl: 'https://api.groq.com/openai/v1',
    quirks: { refusedMembers: ['metadata'], refusesThinking: true },
    // Qwen's other value is `default`, which is to say nothing.
    effortsByModel: [GPT_OSS, [/qwen/, ['none']]],
  },
  mistral: {
    baseUrl: 'https://api.mistral.ai/v1',
    quirks: { outputCapMember: MAX_TOKENS, refusedMembers: ['seed', 'user', 'metadata', 'stream_options'], refusesThinking: true },
    effortsByModel: [[/^mistral-(?:small|medium)/, ['none', 'high']]],
    takesStreamOptions: false,
  },
  moonshot: { baseUrl: 'https://api.moonshot.ai/v1', quirks: { outputCapMember: MAX_TOKENS, reasoningEfforts: [] } },
  nvidia: { baseUrl: 'https://integrate.api.nvidia.com/v1', quirks: { outputCapMember: MAX_TOKENS }, effortsByModel: [GPT_OSS] },
  openrouter: {
    baseUrl: 'https://openrouter.ai/api/v1',
    quirks: { outputCapMember: MAX_TOKENS, reasoningEfforts: ['none', 'minimal', ...THREE, 'xhigh'], takesTopK: true, keepsReasoning: true },
  },
  perplexity: {
    baseUrl: 'https://api.perplexity.ai',
    quirks: { outputCapMember: MAX_TOKENS, takesTopK: true, refusedMembers: ['stream_options'] },
    effortsByModel: [[/deep-research|reasoning/, THREE]],
    takesStreamOptions: false,
  },
  siliconflow: { baseUrl: 'https://api.siliconflow.com/v1', quirks: { outputCapMember: MAX_TOKENS, reasoningEfforts: [], takesTopK: true } },
  together: { baseUrl: 'https://api.together.xyz/v1', quirks: { outputCapMember: MAX_TOKENS, reasoningEfforts: THREE, takesTopK: true } },
  xai: {
    baseUrl: 'https://api.x.ai/v1',
    quirks: {},
    effortsByModel: [
      [/grok-3-mini/, ['low', 'high']],
      [/grok-4\.[3-9]/, THREE],
    ],
  },
  zai: { baseUrl: 'https://api.z.ai/api/paas/v4', quirks: { outputCapMember: MAX_TOKENS, reasoningEfforts: [] } },
} as const satisfies Readonly<Record<string, Preset>>;

export type PresetName = keyof typeof TABLE;

export const PRESETS: Readonly<Record<PresetName, Preset>> = TABLE;

export const PRESET_NAMES: readonly PresetName[] = Object.keys(TABLE).filter(isPresetName);

export function isPresetName(value: unknown): value is PresetName {
  return typeof value === 'string' && Object.hasOwn(TABLE, value);
}
