import { type Readable } from 'node:stream';
import { getProvider } from '@weir/providers';
import { type Candidate } from '@weir/upstreams';
import { type WireFormat } from '@weir/wire';
import { type OperationDefinition } from '../../operations';
import { type UpstreamRequest } from '../exchange/upstream-request';
import { type PreparedCall } from '../prepared-call';
import { type RelayCall } from '../relay-call';
import { isAllowedPath } from './allowed-paths';
import { toPassedHeaders } from './passed-headers';
import { type ProxyTarget } from './match-proxy-path';
import { toProviderPath } from './to-upstream-path';

/** Opens a body that is not held in memory: its bytes as they come from the caller. */
export type OpenBody = () => Readable;

/** What a caller sends to a provider's own API: as it is, but for the key. */
export class RawExchange {
  /** A body that comes while it is sent can be sent once. */
  isUsedUp = false;

  /**
   * @param known the operation that the path is, where Weir knows it: its usage is read on the way
   * @param body null for none
   * @param length of the body in bytes; null where it is not known, or there is none
   */
  constructor(
    readonly call: Pick<RelayCall, 'request' | 'facts'>,
    readonly target: ProxyTarget,
    readonly known: OperationDefinition | null,
    private readonly body: Buffer | OpenBody | null,
    private readonly length: number | null,
  ) {}

  /** The caller's body is still on its way through. */
  get isSending(): boolean {
    return this.isUsedUp && !this.call.request.complete;
  }

  /** What the answer is read in; null where nobody knows. */
  get format(): WireFormat | null {
    return this.known?.format ?? null;
  }

  /** Null: of several upstreams of a vendor, this one does not let its callers there. */
  prepare(candidate: Candidate): PreparedCall | null {
    const { upstream } = candidate.target;
    const { request } = this.call;
    if (!isAllowedPath(upstream.provider, upstream.address, request.method ?? 'GET', this.target)) return null;
    const provider = getProvider(upstream.provider);
    const own = [...provider.toHeaders(upstream.address), ...(candidate.key.id === null ? [] : provider.toAuthorization(candidate.key.secret))];
    const headers = toPassedHeaders(request.headers, own, this.length);
    const path = toProviderPath(upstream.provider, upstream.address.basePath, this.target) + this.target.query;
    return {
      upstreamModel: this.call.facts.model,
      upstreamModelJson: '""',
      format: 'raw',
      path,
      streamPath: path,
      outputCapName: 'max_tokens',
      leftOut: [],
      jsonHeaders: headers,
      streamHeaders: headers,
      passedHeaders: [],
    };
  }

  /** Each time for an attempt. */
  takeBody(): UpstreamRequest {
    const { body } = this;
    if (body === null || Buffer.isBuffer(body)) return body;
    this.isUsedUp = true;
    // Its headers are among the caller's.
    return { contentType: null, contentLength: null, open: body };
  }
}
