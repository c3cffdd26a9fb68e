import { type CompletedPart } from '@aws-sdk/client-s3';
import { type Readable } from 'node:stream';

type S3Sdk = typeof import('@aws-sdk/client-s3');

/** The smallest part that S3 takes; one is in memory for an upload, and nothing else of its file. */
const PART_BYTES = 5 * 1024 * 1024;

/**
 * One file on its way into an S3-compatible store: in one request when it is small, in parts
 * otherwise. `@aws-sdk/lib-storage` does the same and holds up to five parts of it in memory.
 */
export class S3Upload {
  private readonly part = Buffer.allocUnsafeSlow(PART_BYTES);
  private partBytes = 0;
  private uploadId: string | null = null;
  private readonly parts: CompletedPart[] = [];

  constructor(
    private readonly sdk: S3Sdk,
    private readonly client: InstanceType<S3Sdk['S3Client']>,
    private readonly place: { readonly Bucket: string; readonly Key: string },
    private readonly abortSignal: AbortSignal,
  ) {}

  /** Resolves when the store has the whole file. After an error, `giveUp`. */
  async send(content: Readable): Promise<void> {
    for await (const chunk of content as AsyncIterable<Buffer>) {
      for (let offset = 0; offset < chunk.length; ) {
        // Only when more is there: the last part is the only one that may be short, and it must not be empty.
        if (this.partBytes === PART_BYTES) await this.sendPart();
        const copied = chunk.copy(this.part, this.partBytes, offset);
        this.partBytes += copied;
        offset += copied;
      }
    }
    if (this.uploadId === null) await this.sendWhole();
    else await this.complete();
  }

  /** Takes back the parts that were sent; without this they are kept, and paid for, until they are swept. */
  async giveUp(abortSignal: AbortSignal): Promise<void> {
    if (this.uploadId === null) return;
    const command = new this.sdk.AbortMultipartUploadCommand({ ...this.place, UploadId: this.uploadId });
    this.uploadId = null;
    await this.client.send(command, { abortSignal });
  }

  private async sendWhole(): Promise<void> {
    const command = new this.sdk.PutObjectCommand({ ...this.place, Body: this.part.subarray(0, this.partBytes) });
    await this.client.send(command, { abortSignal: this.abortSignal });
  }

  private async sendPart(): Promise<void> {
    const { abortSignal } = this;
    this.uploadId ??= await this.begin();
    const about = { ...this.place, UploadId: this.uploadId, PartNumber: this.parts.length + 1 };
    const { ETag } = await this.client.send(new this.sdk.UploadPartCommand({ ...about, Body: this.part.subarray(0, this.partBytes) }), { abortSignal });
    this.parts.push({ ETag, PartNumber: about.PartNumber });
    this.partBytes = 0;
  }

  private async begin(): Promise<string> {
    const { UploadId } = await this.client.send(new this.sdk.CreateMultipartUploadCommand(this.place), { abortSignal: this.abortSignal });
    if (UploadId === undefined) throw new Error('the store began an upload without an id');
    return UploadId;
  }

  private async complete(): Promise<void> {
    await this.sendPart();
    const command = new this.sdk.CompleteMultipartUploadCommand({ ...this.place, UploadId: this.uploadId ?? '', MultipartUpload: { Parts: this.parts } });
    await this.client.send(command, { abortSignal: this.abortSignal });
  }
}
