import { type IncomingMessage } from 'node:http';
import { type Caller, mayUseModel } from '@weir/access';
import { WeirError } from '@weir/kernel';
import { scrubSecrets } from '@weir/platform';
import { isOwnServer } from '@weir/providers';
import { type ModelRoute } from '@weir/upstreams';
import { type OperationDefinition } from '../../operations';
import { type CallRoute } from '../call-routes';
import { refuseFetching } from '../exchange/refuse-fetching';
import { type RelayCall } from '../relay-call';
import { type Road } from '../road';
import { isAllowedPath, isProxyMethod } from './allowed-paths';
import { LimitedBody } from './limited-body';
import { matchProxyPath, type ProxyTarget } from './match-proxy-path';
import { findKnownOperation } from './find-known-operation';
import { toErrorFormat } from './proxy-format';
import { type OpenBody, RawExchange } from './raw-exchange';
import { toUnknownFacts } from './unknown-facts';

/**
 * Finds where a call to a provider's own API goes, and reads of it what the meter must know. Its
 * facts, and the exchange, are set on the call.
 * @throws WeirError invalid_request, model_not_allowed, body_too_large, or what the operation's own facts refuse
 */
export async function planProxy(road: Road, call: RelayCall, caller: Caller): Promise<readonly CallRoute[]> {
  const target = matchProxyPath(call.request.url ?? '');
  const route = findRoute(road, target);
  const { upstream } = route.targets[0];
  const { provider, address } = upstream;
  call.errorFormat = toErrorFormat(provider);
  requireOpen(route, call.request.method ?? 'GET', target);
  const known = findKnownOperation(road.routes, upstream, call.request, target);
  if (known !== null && !isForm(call.request, known.definition)) {
    requireReadable(call.request, target);
    const reader = call.openBody();
    await reader.read();
    const { body } = reader;
    const facts = known.definition.readFacts(body, known.definition, known.place);
    // The cap's newer name is none to many servers of others, and nothing is added to what passes.
    const outputCap = provider === 'openai-compatible' && !facts.hasMaxTokens ? null : facts.outputCap;
    call.facts = { ...facts, outputCap, operation: 'proxy', estimatedAs: facts.operation };
    if (isOwnServer(provider, address)) refuseFetching(call.speech);
    call.raw = new RawExchange(call, target, known.definition, body, body.length);
  } else {
    call.facts = toUnknownFacts(call.definition, EMPTY, accepts(call.request, 'text/event-stream'));
    call.raw = new RawExchange(call, target, null, toOpenBody(road, call.request), readLength(call.request));
  }
  requireModel(caller, target, call.facts.model);
  return [{ route, model: call.facts.model }];
}

/** Files are passed unread: what they cost is what the upstream's owner says of a call. */
function isForm({ headers }: IncomingMessage, { form }: OperationDefinition): boolean {
  return form !== undefined && /^\s*multipart\//i.test(headers['content-type'] ?? '');
}

/** Members of the query with which an answer comes in another form than the one that Weir can read. */
const OTHER_FORMS = ['fields', '$fields', '$alt'];

/**
 * Servers read JSON under any type or none: nobody gets past the meter by naming another, and what is
 * answered must be readable, too.
 * @throws WeirError unsupported_media_type or invalid_request
 */
function requireReadable({ headers }: IncomingMessage, { query }: ProxyTarget): void {
  const type = headers['content-type'];
  if ((type !== undefined && !/json/i.test(type)) || headers['content-encoding'] !== undefined) throw new WeirError('unsupported_media_type');
  const members = new URLSearchParams(query.slice(1));
  const alt = members.getAll('alt');
  const other = OTHER_FORMS.find((name) => members.has(name)) ?? (alt.some((form) => form !== 'sse' && form !== 'json') || alt.length > 1 ? 'alt' : undefined);
  if (other !== undefined) throw new WeirError('invalid_request', { message: `The parameter '${other}' is not supported here.`, param: other });
}

const EMPTY = Buffer.alloc(0);

function findRoute(road: Road, target: ProxyTarget): ModelRoute {
  const route = road.pool.findProxyRoute(target.name);
  if (route === null || route.targets.length === 0) {
    throw new WeirError('invalid_request', { message: `There is no provider or upstream '${scrubSecrets(target.name.slice(0, 100))}'.`, param: 'provider' });
  }
  return route;
}

/** Upstreams of one vendor may open different paths: one that is not open is passed over later. */
function requireOpen({ targets }: ModelRoute, method: string, target: ProxyTarget): void {
  if (!isProxyMethod(method)) throw new WeirError('method_not_allowed');
  if (targets.some(({ upstream }) => isAllowedPath(upstream.provider, upstream.address, method, target))) return;
  throw new WeirError('permission_denied', { message: `This path of '${scrubSecrets(target.name)}' is not open to callers: ${method}.` });
}

/** A key that may use some models only may not use what Weir cannot tell. */
function requireModel(caller: Caller, { name }: ProxyTarget, model: string): void {
  if (caller.models === null || (model !== '' && (mayUseModel(caller, model) || mayUseModel(caller, `${name}/${model}`)))) return;
  throw new WeirError('model_not_allowed', { message: model === '' ? 'This key may use some models only, and this path names none.' : undefined, param: 'model' });
}

/** Not held in memory: files go through as they come, and not before they are sent. */
function toOpenBody(road: Road, request: IncomingMessage): OpenBody | null {
  const { maxUploadBytes } = road.configuration;
  const length = readLength(request);
  if (length === 0 || (length === null && request.headers['transfer-encoding'] === undefined)) return null;
  if (length !== null && length > maxUploadBytes) throw tooLarge(road);
  return () => request.pipe(new LimitedBody(maxUploadBytes, () => tooLarge(road)));
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
