import { type Readable } from 'node:stream';
import { getProvider } from '@weir/providers';
import { type Candidate } from '@weir/upstreams';
import { type WireFormat } from '@weir/wire';
import { type OperationDefinition } from '../../operations';
import { type UpstreamRequest } from '../exchange/upstream-request';
import { type PreparedCall } from '../prepared-call';
import { type RelayCall } from '../relay-call';
import { toPassedHeaders } from './passed-headers';
import { type ProxyTarget } from './match-proxy-path';

/** What a caller sends to a provider's own API: as it is, but for the key. */
export class RawExchange {
  /** A body that comes while it is sent can be sent once. */
  isUsedUp = false;

  /**
   * @param known the operation that the path is, where Weir knows it: its usage is read on the way
   * @param body null for none; a stream for what is not held in memory
   * @param length of the body in bytes; null where it is not known, or there is none
   */
  constructor(
    readonly call: RelayCall,
    readonly target: ProxyTarget,
    readonly known: OperationDefinition | null,
    private readonly body: Buffer | Readable | null,
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

  prepare(candidate: Candidate): PreparedCall {
    const { upstream } = candidate.target;
    const provider = getProvider(upstream.provider);
    const own = [...provider.toHeaders(upstream.address), ...(candidate.key.id === null ? [] : provider.toAuthorization(candidate.key.secret))];
    const headers = toPassedHeaders(this.call.request.headers, own, this.length);
    const path = toUpstreamPath(upstream.address.basePath, this.target);
    return {
      upstreamModel: this.call.facts.model,
      upstreamModelJson: '""',
      format: 'raw',
      path,
      streamPath: path,
      outputCapName: 'max_tokens',
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
    return { contentType: null, contentLength: null, open: () => body };
  }
}

/** People write the path with and without what the base URL already says. */
function toUpstreamPath(basePath: string, { path, query }: ProxyTarget): string {
  const isSaid = basePath === '' || path === basePath || path.startsWith(`${basePath}/`);
  return (isSaid ? path : basePath + path) + query;
}
