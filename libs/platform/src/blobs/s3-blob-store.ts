import { type ListMultipartUploadsCommandInput, type ListMultipartUploadsCommandOutput } from '@aws-sdk/client-s3';
import { Readable } from 'node:stream';
import { type S3Configuration } from '../configuration';
import { toErrorCode } from '../is-error';
import { BlobMissing, type BlobPlace, type BlobStore, type IsBlobName, type OpenedBlob, storeUnavailable, type StoredBlob, toPutError, toStoreName } from './blob-store';
import { S3Upload } from './s3-upload';

// Types only: the package itself is loaded when a store is made, because most installations have none.
type S3Sdk = typeof import('@aws-sdk/client-s3');
type S3Client = InstanceType<S3Sdk['S3Client']>;

export type S3Options = Omit<S3Configuration, 'kind'>;

export interface S3Timeouts {
  readonly connectMs: number;
  /** For one request, a part's included: until its answer begins, and for any silence in it. */
  readonly requestMs: number;
  /** For a call with all its requests and retries, where it does not carry the file itself. */
  readonly callMs: number;
}

const TIMEOUTS: S3Timeouts = { connectMs: 3_000, requestMs: 30_000, callMs: 20_000 };
/** One retry: who uploads waits for it. */
const MAX_ATTEMPTS = 2;

/** Objects of any S3-compatible store. */
export class S3BlobStore<Name extends string> implements BlobStore<Name> {
  private constructor(
    private readonly sdk: S3Sdk,
    private readonly client: S3Client,
    private readonly options: S3Options,
    private readonly isName: IsBlobName<Name>,
    private readonly timeouts: S3Timeouts,
  ) {}

  /** Connects to nothing yet. */
  static async create<Name extends string>(options: S3Options, isName: IsBlobName<Name>, timeouts: S3Timeouts = TIMEOUTS): Promise<S3BlobStore<Name>> {
    const sdk = await import('@aws-sdk/client-s3');
    const { endpoint, region, credentials, pathStyle } = options;
    const client = new sdk.S3Client({
      region,
      forcePathStyle: pathStyle,
      maxAttempts: MAX_ATTEMPTS,
      // Many compatible stores refuse the checksums that AWS adds by itself; every request's body is signed anyway.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      requestHandler: { connectionTimeout: timeouts.connectMs, requestTimeout: timeouts.requestMs, socketTimeout: timeouts.requestMs, throwOnRequestTimeout: true },
      ...(endpoint === null ? {} : { endpoint }),
      ...(credentials === null ? {} : { credentials: { accessKeyId: credentials.accessKeyId, secretAccessKey: credentials.secretAccessKey.expose() } }),
    });
    return new S3BlobStore(sdk, client, options, isName, timeouts);
  }

  async put(place: BlobPlace<Name>, content: Readable, signal?: AbortSignal): Promise<void> {
    const target = { Bucket: this.options.bucket, Key: this.toKey(place) };
    const gone = new AbortController();
    const abort = (): void => gone.abort();
    // Its sender is gone: an open request to the store must not be waited for.
    content.once('error', abort);
    const abortSignal = signal === undefined ? gone.signal : AbortSignal.any([gone.signal, signal]);
    // A sender that says nothing and does not leave is waited for in `content`, not in a request.
    abortSignal.addEventListener('abort', () => content.destroy(), { once: true });
    const upload = new S3Upload(this.sdk, this.client, target, abortSignal);
    try {
      if (signal?.aborted === true) throw signal.reason;
      await upload.send(content);
    } catch (error) {
      content.destroy();
      // Nobody waits for it: what it cannot take back now is swept.
      upload.giveUp(AbortSignal.timeout(this.timeouts.callMs)).catch(() => undefined);
      throw toPutError(content, signal, toUnavailable(error));
    } finally {
      content.off('error', abort);
    }
  }

  async open(place: BlobPlace<Name>, signal?: AbortSignal): Promise<OpenedBlob> {
    const asked = { Bucket: this.options.bucket, Key: this.toKey(place) };
    // Only until the answer begins: it may be read for longer than a call may take.
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), this.timeouts.callMs);
    const abortSignal = signal === undefined ? deadline.signal : AbortSignal.any([deadline.signal, signal]);
    try {
      const { Body, ContentLength } = await this.client.send(new this.sdk.GetObjectCommand(asked), { abortSignal });
      if (!(Body instanceof Readable) || ContentLength === undefined) throw storeUnavailable('s3: an answer without a length');
      return { content: Body, bytes: ContentLength };
    } catch (error) {
      if (error instanceof this.sdk.NoSuchKey) throw new BlobMissing(place.name);
      throw signal?.aborted === true ? signal.reason : toUnavailable(error);
    } finally {
      clearTimeout(timer);
    }
  }

  async delete(place: BlobPlace<Name>): Promise<void> {
    const asked = { Bucket: this.options.bucket, Key: this.toKey(place) };
    await this.call((abortSignal) => this.client.send(new this.sdk.DeleteObjectCommand(asked), { abortSignal }));
  }

  async *list(folder: string): AsyncGenerator<StoredBlob<Name>> {
    const prefix = this.toPrefix(folder);
    let token: string | undefined;
    do {
      const asked = { Bucket: this.options.bucket, Prefix: prefix, ...(token === undefined ? {} : { ContinuationToken: token }) };
      const page = await this.call((abortSignal) => this.client.send(new this.sdk.ListObjectsV2Command(asked), { abortSignal }));
      for (const { Key, LastModified } of page.Contents ?? []) {
        const name = this.toName(prefix, Key);
        if (name !== null && LastModified !== undefined) yield { name, storedAtMs: LastModified.getTime() };
      }
      token = page.NextContinuationToken;
    } while (token !== undefined);
  }

  /** Parts of uploads that never ended are in no listing, and are paid for. */
  async dropUnfinished(folder: string, beforeMs: number): Promise<number> {
    const { bucket: Bucket } = this.options;
    const Prefix = this.toPrefix(folder);
    let dropped = 0;
    let page: ListMultipartUploadsCommandOutput | null = null;
    do {
      const asked: ListMultipartUploadsCommandInput = { Bucket, Prefix, KeyMarker: page?.NextKeyMarker, UploadIdMarker: page?.NextUploadIdMarker };
      page = await this.call<ListMultipartUploadsCommandOutput>((abortSignal) => this.client.send(new this.sdk.ListMultipartUploadsCommand(asked), { abortSignal }));
      for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
        if (this.toName(Prefix, Key) === null || Initiated === undefined || Initiated.getTime() >= beforeMs) continue;
        await this.call((abortSignal) => this.client.send(new this.sdk.AbortMultipartUploadCommand({ Bucket, Key, UploadId }), { abortSignal }));
        dropped += 1;
      }
    } while (page.IsTruncated === true);
    return dropped;
  }

  close(): void {
    this.client.destroy();
  }

  private async call<Answer>(send: (abortSignal: AbortSignal) => Promise<Answer>): Promise<Answer> {
    try {
      return await send(AbortSignal.timeout(this.timeouts.callMs));
    } catch (error) {
      throw toUnavailable(error);
    }
  }

  private toPrefix(folder: string): string {
    return `${this.options.prefix}${folder}/`;
  }

  private toKey(place: BlobPlace<Name>): string {
    return this.options.prefix + toStoreName(place, this.isName);
  }

  private toName(prefix: string, key: string | undefined): Name | null {
    const name = key?.slice(prefix.length);
    return this.isName(name) ? name : null;
  }
}

/** The SDK's errors carry the request and its answer: only the name and the status go on. */
function toUnavailable(error: unknown): Error {
  const name = toErrorCode(error) ?? (error instanceof Error ? error.name : 'unknown');
  return storeUnavailable(`s3: ${name}${toStatus(error)}`);
}

function toStatus(error: unknown): string {
  const metadata: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, '$metadata') : null;
  const status: unknown = typeof metadata === 'object' && metadata !== null ? Reflect.get(metadata, 'httpStatusCode') : null;
  return typeof status === 'number' ? ` ${status}` : '';
}
