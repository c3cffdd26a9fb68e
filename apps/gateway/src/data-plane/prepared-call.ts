import { getProvider } from '@weir/providers';
import { type Candidate } from '@weir/upstreams';
import { type OperationDefinition } from '../operations';
import { toUpstreamModel } from './to-upstream-model';

/** What stays the same for every call to a target with a key. */
export interface PreparedCall {
  readonly upstreamModel: string;
  readonly upstreamModelJson: string;
  readonly path: string;
  /** What this provider calls the cap of a choice's output. */
  readonly outputCapName: string;
  /** Flat, as undici takes them. */
  readonly jsonHeaders: string[];
  readonly streamHeaders: string[];
}

const prepared = new WeakMap<Candidate, PreparedCall>();

/** The path, the headers and the model's name for a call. A target `*` sends what the caller's name has in its place. */
export function prepareCall(candidate: Candidate, routeName: string, model: string, definition: OperationDefinition): PreparedCall {
  const { upstreamModel } = candidate.target;
  if (upstreamModel === '*') return make(candidate, toUpstreamModel(candidate.target, routeName, model), definition);
  let call = prepared.get(candidate);
  if (call === undefined) {
    call = make(candidate, upstreamModel, definition);
    prepared.set(candidate, call);
  }
  return call;
}

function make(candidate: Candidate, upstreamModel: string, { operation }: OperationDefinition): PreparedCall {
  const { provider, address } = candidate.target.upstream;
  return {
    upstreamModel,
    upstreamModelJson: JSON.stringify(upstreamModel),
    outputCapName: toOutputCapName(provider, operation),
    path: getProvider(provider).toPath(address, operation, upstreamModel),
    jsonHeaders: makeHeaders(candidate, 'application/json'),
    streamHeaders: makeHeaders(candidate, 'text/event-stream'),
  };
}

/**
 * OpenAI's reasoning models refuse `max_tokens`, and servers of others do not know its newer name:
 * https://platform.openai.com/docs/api-reference/chat/create
 */
function toOutputCapName(provider: string, operation: string): string {
  return operation === 'chat' && (provider === 'openai' || provider === 'azure') ? 'max_completion_tokens' : 'max_tokens';
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
