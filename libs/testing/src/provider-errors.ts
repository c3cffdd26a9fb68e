import { readReference } from './provider-scenes';

/** Providers of chat that the simulator speaks for. */
export type SimulatedProvider = 'openai' | 'azure' | 'openai-compatible' | 'anthropic' | 'gemini';

/** What a provider may refuse a request with, before any answer. */
export type ProviderErrorKind = 'about_request' | 'bad_key' | 'throttled' | 'missing_model' | 'overloaded';

interface ProviderError {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

type Row = readonly [status: number, file: string, headers?: Readonly<Record<string, string>>];

const ERRORS: Readonly<Record<SimulatedProvider, Readonly<Record<ProviderErrorKind, Row>>>> = {
  openai: {
    about_request: [400, 'openai/fixtures/context-length'],
    bad_key: [401, 'openai/fixtures/invalid-key'],
    throttled: [429, 'openai/fixtures/rate-limit', { 'retry-after': '2' }],
    missing_model: [404, 'openai/fixtures/model-not-found'],
    overloaded: [503, 'openai/fixtures/server'],
  },
  azure: {
    about_request: [400, 'azure/fixtures/content-filter'],
    bad_key: [401, 'azure/fixtures/invalid-key'],
    throttled: [429, 'azure/fixtures/rate-limit', { 'retry-after': '7' }],
    missing_model: [404, 'azure/fixtures/no-deployment'],
    overloaded: [503, 'openai/fixtures/server'],
  },
  'openai-compatible': {
    about_request: [400, 'openai-compatible/fixtures/vllm-context'],
    bad_key: [401, 'openai-compatible/fixtures/vllm-unauthorized'],
    throttled: [429, 'openai-compatible/fixtures/groq-tpm', { 'retry-after': '6' }],
    missing_model: [404, 'openai-compatible/fixtures/vllm-no-model'],
    overloaded: [503, 'openai-compatible/fixtures/ollama-busy'],
  },
  anthropic: {
    about_request: [400, 'anthropic/fixtures/prompt-too-long'],
    bad_key: [401, 'anthropic/fixtures/invalid-key'],
    throttled: [429, 'anthropic/fixtures/rate-limit', { 'retry-after': '12' }],
    missing_model: [404, 'anthropic/fixtures/model-not-found'],
    overloaded: [529, 'anthropic/fixtures/overloaded'],
  },
  gemini: {
    about_request: [400, 'gemini/fixtures/invalid-argument'],
    bad_key: [400, 'gemini/fixtures/invalid-key'],
    throttled: [429, 'gemini/fixtures/minute-quota'],
    missing_model: [404, 'gemini/fixtures/model-not-found'],
    overloaded: [503, 'gemini/fixtures/overloaded'],
  },
};

/** A provider's own bytes for an error. */
export function readProviderError(provider: SimulatedProvider, kind: ProviderErrorKind): ProviderError {
  const [status, file, headers = {}] = ERRORS[provider][kind];
  return { status, headers, body: readReference(`libs/providers/src/${file}.reference.json`) };
}
