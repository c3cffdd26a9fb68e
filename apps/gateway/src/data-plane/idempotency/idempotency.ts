import { createHash } from 'node:crypto';
import { type IncomingMessage } from 'node:http';
import { type ProxyKeyId, WeirError } from '@weir/kernel';
import { toErrorCode } from '@weir/platform';
import { type KeyRing, SealedBytesUnreadable } from '@weir/vault';
import { type Logger } from 'pino';
import { QueryFailedError } from 'typeorm';
import { AnswerBytes, CaptureMemory } from './answer-bytes';
import { AnswerCapture, type CaptureResult } from './answer-capture';
import { type FoundRecord, type IdempotencyStore, type OwnedRecord, type RecordPlace } from './idempotency-store';
import { OpenRun } from './open-run';
import { parseIdempotencyKey } from './parse-idempotency-key';
import { openAnswer } from './sealed-answer';
import { toRequestHash } from './to-request-hash';

/** What is known of a request that came with an Idempotency-Key. */
export interface IdempotentCall {
  readonly request: Pick<IncomingMessage, 'method' | 'url' | 'rawHeaders'>;
  readonly keyId: ProxyKeyId;
  readonly requestId: string;
  readonly body: Buffer;
}

/** The answer of a request that ran before. */
export interface Replay {
  readonly kind: 'replay';
  readonly status: number;
  /** Flat, as Node's `writeHead` takes them. */
  readonly headers: string[];
  readonly body: Buffer;
  /** The id of the request that ran. */
  readonly requestId: string;
}

export type IdempotencyGuard =
  /** Nobody has run it: run it now, let `capture` see the answer, and end it with `finish` or `abandon`, whatever happens. */
  { readonly kind: 'run'; readonly capture: AnswerCapture } | Replay;

export interface IdempotencyOptions {
  readonly store: IdempotencyStore;
  readonly ring: KeyRing;
  readonly logger: Pick<Logger, 'info' | 'warn'>;
  /** How long a request waits for PostgreSQL before it is refused. */
  readonly databaseTimeoutMs: number;
  readonly heartbeatMs?: number;
  /** Between two tries to store an answer while PostgreSQL is away. */
  readonly storeRetryMs?: number;
  /** The largest answer that is kept. */
  readonly maxAnswerBytes?: number;
  /** What all answers that are being captured or stored may hold together; beyond it they are not kept. */
  readonly maxMemoryBytes?: number;
}

const MEGABYTE = 1024 * 1024;
const HEARTBEAT_MS = 20_000;
const STORE_RETRY_MS = 1_000;
const RETRY_AFTER_MS = 1_000;
const PURGE_INTERVAL_MS = 3_600_000;
const FOREIGN_KEY_VIOLATION = '23503';
/** A record may be freed between the try to take it and the look at it; then it is tried again. */
const CLAIM_TRIES = 3;

/**
 * Idempotency-Key: a request runs once a proxy key and name, over all processes, and its answer is
 * given again for 24 hours. Two queries a request that asks for it, none for any other.
 */
export class Idempotency {
  private readonly open = new Map<string, OpenRun>();
  private readonly memory: CaptureMemory;
  private heartbeat: NodeJS.Timeout | null = null;
  private purging: NodeJS.Timeout | null = null;
  private isReachable = true;

  constructor(private readonly options: IdempotencyOptions) {
    this.memory = new CaptureMemory(options.maxMemoryBytes ?? 128 * MEGABYTE);
  }

  /** Begins to delete what is no longer kept, every hour. */
  start(): void {
    this.purging ??= setInterval(() => void this.purge(), PURGE_INTERVAL_MS).unref();
  }

  /** Stores what is not stored yet, for at most `timeoutMs`. */
  async close(timeoutMs = 5_000): Promise<void> {
    if (this.purging !== null) clearInterval(this.purging);
    const runs = [...this.open.values()];
    for (const run of runs) run.hurry();
    const stored = Promise.all(runs.map(({ ending }) => Promise.resolve(ending)));
    await inTime(stored, timeoutMs).catch(() => undefined);
    for (const run of this.open.values()) run.giveUp();
    this.open.clear();
    this.beat();
  }

  /** Runs whose answer is not stored yet. */
  get openRuns(): number {
    return this.open.size;
  }

  /**
   * Asked once a request that has the header, when it is known who asks and the body has come whole.
   * @throws WeirError invalid_request, idempotency_conflict, idempotency_mismatch or database_unavailable
   */
  async begin({ request, keyId, requestId, body }: IdempotentCall): Promise<IdempotencyGuard> {
    const name = parseIdempotencyKey(request.rawHeaders);
    const record: OwnedRecord = { keyId, nameHash: createHash('sha256').update(name).digest(), runId: requestId };
    const requestHash = toRequestHash(request.method ?? '', request.url ?? '', body);
    const run = this.open.get(toPlaceName(record));
    if (run !== undefined) {
      if (!run.requestHash.equals(requestHash)) throw new WeirError('idempotency_mismatch');
      if (run.ending === null) throw stillRunning();
    }
    // The answer is there and is just being stored: that takes a moment, a refusal would take the caller a second.
    const asked = run === undefined ? this.ask(record, requestHash) : Promise.resolve(run.ending).then(() => this.ask(record, requestHash));
    const found = await this.bounded(asked, record);
    return found === null ? { kind: 'run', capture: this.run(record, requestHash) } : this.judge(record, requestHash, found);
  }

  /** Never throws. */
  async purge(): Promise<void> {
    try {
      await this.options.store.purge();
    } catch (error) {
      this.options.logger.warn({ err: error }, 'could not delete old idempotency records; tried again in an hour');
    }
  }

  /** @returns null when the key was taken for this run */
  private async ask(record: OwnedRecord, requestHash: Buffer): Promise<FoundRecord | null> {
    for (let tries = 0; tries < CLAIM_TRIES; tries++) {
      if (await this.options.store.claim(record, requestHash)) return null;
      const found = await this.options.store.find(record);
      if (found !== null) return found;
    }
    throw stillRunning();
  }

  private async bounded(asked: Promise<FoundRecord | null>, record: OwnedRecord): Promise<FoundRecord | null> {
    let isLate = false;
    asked.then(
      (found) => {
        // It was refused meanwhile: a key that was taken for it must not stay taken until its lease ends.
        if (isLate && found === null) this.options.store.free(record).catch(ignore);
      },
      ignore,
    );
    try {
      const found = await inTime(asked, this.options.databaseTimeoutMs);
      this.noteReachable(null);
      return found;
    } catch (error) {
      isLate = true;
      if (error instanceof WeirError) throw error;
      // Deleted a moment ago; this process will hear of it.
      if (error instanceof QueryFailedError && toErrorCode(error.driverError) === FOREIGN_KEY_VIOLATION) throw new WeirError('invalid_api_key');
      this.noteReachable(error);
      throw new WeirError('database_unavailable', {
        message: 'The Idempotency-Key cannot be checked now, so the request was not run.',
        retryAfterMs: RETRY_AFTER_MS,
        cause: error,
      });
    }
  }

  private async judge(place: RecordPlace, requestHash: Buffer, found: FoundRecord): Promise<IdempotencyGuard> {
    if (!found.requestHash.equals(requestHash)) throw new WeirError('idempotency_mismatch');
    switch (found.state) {
      case 'running':
        throw stillRunning();
      case 'not_kept':
        throw new WeirError('idempotency_conflict', { message: 'The request with this Idempotency-Key has finished, but its answer was too large to be kept.' });
      case 'finished': {
        const { status, headers } = found.answer;
        const body = await this.openBody(place, found);
        const replayed = [...headers, 'idempotent-replayed', 'true', 'content-length', String(body.length)];
        return { kind: 'replay', status, headers: replayed, body, requestId: found.runId };
      }
    }
  }

  private async openBody(place: RecordPlace, found: FoundRecord & { state: 'finished' }): Promise<Buffer> {
    try {
      return await openAnswer(this.options.ring, place, found);
    } catch (error) {
      if (!(error instanceof SealedBytesUnreadable)) throw error;
      this.options.logger.warn({ err: error, keyId: place.keyId, requestId: found.runId }, 'a stored answer cannot be opened');
      // It did run, so it must not run again.
      throw new WeirError('idempotency_conflict', { message: 'The request with this Idempotency-Key has finished, but its answer can no longer be read.' });
    }
  }

  private run(record: OwnedRecord, requestHash: Buffer): AnswerCapture {
    const { store, ring, storeRetryMs = STORE_RETRY_MS, maxAnswerBytes = 5 * MEGABYTE } = this.options;
    const run = new OpenRun({ store, ring, record, requestHash, retryMs: storeRetryMs });
    const place = toPlaceName(record);
    this.open.set(place, run);
    this.beat();
    return new AnswerCapture(new AnswerBytes(this.memory, maxAnswerBytes), (result: CaptureResult, release) => {
      void run.end(result).then((error) => {
        release();
        this.noteReachable(error);
        if (this.open.get(place) === run) this.open.delete(place);
        this.beat();
      });
    });
  }

  /** The heartbeat goes while a run is open. */
  private beat(): void {
    if (this.open.size === 0) {
      if (this.heartbeat !== null) clearInterval(this.heartbeat);
      this.heartbeat = null;
      return;
    }
    this.heartbeat ??= setInterval(() => {
      this.options.store.renew([...this.open.values()].map(({ record }) => record)).then(
        () => this.noteReachable(null),
        (error: unknown) => this.noteReachable(error),
      );
    }, this.options.heartbeatMs ?? HEARTBEAT_MS).unref();
  }

  /** One line when PostgreSQL goes, and one when it is back. */
  private noteReachable(error: unknown): void {
    const isReachable = error === null;
    if (isReachable === this.isReachable) return;
    this.isReachable = isReachable;
    if (isReachable) this.options.logger.info({}, 'idempotency records can be read and written again');
    else this.options.logger.warn({ err: error }, 'idempotency records cannot be read or written: requests with an Idempotency-Key are refused');
  }
}

const ignore = (): void => undefined;

function toPlaceName({ keyId, nameHash }: RecordPlace): string {
  return keyId + nameHash.toString('latin1');
}

function stillRunning(): WeirError {
  return new WeirError('idempotency_conflict', { retryAfterMs: RETRY_AFTER_MS });
}

/** @throws Error when the time is over before there is an answer */
async function inTime<Value>(answer: Promise<Value>, timeoutMs: number): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([answer, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
