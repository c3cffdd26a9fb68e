import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { findSignatureFault, type SigningKeys } from './signature-check';

interface StoredObject {
  readonly body: Buffer;
  readonly storedAtMs: number;
}

interface OpenUpload {
  readonly key: string;
  readonly initiatedAtMs: number;
  readonly parts: Map<number, Buffer>;
}

const LEAST_PART_BYTES = 5 * 1024 * 1024;
const PAGE = 3;

/**
 * As much of S3 (https://docs.aws.amazon.com/AmazonS3/latest/API/) as a store of files asks for, with
 * the signature of every request checked. Listings come in pages of three.
 */
export class S3Simulator {
  readonly objects = new Map<string, StoredObject>();
  readonly uploads = new Map<string, OpenUpload>();
  /** Method and what was done, in their order. */
  readonly calls: string[] = [];
  /** Requests arrive and are never answered. */
  isHanging = false;
  /** Answers this status to everything. */
  failWith: number | null = null;
  /** The time that new objects get. */
  nowMs = Date.now();

  private constructor(
    private readonly server: Server,
    private readonly bucket: string,
    private readonly keys: SigningKeys,
  ) {
    server.on('request', (request: IncomingMessage, response: ServerResponse) => void this.handle(request, response));
  }

  static async start(bucket: string, keys: SigningKeys): Promise<S3Simulator> {
    const simulator = new S3Simulator(createServer(), bucket, keys);
    simulator.server.listen(0, '127.0.0.1');
    await once(simulator.server, 'listening');
    return simulator;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    request.on('error', () => undefined);
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    if (this.isHanging) return;
    const fault = findSignatureFault(request, body, this.keys);
    if (fault !== null) {
      answerError(response, 403, fault);
      return;
    }
    if (this.failWith !== null) {
      answerError(response, this.failWith, 'InternalError');
      return;
    }
    const url = new URL(request.url ?? '', 'http://s3');
    const [, bucket, ...key] = url.pathname.split('/').map(decodeURIComponent);
    if (bucket !== this.bucket) answerError(response, 404, 'NoSuchBucket');
    else this.answer(request.method ?? '', key.join('/'), url.searchParams, body, response);
  }

  private answer(method: string, key: string, query: URLSearchParams, body: Buffer, response: ServerResponse): void {
    const uploadId = query.get('uploadId');
    const upload = uploadId === null ? null : this.uploads.get(uploadId);
    if (upload === undefined || (upload !== null && upload.key !== key)) return answerError(response, 404, 'NoSuchUpload');
    if (key === '') return query.has('uploads') ? this.listUploads(query, response) : this.listObjects(query, response);
    if (upload !== null && uploadId !== null) return this.answerUpload(method, upload, uploadId, query, body, response);
    if (method === 'POST' && query.has('uploads')) return this.beginUpload(key, response);
    if (method === 'PUT') return this.putObject(key, body, response);
    if (method === 'GET') return this.getObject(key, response);
    if (method === 'DELETE') {
      this.calls.push('DeleteObject');
      this.objects.delete(key);
      response.writeHead(204).end();
      return;
    }
    answerError(response, 405, 'MethodNotAllowed');
  }

  private putObject(key: string, body: Buffer, response: ServerResponse): void {
    this.calls.push('PutObject');
    this.objects.set(key, { body, storedAtMs: this.nowMs });
    response.writeHead(200, { etag: toEtag(body) }).end();
  }

  private getObject(key: string, response: ServerResponse): void {
    this.calls.push('GetObject');
    const object = this.objects.get(key);
    if (object === undefined) return answerError(response, 404, 'NoSuchKey');
    response.writeHead(200, { 'content-length': object.body.length, etag: toEtag(object.body) });
    response.end(object.body);
  }

  private beginUpload(key: string, response: ServerResponse): void {
    this.calls.push('CreateMultipartUpload');
    const id = randomUUID();
    this.uploads.set(id, { key, initiatedAtMs: this.nowMs, parts: new Map() });
    answerXml(response, `<InitiateMultipartUploadResult><Bucket>${this.bucket}</Bucket><Key>${key}</Key><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`);
  }

  private answerUpload(method: string, upload: OpenUpload, id: string, query: URLSearchParams, body: Buffer, response: ServerResponse): void {
    if (method === 'PUT') {
      this.calls.push('UploadPart');
      upload.parts.set(Number(query.get('partNumber')), body);
      response.writeHead(200, { etag: toEtag(body) }).end();
    } else if (method === 'POST') this.completeUpload(upload, id, body.toString(), response);
    else {
      this.calls.push('AbortMultipartUpload');
      this.uploads.delete(id);
      response.writeHead(204).end();
    }
  }

  private completeUpload(upload: OpenUpload, id: string, xml: string, response: ServerResponse): void {
    this.calls.push('CompleteMultipartUpload');
    const named = [...xml.matchAll(/<PartNumber>(\d+)<\/PartNumber>/g)].map(([, number]) => upload.parts.get(Number(number)));
    const etags = [...xml.matchAll(/<ETag>(.*?)<\/ETag>/g)].map(([, etag]) => etag.replaceAll('&quot;', '"'));
    const parts = named.filter((part) => part !== undefined);
    if (parts.length !== named.length || parts.some((part, index) => toEtag(part) !== etags[index])) return answerError(response, 400, 'InvalidPart');
    if (parts.slice(0, -1).some(({ length }) => length < LEAST_PART_BYTES)) return answerError(response, 400, 'EntityTooSmall');
    this.uploads.delete(id);
    this.objects.set(upload.key, { body: Buffer.concat(parts), storedAtMs: this.nowMs });
    answerXml(response, `<CompleteMultipartUploadResult><Bucket>${this.bucket}</Bucket><Key>${upload.key}</Key><ETag>"whole"</ETag></CompleteMultipartUploadResult>`);
  }

  private listObjects(query: URLSearchParams, response: ServerResponse): void {
    this.calls.push('ListObjectsV2');
    const after = query.get('continuation-token') ?? '';
    const keys = [...this.objects.keys()].filter((key) => key.startsWith(query.get('prefix') ?? '') && key > after).sort();
    const shown = keys.slice(0, PAGE);
    const contents = shown.map((key) => `<Contents><Key>${key}</Key><LastModified>${toTime(this.objects.get(key)?.storedAtMs)}</LastModified><Size>1</Size></Contents>`);
    const more = keys.length > PAGE ? `<IsTruncated>true</IsTruncated><NextContinuationToken>${shown[PAGE - 1]}</NextContinuationToken>` : '<IsTruncated>false</IsTruncated>';
    answerXml(response, `<ListBucketResult><Name>${this.bucket}</Name>${more}${contents.join('')}</ListBucketResult>`);
  }

  private listUploads(query: URLSearchParams, response: ServerResponse): void {
    this.calls.push('ListMultipartUploads');
    const after = query.get('key-marker') ?? '';
    const uploads = [...this.uploads].filter(([, { key }]) => key.startsWith(query.get('prefix') ?? '') && key > after).sort(([, a], [, b]) => (a.key < b.key ? -1 : 1));
    const shown = uploads.slice(0, PAGE);
    const listed = shown.map(([id, { key, initiatedAtMs }]) => `<Upload><Key>${key}</Key><UploadId>${id}</UploadId><Initiated>${toTime(initiatedAtMs)}</Initiated></Upload>`);
    const more = uploads.length > PAGE ? `<IsTruncated>true</IsTruncated><NextKeyMarker>${shown[PAGE - 1][1].key}</NextKeyMarker>` : '<IsTruncated>false</IsTruncated>';
    answerXml(response, `<ListMultipartUploadsResult><Bucket>${this.bucket}</Bucket>${more}${listed.join('')}</ListMultipartUploadsResult>`);
  }
}

function toEtag(body: Buffer): string {
  return `"${createHash('md5').update(body).digest('hex')}"`;
}

function toTime(timeMs: number | undefined): string {
  return new Date(timeMs ?? 0).toISOString();
}

function answerXml(response: ServerResponse, xml: string): void {
  response.writeHead(200, { 'content-type': 'application/xml' }).end(`<?xml version="1.0" encoding="UTF-8"?>${xml}`);
}

function answerError(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { 'content-type': 'application/xml' }).end(`<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`);
}
