/**
 * platform owns what Weir stands on and what every other lib is handed: the configuration, the
 * data folder, PostgreSQL (its own or the operator's) and the feed of changes in it, Redis, the
 * store of files (a folder or any S3-compatible store), the log, the metrics and the traces.
 */
export * from './database';
export * from './embedded-postgres/embedded-postgres';
export * from './secret-file';
export * from './tethered-process';
export * from './tokens';
export * from './turn-gather';
export * from './metrics/metrics';
export * from './redis';
export * from './traces/open-traces';
export * from './traces/to-traces-warning';
export * from './traces/trace-configuration';
export * from './traces/traces';
export * from './configuration';
export * from './platform.module';
export * from './is-error';
export * from './logging/describe-error';
export * from './logging/log-destination';
export * from './logging/logger';
export * from './logging/nest-logger';
export * from './logging/scrub-secrets';
export * from './change-feed';
export { type ChangeBatch, type ChangeKind, type SnapshotChange } from './change-reader';
export { type ChangeListener } from './change-listener-queue';
export * from './data-directory';
export * from './delete-in-batches';
export * from './folder-lock';
export * from './database-server';
export * from './is-public-address';
export { BlobMissing, type BlobPlace, type BlobStore, storeUnavailable } from './blobs/blob-store';
export { type BlobConfiguration, type BlobKind, createBlobStore } from './blobs/create-blob-store';
export { DiskBlobStore } from './blobs/disk-blob-store';
export { sweepOrphans } from './blobs/sweep-orphans';
export * from './has-known-password';
export * from './to-write-fault';
