import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';
import { isPublicAddress, toErrorCode } from '@weir/platform';
import { ForbiddenAddressError, type ResolveAll, resolveAll, toGuardedLookup } from './to-guarded-lookup';

export interface WebhookPost {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** The organization may be told at private addresses, too. */
  readonly allowPrivate: boolean;
  readonly signal?: AbortSignal;
}

/** `status` is null when there was no answer. `error` is a short code, and nothing of what was answered. */
export type WebhookResult =
  | { readonly isDelivered: true; readonly status: number }
  | { readonly isDelivered: false; readonly status: number | null; readonly error: string };

export interface WebhookSenderOptions {
  readonly resolve?: ResolveAll;
  readonly timeoutMs?: number;
  /** For a receiver with a certificate of its own. */
  readonly ca?: string;
}

const TIMEOUT_MS = 10_000;
/** A receiver may say so much before the connection is closed on it; nobody reads it. */
const MAX_ANSWER_BYTES = 4096;
const SYSTEM_CODE = /^[A-Z][A-Z0-9_]{1,63}$/;

/**
 * POSTs to an address that a tenant chose: only to public addresses unless allowed otherwise, on a
 * connection of its own, and never on to where a redirect points.
 */
export class WebhookSender {
  constructor(private readonly options: WebhookSenderOptions = {}) {}

  /** Never rejects. */
  async post(post: WebhookPost): Promise<WebhookResult> {
    if (!URL.canParse(post.url)) return failed('invalid_url');
    const url = new URL(post.url);
    if (url.protocol !== 'https:' && url.protocol !== 'http:') return failed('invalid_url');
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const isAllowed = (address: string): boolean => post.allowPrivate || isPublicAddress(address);
    // A socket looks up names only: an address goes by the check of those.
    if (isIP(host) !== 0 && !isAllowed(host)) return failed('address_not_public');
    const timeout = AbortSignal.timeout(this.options.timeoutMs ?? TIMEOUT_MS);
    const signal = post.signal === undefined ? timeout : AbortSignal.any([timeout, post.signal]);
    try {
      return toResult(await this.exchange(url, post, isAllowed, signal));
    } catch (error) {
      if (timeout.aborted) return failed('timeout');
      return failed(toReason(error));
    }
  }

  private exchange(url: URL, post: WebhookPost, isAllowed: (address: string) => boolean, signal: AbortSignal): Promise<number> {
    const { resolve: resolveNames = resolveAll, ca } = this.options;
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    return new Promise((resolve, reject) => {
      const request: ClientRequest = send(url, {
        method: 'POST',
        headers: { ...post.headers, 'content-type': 'application/json', 'content-length': Buffer.byteLength(post.body), 'user-agent': 'weir', connection: 'close' },
        lookup: toGuardedLookup(resolveNames, isAllowed),
        agent: false,
        ca,
        signal,
      });
      request.on('response', (response) => {
        resolve(response.statusCode ?? 0);
        dropBody(response);
      });
      request.on('error', reject);
      request.end(post.body);
    });
  }
}

function dropBody(response: IncomingMessage): void {
  let bytes = 0;
  response.on('error', ignore);
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) response.destroy();
  });
}

function toResult(status: number): WebhookResult {
  if (status >= 200 && status < 300) return { isDelivered: true, status };
  return { isDelivered: false, status, error: status >= 300 && status < 400 ? 'redirect' : 'status' };
}

function toReason(error: unknown): string {
  if (error instanceof ForbiddenAddressError) return error.code;
  const code = toErrorCode(error);
  return code !== null && SYSTEM_CODE.test(code) ? code : 'connection_failed';
}

function failed(error: string): WebhookResult {
  return { isDelivered: false, status: null, error };
}

const ignore = (): void => undefined;
