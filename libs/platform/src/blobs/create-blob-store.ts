import { join } from 'node:path';
import { type Configuration } from '../configuration';
import { type BlobStore, type IsBlobName } from './blob-store';
import { DiskBlobStore } from './disk-blob-store';
import { S3BlobStore } from './s3-blob-store';

/** What kind of files a store is for: each has a place of its own. */
export interface BlobKind<Name extends string> {
  /** In the data folder. */
  readonly diskFolder: string;
  /** Put between the prefix that is configured and the installation's folder: empty, or ends in a slash. */
  readonly s3Prefix: string;
  readonly isName: IsBlobName<Name>;
}

export type BlobConfiguration = Pick<Configuration, 'voiceStore' | 'dataDirectory'>;

/** The store that is configured. Reaches nothing yet; whoever makes it closes it. */
export async function createBlobStore<Name extends string>({ voiceStore, dataDirectory }: BlobConfiguration, { diskFolder, s3Prefix, isName }: BlobKind<Name>): Promise<BlobStore<Name>> {
  switch (voiceStore.kind) {
    case 'disk':
      return new DiskBlobStore(join(dataDirectory, diskFolder), isName);
    case 's3':
      return S3BlobStore.create({ ...voiceStore, prefix: voiceStore.prefix + s3Prefix }, isName);
  }
}
