import { type IncomingMessage } from 'node:http';
import { getProvider, type ProviderName } from '@weir/providers';
import { SHORT_ROUTES } from '@weir/wire';
import { type RouteMatch, type RouteTable } from '../route-table';
import { type ProxyTarget } from './match-proxy-path';

type KnownOperation = Extract<RouteMatch, { kind: 'operation' }>;

/** The operation that a path of a provider's own API is; null where Weir knows none there, or the provider does not speak it. */
export function findKnownOperation(routes: RouteTable, provider: ProviderName, request: IncomingMessage, { path }: ProxyTarget): KnownOperation | null {
  if (request.method !== 'POST') return null;
  for (const candidate of [path, `/v1${path}`]) {
    const match = routes.match(candidate);
    if (match.kind !== 'operation' || Object.hasOwn(SHORT_ROUTES, candidate)) continue;
    if (getProvider(provider).formats[match.definition.operation]?.includes(match.definition.format) === true) return match;
  }
  return null;
}
