import { createHash } from 'node:crypto';
import { type SpooledUpload } from './spool-upload';

/** What tells one form from another: a digest of all that came with it. Files are read from the disk. */
export async function toUploadDigest({ fields, files }: SpooledUpload): Promise<Buffer> {
  const hash = createHash('sha256').update(JSON.stringify(fields.map(({ name, value }) => [name, value])));
  for (const file of files) {
    hash.update(JSON.stringify([file.name, file.filename, file.mediaType, file.bytes]));
    for await (const chunk of file.open() as AsyncIterable<Buffer>) hash.update(chunk);
  }
  return hash.digest();
}
