import { WeirError } from '@weir/kernel';
import { type Readable } from 'node:stream';
import { isErrno } from '../is-error';

/** What a store's files may be called: Weir's own ids, never anything a caller wrote. */
export type IsBlobName<Name extends string> = (value: unknown) => value is Name;

/** Where a file lies. */
export interface BlobPlace<Name extends string> {
  /** The installation's own folder: what another database knows is never touched. A UUID. */
  readonly folder: string;
  readonly name: Name;
}

export interface StoredBlob<Name extends string> {
  readonly name: Name;
  /** By the store's clock. */
  readonly storedAtMs: number;
}

export interface OpenedBlob {
  readonly content: Readable;
  readonly bytes: number;
}

/**
 * Files that every process of an installation can reach. Every call ends in time; when the store
 * cannot do it, with the WeirError of `storeUnavailable`.
 */
export interface BlobStore<Name extends string> {
  /**
   * Stores a file whole or not at all, and durably. An error of `content` comes out as it is.
   * @param signal ends it at once; nothing is stored then
   */
  put(place: BlobPlace<Name>, content: Readable, signal?: AbortSignal): Promise<void>;
  /** @throws BlobMissing */
  open(place: BlobPlace<Name>, signal?: AbortSignal): Promise<OpenedBlob>;
  /** Also of a file that is not there. */
  delete(place: BlobPlace<Name>): Promise<void>;
  /** Every file that is whole, in any order. */
  list(folder: string): AsyncIterable<StoredBlob<Name>>;
  /** Throws away what a `put` that began before `beforeMs` and never ended has left. @returns how many */
  dropUnfinished(folder: string, beforeMs: number): Promise<number>;
  /** Ends its connections. */
  close(): void;
}

/** Somebody knows of a file that is not in the store. */
export class BlobMissing extends Error {
  constructor(name: string) {
    super(`the store holds no file ${name}`);
    this.name = 'BlobMissing';
  }
}

/**
 * Why a `put` failed: its sender's own error first, then the one who aborted it, then the store.
 * @param storeError the store's, as its caller may see it
 */
export function toPutError(content: Readable, signal: AbortSignal | undefined, storeError: unknown): unknown {
  // A stream whose reader leaves early gets an AbortError, which is nobody's reason.
  if (content.errored !== null && !isErrno(content.errored, 'ABORT_ERR')) return content.errored;
  return signal?.aborted === true ? signal.reason : storeError;
}

const RETRY_AFTER_MS = 5000;
const FOLDER = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** @param detail for the log: what the system said, without addresses and keys */
export function storeUnavailable(detail: string): WeirError {
  return new WeirError('no_upstream_available', { message: 'The store of files cannot be reached now.', retryAfterMs: RETRY_AFTER_MS, detail });
}

/** `<folder>/<name>`: the last look before it becomes part of a path. */
export function toStoreName<Name extends string>({ folder, name }: BlobPlace<Name>, isName: IsBlobName<Name>): string {
  if (!FOLDER.test(folder) || !isName(name)) throw new TypeError('not the place of a file');
  return `${folder}/${name}`;
}
