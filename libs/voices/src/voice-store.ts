import { WeirError } from '@weir/kernel';
import { isErrno } from '@weir/platform';
import { type Readable } from 'node:stream';
import { isVoiceId, type VoiceId } from './voice';

/** Where a voice's file lies: Weir's own ids, never anything a caller wrote. */
export interface VoicePlace {
  /** The installation's own folder: what another database knows is never touched. A UUID. */
  readonly folder: string;
  readonly id: VoiceId;
}

export interface StoredFile {
  readonly id: VoiceId;
  /** By the store's clock. */
  readonly storedAtMs: number;
}

export interface OpenedFile {
  readonly content: Readable;
  readonly bytes: number;
}

/**
 * The files of voices. Every call ends in time; when the store cannot do it, with the WeirError of
 * `storeUnavailable`.
 */
export interface VoiceStore {
  /**
   * Stores a file whole or not at all, and durably. An error of `content` comes out as it is.
   * @param signal ends it at once; nothing is stored then
   */
  put(place: VoicePlace, content: Readable, signal?: AbortSignal): Promise<void>;
  /** @throws VoiceFileMissing */
  open(place: VoicePlace, signal?: AbortSignal): Promise<OpenedFile>;
  /** Also of a file that is not there. */
  delete(place: VoicePlace): Promise<void>;
  /** Every file that is whole, in any order. */
  list(folder: string): AsyncIterable<StoredFile>;
  /** Throws away what a `put` that began before `beforeMs` and never ended has left. @returns how many */
  dropUnfinished(folder: string, beforeMs: number): Promise<number>;
  /** Ends its connections. */
  close(): void;
}

/** There is a voice, but its recording is not in the store. */
export class VoiceFileMissing extends Error {
  constructor(id: VoiceId) {
    super(`the voice store holds no file of ${id}`);
    this.name = 'VoiceFileMissing';
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
  return new WeirError('no_upstream_available', { message: 'The voice store cannot be reached now.', retryAfterMs: RETRY_AFTER_MS, detail });
}

/** `<folder>/<id>`: the last look before it becomes part of a path. */
export function toStoreName({ folder, id }: VoicePlace): string {
  if (!FOLDER.test(folder) || !isVoiceId(id)) throw new TypeError('not the place of a voice');
  return `${folder}/${id}`;
}
