import { type KeyRing } from '@weir/vault';
import { type CaptureResult } from './answer-capture';
import { type IdempotencyStore, type OwnedRecord, type StoredAnswer } from './idempotency-store';
import { sealAnswer } from './sealed-answer';

export interface OpenRunOptions {
  readonly store: IdempotencyStore;
  readonly ring: KeyRing;
  readonly record: OwnedRecord;
  readonly requestHash: Buffer;
  readonly retryMs: number;
}

/** For so long an answer waits for PostgreSQL to come back; then a repeat runs anew. */
const STORE_TRIES = 300;

/** A request that runs under an Idempotency-Key in this process, until its answer is stored or its key is free. */
export class OpenRun {
  readonly record: OwnedRecord;
  readonly requestHash: Buffer;
  /** Null while the request runs; settles when what became of it is in the table, or was given up. Never rejects. */
  ending: Promise<unknown> | null = null;

  private triesLeft = STORE_TRIES;
  private wakeUp: () => void = () => undefined;

  constructor(private readonly options: OpenRunOptions) {
    this.record = options.record;
    this.requestHash = options.requestHash;
  }

  /** @returns null when it was written down, else the last error; never rejects */
  end(result: CaptureResult): Promise<unknown> {
    const ending = this.writeDown(result).then(
      () => null,
      (error: unknown) => error,
    );
    this.ending = ending;
    return ending;
  }

  /** Tries at once when it waits to try again. */
  hurry(): void {
    this.wakeUp();
  }

  /** Tries no more. */
  giveUp(): void {
    this.triesLeft = 0;
    this.wakeUp();
  }

  private async writeDown(result: CaptureResult): Promise<void> {
    const { store, ring, record, requestHash } = this.options;
    switch (result.kind) {
      case 'freed':
        return this.tryOften(() => store.free(record));
      case 'too_large':
        return this.tryOften(() => store.finish(record, null));
      case 'kept': {
        const answer: StoredAnswer = await sealAnswer(ring, record, requestHash, result.answer);
        return this.tryOften(() => store.finish(record, answer));
      }
    }
  }

  private async tryOften(write: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        return await write();
      } catch (error) {
        this.triesLeft -= 1;
        if (this.triesLeft <= 0) throw error;
        await this.pause();
      }
    }
  }

  private pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.options.retryMs).unref();
      this.wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
