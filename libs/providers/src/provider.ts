import { type Operation, type Secret, type UsageUnits } from '@weir/kernel';

export type ProviderName = 'openai' | 'azure' | 'openai-compatible';

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

/** A vendor or API family. Pure: no state, no input or output. */
export interface Provider {
  readonly name: ProviderName;
  /** The path and query to call for an operation; the model is the upstream's name for it. */
  toPath(address: UpstreamAddress, operation: Operation, upstreamModel: string): string;
  /** The header that carries the key: name and value. Null where the upstream wants none. */
  toAuthorization(secret: Secret): readonly [name: string, value: string];
  /** Understands an answer with a status of 300 or more. Headers are lower-case; the body may be cut, empty or not JSON. */
  readFailure(
    status: number,
    headers: Readonly<Record<string, string | string[] | undefined>>,
    body: Buffer,
    nowMs: number,
  ): ProviderFailure;
  /** The usage of a finished answer or of a stream's usage event; null when it says none or lies. */
  readUsage(usage: unknown): UsageUnits | null;
}
