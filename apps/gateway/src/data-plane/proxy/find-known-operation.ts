import { type IncomingMessage } from 'node:http';
import { getProvider, type ProviderName } from '@weir/providers';
import { type UpstreamRecord } from '@weir/upstreams';
import { SHORT_ROUTES, type WireFormat } from '@weir/wire';
import { type OperationDefinition } from '../../operations';
import { type RouteMatch, type RouteTable } from '../route-table';
import { type ProxyTarget } from './match-proxy-path';
import { toOwnPath, toUpstreamPath } from './to-upstream-path';

type KnownOperation = Extract<RouteMatch, { kind: 'operation' }>;

/** The operation that a path of a provider's own API is; null where Weir knows none there, or the provider does not speak it. */
export function findKnownOperation(routes: RouteTable, { provider, address }: UpstreamRecord, request: IncomingMessage, target: ProxyTarget): KnownOperation | null {
  if (request.method !== 'POST') return null;
  for (const candidate of toSpellings(target.path, toOwnPath(address.basePath, toUpstreamPath(address.basePath, target)))) {
    const match = routes.match(candidate);
    if (match.kind !== 'operation' || Object.hasOwn(SHORT_ROUTES, candidate)) continue;
    if (speaks(provider, match.definition)) return match;
  }
  return null;
}

/**
 * The base path may be said or left out, and servers have the same work at several places: what a
 * path ends in says what it is.
 */
function toSpellings(...paths: readonly string[]): string[] {
  return paths.flatMap((path) => {
    const segments = path.replace(/\/$/, '').split('/').slice(1);
    return segments.flatMap((_, index) => {
      const end = `/${segments.slice(index).join('/')}`;
      return [end, `/v1${end}`];
    });
  });
}

/** Formats that a provider has besides those in which Weir writes to it. */
const ALSO_SPOKEN: Readonly<Partial<Record<ProviderName, readonly WireFormat[]>>> = {
  gemini: ['gemini-embed'],
  'openai-compatible': ['openai-responses', 'anthropic'],
  tei: ['openai-embeddings', 'rerank'],
  'vllm-omni': ['openai-images', 'openai-responses'],
};

function speaks(provider: ProviderName, { operation, format }: OperationDefinition): boolean {
  return getProvider(provider).formats[operation]?.includes(format) === true || ALSO_SPOKEN[provider]?.includes(format) === true;
}
