import { getProvider } from '@weir/providers';
import { type Candidate } from '@weir/upstreams';
import { type OperationDefinition } from '../operations';

/** What stays the same for every call to a target with a key. */
interface PreparedCall {
  readonly upstreamModel: string;
  readonly upstreamModelJson: string;
  readonly path: string;
  /** Flat, as undici takes them. */
  readonly jsonHeaders: string[];
  readonly streamHeaders: string[];
}

const prepared = new WeakMap<Candidate, PreparedCall>();

/** The path, the headers and the model's name for a call. A target `*` sends what the caller's name has in its place. */
export function prepareCall(candidate: Candidate, routeName: string, model: string, definition: OperationDefinition): PreparedCall {
  const { upstreamModel } = candidate.target;
  if (upstreamModel === '*') return make(candidate, toStarred(model, routeName), definition);
  let call = prepared.get(candidate);
  if (call === undefined) {
    call = make(candidate, upstreamModel, definition);
    prepared.set(candidate, call);
  }
  return call;
}

/** What the `*` of the route's name stands for; a route without one passes the name that was asked for. */
function toStarred(model: string, routeName: string): string {
  return routeName.endsWith('*') ? model.slice(routeName.length - 1) : model;
}

function make(candidate: Candidate, upstreamModel: string, { operation }: OperationDefinition): PreparedCall {
  const { provider, address } = candidate.target.upstream;
  return {
    upstreamModel,
    upstreamModelJson: JSON.stringify(upstreamModel),
    path: getProvider(provider).toPath(address, operation, upstreamModel),
    jsonHeaders: makeHeaders(candidate, 'application/json'),
    streamHeaders: makeHeaders(candidate, 'text/event-stream'),
  };
}

/**
 * Nothing of the caller's is among the headers: its credentials, cookies and organization are no
 * business of the upstream.
 */
function makeHeaders({ target, key }: Candidate, accept: string): string[] {
  const headers = ['content-type', 'application/json', 'accept', accept, 'accept-encoding', 'identity', 'user-agent', 'weir'];
  if (key.id !== null) headers.push(...getProvider(target.upstream.provider).toAuthorization(key.secret));
  return headers;
}

const VISIBLE_ASCII = /^[\x21-\x7e]+$/;

/** An upstream's name as a header value: visible ASCII only. */
export function toHeaderName(name: string): string {
  if (VISIBLE_ASCII.test(name)) return name;
  return name.replace(/[^\x21-\x7e]/gu, (character) => encodeURIComponent(character.isWellFormed() ? character : '?'));
}
