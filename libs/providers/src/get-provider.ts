import { anthropic } from './anthropic/anthropic';
import { azure } from './azure/azure';
import { gemini } from './gemini/gemini';
import { indexTts } from './index-tts/index-tts';
import { infinity } from './infinity/infinity';
import { openai } from './openai/openai';
import { openaiCompatible } from './openai-compatible/openai-compatible';
import { type Provider, type ProviderName } from './provider';
import { siglip2 } from './siglip2/siglip2';
import { tei } from './tei/tei';
import { trellis } from './trellis/trellis';
import { vllmOmni } from './vllm-omni/vllm-omni';

const PROVIDERS: Readonly<Record<ProviderName, Provider>> = {
  openai,
  azure,
  'openai-compatible': openaiCompatible,
  anthropic,
  gemini,
  tei,
  infinity,
  'vllm-omni': vllmOmni,
  'index-tts': indexTts,
  siglip2,
  trellis,
};

export const PROVIDER_NAMES: readonly ProviderName[] = Object.keys(PROVIDERS).filter(isProviderName);

export function isProviderName(value: unknown): value is ProviderName {
  return typeof value === 'string' && Object.hasOwn(PROVIDERS, value);
}

export function getProvider(name: ProviderName): Provider {
  return PROVIDERS[name];
}
