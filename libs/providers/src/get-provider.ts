import { azure } from './azure/azure';
import { openai } from './openai/openai';
import { openaiCompatible } from './openai-compatible/openai-compatible';
import { type Provider, type ProviderName } from './provider';

const PROVIDERS: Readonly<Record<ProviderName, Provider>> = {
  openai,
  azure,
  'openai-compatible': openaiCompatible,
};

export const PROVIDER_NAMES: readonly ProviderName[] = ['openai', 'azure', 'openai-compatible'];

export function isProviderName(value: unknown): value is ProviderName {
  return typeof value === 'string' && Object.hasOwn(PROVIDERS, value);
}

export function getProvider(name: ProviderName): Provider {
  return PROVIDERS[name];
}
