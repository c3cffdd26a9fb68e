import { type ProviderName } from '@weir/providers';

/** A method and where a path must begin, or what it must be. */
interface AllowedPath {
  readonly method: 'GET' | 'POST';
  readonly path: RegExp;
}

/** What OpenAI's API does at once, and keeps nothing of: stored objects belong to the provider's key, which all tenants share. */
const OPENAI_WORK = '(?:chat/completions|completions|responses|responses/input_tokens|embeddings|moderations|audio/(?:speech|transcriptions|translations)|images/(?:generations|edits|variations)|rerank|score|tokenize|detokenize)';

const ALLOWED: Readonly<Record<ProviderName, readonly AllowedPath[] | null>> = {
  openai: [post(`^(?:/v1)?/${OPENAI_WORK}$`), get('^(?:/v1)?/models(?:/[^/]+)?$')],
  azure: [post(`^/openai/(?:v1|deployments/[^/]+)/${OPENAI_WORK}$`), get('^/openai/(?:v1/)?models(?:/[^/]+)?$')],
  anthropic: [post('^(?:/v1)?/messages(?:/count_tokens)?$'), get('^(?:/v1)?/models(?:/[^/]+)?$')],
  gemini: [
    post('^/v1(?:beta|alpha)?/models/[^/]+:(?:generateContent|streamGenerateContent|countTokens|embedContent|batchEmbedContents|predict)$'),
    get('^/v1(?:beta|alpha)?/models(?:/[^/]+)?$'),
  ],
  // One's own servers: all that they offer, unless the upstream says what.
  'openai-compatible': null,
  tei: null,
  infinity: null,
  'vllm-omni': null,
  'index-tts': null,
  siglip2: null,
  trellis: null,
};

/** Nobody's work: such paths stop, start or read out a server. */
const NEVER = /^\/(?:metrics|docs|openapi\.json|shutdown|sleep|wake_up|load_lora_adapter|unload_lora_adapter|reset_prefix_cache|collective_rpc|server_info|flush_cache|update_weights)/;

/**
 * Whether a method and path of a provider's API may be called with the key that Weir holds.
 * @param ownPaths the upstream's `proxy_paths`: where a path may begin, separated by commas; any method then
 */
export function isAllowedPath(provider: ProviderName, ownPaths: unknown, method: string, path: string): boolean {
  if (typeof ownPaths === 'string' && ownPaths.trim() !== '') return ownPaths.split(',').some((begin) => begin.trim() !== '' && isBehind(path, begin.trim()));
  const allowed = ALLOWED[provider];
  if (allowed === null) return !NEVER.test(path);
  return allowed.some((entry) => entry.method === method && entry.path.test(path));
}

/** The path itself, or below it: `/v1/files` is not behind `/v1/file`. */
function isBehind(path: string, begin: string): boolean {
  const base = begin.endsWith('/') ? begin.slice(0, -1) : begin;
  return path === base || path.startsWith(`${base}/`) || (begin.endsWith('/') && path.startsWith(begin));
}

function post(pattern: string): AllowedPath {
  return { method: 'POST', path: new RegExp(pattern) };
}

function get(pattern: string): AllowedPath {
  return { method: 'GET', path: new RegExp(pattern) };
}
