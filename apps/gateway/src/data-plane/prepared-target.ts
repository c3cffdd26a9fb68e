import { getProvider } from '@weir/providers';
import { type Candidate, type PoolKey, type Target } from '@weir/upstreams';
import { type OperationDefinition } from '../operations';

/** What stays the same for every call to a target, made once. */
interface PreparedTarget {
  readonly upstreamModel: string;
  readonly upstreamModelJson: string;
  readonly path: string;
}

const targets = new WeakMap<Target, PreparedTarget>();
const jsonHeaders = new WeakMap<PoolKey, Map<string, string[]>>();
const streamHeaders = new WeakMap<PoolKey, Map<string, string[]>>();

/** The path and the model name for a call. A wildcard target sends what the route's own `*` stood for. */
export function prepareTarget(target: Target, routeName: string, model: string, definition: OperationDefinition): PreparedTarget {
  if (target.upstreamModel === '*') return makeTarget(target, model.slice(routeName.length - 1), definition);
  const known = targets.get(target);
  if (known !== undefined) return known;
  const prepared = makeTarget(target, target.upstreamModel, definition);
  targets.set(target, prepared);
  return prepared;
}

function makeTarget(target: Target, upstreamModel: string, { operation }: OperationDefinition): PreparedTarget {
  const { provider, address } = target.upstream;
  return {
    upstreamModel,
    upstreamModelJson: JSON.stringify(upstreamModel),
    path: getProvider(provider).toPath(address, operation, upstreamModel),
  };
}

/**
 * The headers of a call, flat as undici takes them. Nothing of the caller's is among them: its
 * credentials, cookies and organization are no business of the upstream.
 */
export function prepareHeaders({ target, key }: Candidate, isStream: boolean): string[] {
  const cache = isStream ? streamHeaders : jsonHeaders;
  const { provider } = target.upstream;
  let byProvider = cache.get(key);
  if (byProvider === undefined) cache.set(key, (byProvider = new Map<string, string[]>()));
  let headers = byProvider.get(provider);
  if (headers === undefined) {
    headers = makeHeaders(target, key, isStream);
    byProvider.set(provider, headers);
  }
  return headers;
}

function makeHeaders(target: Target, key: PoolKey, isStream: boolean): string[] {
  const headers = [
    'content-type',
    'application/json',
    'accept',
    isStream ? 'text/event-stream' : 'application/json',
    'accept-encoding',
    'identity',
    'user-agent',
    'weir',
  ];
  if (key.id !== null) headers.push(...getProvider(target.upstream.provider).toAuthorization(key.secret));
  return headers;
}

const VISIBLE_ASCII = /^[\x21-\x7e]+$/;

/** An upstream's name as a header value: visible ASCII only. */
export function toHeaderName(name: string): string {
  if (VISIBLE_ASCII.test(name)) return name;
  return name.replace(/[^\x21-\x7e]/gu, (character) => encodeURIComponent(character.isWellFormed() ? character : '?'));
}
