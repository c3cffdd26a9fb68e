import { type Operation } from '@weir/kernel';
import { type GpuHostVariable, type GpuPortVariable, type GpuUrlVariable } from '@weir/platform';
import { type ProviderName } from '@weir/providers';

/** How the environment says where a backend is. */
export type BackendVariables = { readonly url: GpuUrlVariable } | { readonly host: GpuHostVariable; readonly port: GpuPortVariable };

/** A GPU service that Weir knows by name. */
export interface KnownBackend {
  readonly provider: ProviderName;
  readonly operation: Operation;
  /** What callers ask for. */
  readonly model: string;
  /** What the service calls it. */
  readonly upstreamModel: string;
  readonly variables: BackendVariables;
  /** How long a call may take, where nobody says; absent: as all upstreams'. */
  readonly timeoutMs?: number;
  /** Of its upstream, as far as its provider takes them. */
  readonly options?: Readonly<Record<string, unknown>>;
}

const VLLM = { preset: 'vllm' } as const;

/** Every GPU service with a name of its own. `backends` in weir.yaml and the environment both go by this table. */
export const KNOWN_BACKENDS = {
  'qwen3-tts': {
    provider: 'vllm-omni',
    operation: 'speech',
    model: 'qwen3-tts',
    upstreamModel: 'Qwen/Qwen3-TTS-12Hz-1.7B-CustomVoice',
    variables: { url: 'QWEN3_TTS_URL' },
  },
  indextts: { provider: 'index-tts', operation: 'speech', model: 'indextts', upstreamModel: 'indextts', variables: { url: 'INDEXTTS_URL' } },
  embed_text_bge: {
    provider: 'tei',
    operation: 'embeddings',
    model: 'embed_text_bge',
    upstreamModel: 'BAAI/bge-m3',
    variables: { host: 'EMBED_SERVER_1', port: 'PORT_EMBED_BGE' },
  },
  embed_4b: {
    provider: 'openai-compatible',
    operation: 'embeddings',
    model: 'embed_4b',
    upstreamModel: 'Qwen3-Embedding-4B',
    variables: { host: 'EMBED_SERVER_1', port: 'PORT_EMBED_4B' },
    options: VLLM,
  },
  embed_8b: {
    provider: 'openai-compatible',
    operation: 'embeddings',
    model: 'embed_8b',
    upstreamModel: 'Qwen3-Embedding-8B',
    variables: { host: 'EMBED_SERVER_2', port: 'PORT_EMBED_8B' },
    options: VLLM,
  },
  rerank_4b: {
    provider: 'openai-compatible',
    operation: 'rerank',
    model: 'rerank_4b',
    upstreamModel: 'Qwen3-Reranker-4B',
    variables: { host: 'EMBED_SERVER_1', port: 'PORT_RERANK_4B' },
    options: VLLM,
  },
  rerank_8b: {
    provider: 'openai-compatible',
    operation: 'rerank',
    model: 'rerank_8b',
    upstreamModel: 'Qwen3-Reranker-8B',
    variables: { host: 'EMBED_SERVER_2', port: 'PORT_RERANK_8B' },
    options: VLLM,
  },
  siglip2: { provider: 'siglip2', operation: 'embeddings', model: 'siglip2', upstreamModel: 'siglip2', variables: { host: 'EMBED_SERVER_1', port: 'PORT_SIGLIP2' } },
  zimage: { provider: 'vllm-omni', operation: 'images', model: 'z-image', upstreamModel: 'Z-Image-Turbo', variables: { host: 'EMBED_SERVER_1', port: 'PORT_ZIMAGE' } },
  vlm: { provider: 'openai-compatible', operation: 'chat', model: 'vlm', upstreamModel: 'vlm', variables: { host: 'VLM_HOST', port: 'PORT_VLM' }, options: VLLM },
  trellis: {
    provider: 'trellis',
    operation: 'meshes',
    model: 'trellis',
    upstreamModel: 'trellis',
    variables: { host: 'TRELLIS_HOST', port: 'PORT_TRELLIS' },
    // A mesh takes minutes.
    timeoutMs: 600_000,
  },
} as const satisfies Record<string, KnownBackend>;

/** The longest that a call to a backend may take, where nobody says; undefined: as all upstreams'. */
export function findTimeoutMs(name: BackendName): number | undefined {
  const backend: KnownBackend = KNOWN_BACKENDS[name];
  return backend.timeoutMs;
}

export type BackendName = keyof typeof KNOWN_BACKENDS;

export const BACKEND_NAMES: readonly BackendName[] = Object.keys(KNOWN_BACKENDS).filter(isBackendName);

export function isBackendName(name: string): name is BackendName {
  return Object.hasOwn(KNOWN_BACKENDS, name);
}

/** Where OpenAI's API is on a server that speaks it, unless its URL says another path. Other services find their own way. */
export function toBackendPath(provider: ProviderName): string {
  return provider === 'openai-compatible' || provider === 'openai' ? '/v1' : '';
}
