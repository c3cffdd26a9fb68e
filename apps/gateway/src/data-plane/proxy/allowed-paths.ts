import { type ProviderName } from '@weir/providers';

/** A method and where a path must begin, or what it must be. */
interface AllowedPath {
  readonly method: 'GET' | 'POST';
  readonly path: RegExp;
}

/** TRACE would show the key that Weir puts in. */
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** What OpenAI's API does at once, and keeps nothing of: stored objects belong to the provider's key, which all tenants share. */
const OPENAI_WORK = '(?:chat/completions|completions|responses|responses/input_tokens|embeddings|moderations|audio/(?:speech|transcriptions|translations)|images/(?:generations|edits|variations)|rerank|score|tokenize|detokenize)';

/**
 * What servers of one's own, and services that speak as they do, work at. Not speech: a caller could
 * have the server fetch what it names. What else they have starts, stops or reads out the server, or
 * shows what others asked; `proxy_paths` opens it.
 */
const OWN_SERVER: readonly AllowedPath[] = [
  post('^(?:/[\\w-]+)*?/(?:chat/completions|completions|responses|messages|messages/count_tokens|embeddings|embed|embed_all|embed_sparse|predict|moderations|rerank|score|classify|pooling|tokenize|detokenize|audio/(?:transcriptions|translations)|images/generations)$'),
  get('^(?:/[\\w-]+)*?/models(?:/[^/]+)?$'),
];

const ALLOWED: Readonly<Record<ProviderName, readonly AllowedPath[]>> = {
  openai: [post(`^(?:/v1)?/${OPENAI_WORK}$`), get('^(?:/v1)?/models(?:/[^/]+)?$')],
  azure: [post(`^/openai/(?:v1|deployments/[^/]+)/${OPENAI_WORK}$`), get('^/openai/(?:v1/)?models(?:/[^/]+)?$')],
  anthropic: [post('^(?:/v1)?/messages(?:/count_tokens)?$'), get('^(?:/v1)?/models(?:/[^/]+)?$')],
  gemini: [
    post('^/v1(?:beta|alpha)?/models/[^/]+:(?:generateContent|streamGenerateContent|countTokens|embedContent|batchEmbedContents|predict)$'),
    get('^/v1(?:beta|alpha)?/models(?:/[^/]+)?$'),
  ],
  'openai-compatible': OWN_SERVER,
  tei: OWN_SERVER,
  infinity: OWN_SERVER,
  'vllm-omni': OWN_SERVER,
  'index-tts': OWN_SERVER,
  siglip2: OWN_SERVER,
  trellis: OWN_SERVER,
};

/**
 * Whether a method and path of a provider's API may be called with the key that Weir holds.
 * @param ownPaths the upstream's `proxy_paths`: where a path may begin, separated by commas; any of the usual methods then
 */
export function isAllowedPath(provider: ProviderName, ownPaths: unknown, method: string, path: string): boolean {
  if (!METHODS.includes(method)) return false;
  if (typeof ownPaths === 'string' && ownPaths.trim() !== '') return ownPaths.split(',').some((begin) => begin.trim() !== '' && isBehind(path, begin.trim()));
  return ALLOWED[provider].some((entry) => entry.method === method && entry.path.test(path));
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
