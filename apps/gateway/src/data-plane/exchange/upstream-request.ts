import { type Readable } from 'node:stream';

/** A body that is not held in memory. */
export interface StreamedBody {
  /** Null leaves the headers as they are. */
  readonly contentType: string | null;
  /** In bytes; null where nobody knows. */
  readonly contentLength: number | null;
  /** Its bytes from the beginning; asked once for each try. */
  open(): Readable;
}

/** What goes to an upstream beside the head; null for a request without a body. */
export type UpstreamRequest = Buffer | StreamedBody | null;

export function isStreamed(request: UpstreamRequest): request is StreamedBody {
  return request !== null && !Buffer.isBuffer(request);
}

/** The headers with those of a streamed body in the place of the usual ones. */
export function withBodyHeaders(headers: string[], { contentType, contentLength }: StreamedBody): string[] {
  if (contentType === null && contentLength === null) return headers;
  const own = [...headers];
  const place = own.findIndex((entry, index) => index % 2 === 0 && entry === 'content-type');
  if (contentType !== null && place !== -1) own[place + 1] = contentType;
  if (contentLength !== null) own.push('content-length', String(contentLength));
  return own;
}
