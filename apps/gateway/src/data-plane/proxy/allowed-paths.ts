import { type ProviderName, type UpstreamAddress } from '@weir/providers';
import { type ProxyTarget } from './match-proxy-path';
import { toOwnPath, toUpstreamPath } from './to-upstream-path';

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
 * What servers of one's own, and services that speak as they do, work at. Not speech,
 * scores and the like: a caller could have the server fetch what it names there. What else they have starts, stops or reads out the server, or
 * shows what others asked; `proxy_paths` opens it.
 */
const OWN_SERVER: readonly AllowedPath[] = [
  post('^(?:/[\\w-]+)*?/(?:chat/completions|completions|responses|messages|messages/count_tokens|embeddings|embed|embed_all|embed_sparse|moderations|rerank|audio/(?:transcriptions|translations)|images/generations)$'),
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

export function isProxyMethod(method: string): boolean {
  return METHODS.includes(method);
}

/**
 * Whether a method and path of a provider's API may be called with the key that Weir holds. The
 * option `proxy_paths` of the upstream counts in place of the list: where a path may begin, separated
 * by commas, as callers write it or as it is in the end; any of the usual methods then.
 */
export function isAllowedPath(provider: ProviderName, { basePath, options }: Pick<UpstreamAddress, 'basePath' | 'options'>, method: string, { path }: Pick<ProxyTarget, 'path'>): boolean {
  if (!isProxyMethod(method)) return false;
  const begins = toBegins(options.proxy_paths);
  if (begins.length > 0) {
    const upstreamPath = toUpstreamPath(basePath, { path });
    return begins.some((begin) => isBehind(path, begin) || isBehind(upstreamPath, begin) || isBehind(toOwnPath(basePath, upstreamPath), begin));
  }
  const asked = method === 'HEAD' ? 'GET' : method;
  return ALLOWED[provider].some((entry) => entry.method === asked && entry.path.test(path));
}

function toBegins(proxyPaths: unknown): string[] {
  if (typeof proxyPaths !== 'string') return [];
  return proxyPaths.split(',').map((begin) => begin.trim()).filter((begin) => begin !== '');
}

/** The path itself, or below it: `/v1/files` is not behind `/v1/file`. */
function isBehind(path: string, begin: string): boolean {
  const base = begin.endsWith('/') ? begin.slice(0, -1) : begin;
  return path === base || path.startsWith(`${base}/`);
}

function post(pattern: string): AllowedPath {
  return { method: 'POST', path: new RegExp(pattern) };
}

function get(pattern: string): AllowedPath {
  return { method: 'GET', path: new RegExp(pattern) };
}
