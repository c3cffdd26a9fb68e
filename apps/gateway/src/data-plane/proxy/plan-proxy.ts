import { type IncomingMessage } from 'node:http';
import { type Readable } from 'node:stream';
import { type Caller, mayUseModel } from '@weir/access';
import { WeirError } from '@weir/kernel';
import { scrubSecrets } from '@weir/platform';
import { type ModelRoute } from '@weir/upstreams';
import { type CallRoute } from '../call-routes';
import { type RelayCall } from '../relay-call';
import { type Road } from '../road';
import { isAllowedPath } from './allowed-paths';
import { LimitedBody } from './limited-body';
import { matchProxyPath, type ProxyTarget } from './match-proxy-path';
import { findKnownOperation } from './find-known-operation';
import { RawExchange } from './raw-exchange';
import { toUnknownFacts } from './unknown-facts';

/**
 * Finds where a call to a provider's own API goes, and reads of it what the meter must know. Its
 * facts, and the exchange, are set on the call.
 * @throws WeirError invalid_request, model_not_allowed, body_too_large, or what the operation's own facts refuse
 */
export async function planProxy(road: Road, call: RelayCall, caller: Caller): Promise<readonly CallRoute[]> {
  const target = matchProxyPath(call.request.url ?? '');
  const route = findRoute(road, target);
  const { provider, address } = route.targets[0].upstream;
  const method = call.request.method ?? 'GET';
  if (!isAllowedPath(provider, address.options.proxy_paths, method, target.path)) {
    throw new WeirError('permission_denied', { message: `This path of '${scrubSecrets(target.name)}' is not open to callers: ${method}.` });
  }
  const known = findKnownOperation(road.routes, provider, call.request, target);
  const isJson = /json/i.test(call.request.headers['content-type'] ?? '');
  if (known !== null && isJson) {
    const body = await call.readBody();
    const facts = known.definition.readFacts(body, known.definition, known.place);
    call.facts = { ...facts, operation: 'proxy' };
    call.raw = new RawExchange(call, target, known.definition, body, body.length);
  } else {
    call.facts = toUnknownFacts(call.definition, EMPTY, accepts(call.request, 'text/event-stream'));
    call.raw = new RawExchange(call, target, null, openBody(road, call.request), readLength(call.request));
  }
  requireModel(caller, target, call.facts.model);
  return [{ route, model: call.facts.model }];
}

const EMPTY = Buffer.alloc(0);

function findRoute(road: Road, target: ProxyTarget): ModelRoute {
  const route = road.pool.findProxyRoute(target.name);
  if (route === null || route.targets.length === 0) {
    throw new WeirError('invalid_request', { message: `There is no provider or upstream '${scrubSecrets(target.name.slice(0, 100))}'.`, param: 'provider' });
  }
  return route;
}

/** A key that may use some models only may not use what Weir cannot tell. */
function requireModel(caller: Caller, { name }: ProxyTarget, model: string): void {
  if (caller.models === null || (model !== '' && (mayUseModel(caller, model) || mayUseModel(caller, `${name}/${model}`)))) return;
  throw new WeirError('model_not_allowed', { message: model === '' ? 'This key may use some models only, and this path names none.' : undefined, param: 'model' });
}

/** Not held in memory: files go through as they come. */
function openBody(road: Road, request: IncomingMessage): Readable | null {
  const length = readLength(request);
  if (length === 0 || (length === null && request.headers['transfer-encoding'] === undefined)) return null;
  if (length !== null && length > road.configuration.maxUploadBytes) throw tooLarge(road);
  return request.pipe(new LimitedBody(road.configuration.maxUploadBytes, () => tooLarge(road)));
}

function tooLarge({ configuration }: Road): WeirError {
  return new WeirError('body_too_large', { message: `The body is larger than the ${configuration.maxUploadBytes} bytes that this server takes.` });
}

function readLength({ headers }: IncomingMessage): number | null {
  return headers['content-length'] === undefined ? null : Number(headers['content-length']);
}

function accepts({ headers }: IncomingMessage, type: string): boolean {
  return headers.accept?.includes(type) === true;
}
