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
