import { type IncomingMessage } from 'node:http';
import { getProvider, toUpstreamFormat } from '@weir/providers';
import { type Candidate, toUpstreamModel } from '@weir/upstreams';
import { findBodyConversion, type WireFormat } from '@weir/wire';
import { isDialect } from './exchange/caller-dialects';
import { type RequestFacts } from './facts/request-facts';

/** What stays the same for every call to a target with a key, in a caller's format. */
export interface PreparedCall {
  readonly upstreamModel: string;
  readonly upstreamModelJson: string;
  /** What the upstream is spoken to in: the caller's own format, or the one to translate into. */
  readonly format: WireFormat;
  readonly path: string;
  readonly streamPath: string;
  /** What this provider calls the cap of a choice's output. */
  readonly outputCapName: string;
  /** Members that the provider refuses, and its owner has taken out of what passes. */
  readonly leftOut: readonly string[];
  /** Flat, as undici takes them. */
  readonly jsonHeaders: string[];
  readonly streamHeaders: string[];
  /** The caller's headers that go with its bytes; mostly none. */
  readonly passedHeaders: readonly string[];
}

const prepared = new WeakMap<Candidate, Map<WireFormat, PreparedCall | null>>();

/**
 * The path, the headers and the model's name for a call. A target that ends in `*` sends what the
 * caller's name has in its place. Null: the provider does no such work.
 */
export function prepareCall(candidate: Candidate, routeName: string, model: string, { operation, format }: RequestFacts): PreparedCall | null {
  const { upstreamModel } = candidate.target;
  if (upstreamModel.endsWith('*')) return make(candidate, toUpstreamModel(candidate.target, routeName, model), operation, format);
  let byFormat = prepared.get(candidate);
  if (byFormat === undefined) prepared.set(candidate, (byFormat = new Map<WireFormat, PreparedCall | null>()));
  let call = byFormat.get(format);
  if (call === undefined) {
    call = make(candidate, upstreamModel, operation, format);
    byFormat.set(format, call);
  }
  return call;
}

function make(candidate: Candidate, upstreamModel: string, operation: RequestFacts['operation'], callerFormat: WireFormat): PreparedCall | null {
  const { provider: providerName, address } = candidate.target.upstream;
  const provider = getProvider(providerName);
  const format = toUpstreamFormat(provider, operation, callerFormat);
  if (format === null || !canBeSaid(callerFormat, format)) return null;
  return {
    upstreamModel,
    upstreamModelJson: JSON.stringify(upstreamModel),
    format,
    path: provider.toPath(address, format, upstreamModel, false),
    streamPath: provider.toPath(address, format, upstreamModel, true),
    outputCapName: toOutputCapName(candidate, format, upstreamModel),
    leftOut: format === callerFormat ? toLeftOut(candidate, format, upstreamModel) : NONE,
    jsonHeaders: makeHeaders(candidate, 'application/json'),
    streamHeaders: makeHeaders(candidate, 'text/event-stream'),
    passedHeaders: format === callerFormat ? provider.passedHeaders : [],
  };
}

/** Sound that is spoken for a caller, and meshes, are written for each service by themselves. */
const SPOKEN: readonly WireFormat[] = ['vllm-omni-speech', 'index-tts-speech', 'trellis'];

/** Whether what comes in one format can be told in another. */
function canBeSaid(caller: WireFormat, upstream: WireFormat): boolean {
  if (caller === upstream || SPOKEN.includes(upstream)) return true;
  return (isDialect(caller) && isDialect(upstream)) || findBodyConversion(caller, upstream) !== null;
}

const NONE: readonly string[] = [];

function toLeftOut({ target }: Candidate, format: WireFormat, upstreamModel: string): readonly string[] {
  if (format !== 'openai-chat') return NONE;
  const { dropsRefused, refusedMembers } = getProvider(target.upstream.provider).toChatQuirks(target.upstream.address, upstreamModel);
  return dropsRefused === true ? (refusedMembers ?? NONE) : NONE;
}

/**
 * OpenAI's reasoning models refuse `max_tokens`, and servers of others do not know its newer name:
 * https://platform.openai.com/docs/api-reference/chat/create
 */
function toOutputCapName({ target }: Candidate, format: WireFormat, upstreamModel: string): string {
  const { provider, address } = target.upstream;
  switch (format) {
    case 'openai-chat':
      return getProvider(provider).toChatQuirks(address, upstreamModel).outputCapMember ?? 'max_completion_tokens';
    case 'openai-responses':
      return 'max_output_tokens';
    default:
      return 'max_tokens';
  }
}

/**
 * Nothing of the caller's is among the headers: its credentials, cookies and organization are no
 * business of the upstream. What the provider says of its own stands in the place of Weir's.
 */
function makeHeaders({ target, key }: Candidate, accept: string): string[] {
  const provider = getProvider(target.upstream.provider);
  const headers = ['content-type', 'application/json', 'accept', accept, 'accept-encoding', 'identity', 'user-agent', 'weir'];
  const own = provider.toHeaders(target.upstream.address);
  for (let index = 0; index < own.length; index += 2) setHeader(headers, own[index], own[index + 1]);
  if (key.id !== null) headers.push(...provider.toAuthorization(key.secret));
  return headers;
}

function setHeader(headers: string[], name: string, value: string): void {
  const place = headers.findIndex((entry, index) => index % 2 === 0 && entry === name);
  if (place === -1) headers.push(name, value);
  else headers[place + 1] = value;
}

const SAFE_VALUE = /^[\x20-\x7e]{1,1000}$/;

/** The headers of one call: those of all, and what the caller says beside its bytes, in the place of Weir's own. */
export function toCallHeaders({ passedHeaders, jsonHeaders, streamHeaders }: PreparedCall, request: IncomingMessage, isStream: boolean): string[] {
  const headers = isStream ? streamHeaders : jsonHeaders;
  if (passedHeaders.length === 0 || !passedHeaders.some((name) => request.headers[name] !== undefined)) return headers;
  const merged = [...headers];
  for (const name of passedHeaders) {
    const value = request.headers[name];
    if (typeof value === 'string' && SAFE_VALUE.test(value)) setHeader(merged, name, value);
  }
  return merged;
}

const VISIBLE_ASCII = /^[\x21-\x7e]+$/;

/** An upstream's name as a header value: visible ASCII only. */
export function toHeaderName(name: string): string {
  if (VISIBLE_ASCII.test(name)) return name;
  return name.replace(/[^\x21-\x7e]/gu, (character) => encodeURIComponent(character.isWellFormed() ? character : '?'));
}
