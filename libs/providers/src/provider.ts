import { type Operation, type Secret } from '@weir/kernel';
import { type ChatRequestOptions, type SpeechQuirks, type WireFormat } from '@weir/wire';

export type ProviderName =
  | 'openai'
  | 'azure'
  | 'openai-compatible'
  | 'anthropic'
  | 'gemini'
  | 'tei'
  | 'infinity'
  | 'vllm-omni'
  | 'index-tts'
  | 'siglip2'
  | 'trellis';

/** Where an upstream is and what its provider must know of it. */
export interface UpstreamAddress {
  /** Scheme, host and port, lower-case, without a path: `https://api.openai.com`. */
  readonly origin: string;
  /** The base URL's path without a trailing slash: `/v1`, or empty. */
  readonly basePath: string;
  /** The upstream's provider options, such as `api_version`; strings, numbers and booleans. */
  readonly options: Readonly<Record<string, unknown>>;
}

/**
 * What a failure says about the upstream, its key or the caller. It decides what the pool does:
 * - `bad_key`: the key is refused for good (401, revoked, deactivated); disable it, try another
 * - `throttled`: this key is throttled for this model; cool it until `retryAfterMs`, try another
 * - `quota_exhausted`: the key's quota or credit is used up; park it, try another
 * - `fault`: the server failed (5xx, timeout, broken answer); counts toward the breakers, try another
 * - `endpoint`: no connection was made (DNS, refused, TLS); charged to the upstream, never to the key
 * - `caller`: the request is at fault; counts for nobody and is not tried again
 * - `aborted`: the caller went away; counts for nobody
 */
export type FailureClass =
  | 'bad_key'
  | 'throttled'
  | 'quota_exhausted'
  | 'fault'
  | 'endpoint'
  | 'caller'
  | 'aborted';

/** A provider's error answer, understood. */
export interface ProviderFailure {
  readonly failureClass: FailureClass;
  /** The provider's; of class `caller`, the one that the caller may see. */
  readonly status: number;
  /** How long the provider asks to wait, in milliseconds; null when it does not say. */
  readonly retryAfterMs: number | null;
  /** The provider's own words. Passed to the caller only for class `caller`. */
  readonly message: string;
  readonly type: string | null;
  readonly param: string | null;
  readonly code: string | null;
  /** Azure's `innererror` as JSON text: what its content filter found. Null where there is none. */
  readonly innerErrorJson: string | null;
}

/** What a chat upstream makes of OpenAI's dialect, where a request is written for it in that. */
export interface ChatQuirks extends Omit<ChatRequestOptions, 'model'> {
  /** Refuses messages with thinking in them (`reasoning_details` and the like), which callers send back as they got them. */
  readonly refusesThinking?: boolean;
  /** `refusedMembers` are taken out of what passes as bytes, too. */
  readonly dropsRefused?: boolean;
}

/** A vendor or API family. Pure: no state, no input or output. */
export interface Provider {
  readonly name: ProviderName;
  /**
   * The formats that it speaks for each operation. A caller's own format passes as bytes; what it
   * does not speak is translated into the first. An operation that is missing is not offered.
   */
  readonly formats: Readonly<Partial<Record<Operation, readonly WireFormat[]>>>;
  /** The caller's headers, by their lower-case names, that mean something to it where bytes pass: `anthropic-beta`. */
  readonly passedHeaders: readonly string[];
  /** The path and query to call; the model is the upstream's name for it. */
  toPath(address: UpstreamAddress, format: WireFormat, upstreamModel: string, isStream: boolean): string;
  /** The header that carries the key: name and value. */
  toAuthorization(secret: Secret): readonly [name: string, value: string];
  /** Headers of every call besides, flat: name, value, name, value. */
  toHeaders(address: UpstreamAddress): readonly string[];
  /** How it takes OpenAI's chat dialect; asked only where it speaks it. */
  toChatQuirks(address: UpstreamAddress, upstreamModel: string): ChatQuirks;
  /** What it makes of OpenAI's speech requests; null where they pass as they are. */
  toSpeechQuirks(address: UpstreamAddress): SpeechQuirks | null;
  /** Where it says whether it is well, without a key and free of charge; null when nobody knows of such a place. */
  toHealthPath(address: UpstreamAddress): string | null;
  /** Understands an answer with a status of 300 or more. Headers are lower-case; the body may be cut, empty or not JSON. */
  readFailure(
    status: number,
    headers: Readonly<Record<string, string | string[] | undefined>>,
    body: Buffer,
    nowMs: number,
  ): ProviderFailure;
}

/**
 * How a call is said to a provider: in the caller's own format where it speaks that, else in the one
 * to translate into. Null: it does no such work.
 */
export function toUpstreamFormat({ formats }: Provider, operation: Operation, caller: WireFormat): WireFormat | null {
  const spoken = formats[operation];
  if (spoken === undefined) return null;
  return spoken.includes(caller) ? caller : spoken[0];
}
