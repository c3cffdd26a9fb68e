import { type ProviderName } from '@weir/providers';
import { type WireFormat } from '@weir/wire';
import { type OperationDefinition } from '../../operations';
import { toProxyDefinition } from '../../operations/proxy';

const ANTHROPIC = toProxyDefinition('anthropic');
const GEMINI = toProxyDefinition('gemini');
const OPENAI = toProxyDefinition('openai-chat');

/** In what format the caller hears of Weir's own errors: that of the API which it believes to speak to. */
export function toProxyFormat(url: string): OperationDefinition {
  if (url.startsWith('/proxy/anthropic/')) return ANTHROPIC;
  return url.startsWith('/proxy/gemini/') ? GEMINI : OPENAI;
}

/** The same, once it is known whose API an upstream's name stands for. */
export function toErrorFormat(provider: ProviderName): WireFormat {
  return provider === 'anthropic' || provider === 'gemini' ? provider : 'openai-chat';
}
