import { type Logger } from 'pino';
import { type ChangeBatch } from './change-reader';

export type ChangeListener = (changes: ChangeBatch) => Promise<void>;

const LONGEST_RETRY_WAIT_MS = 1_000;

/** Hands one listener its changes one batch after the other, and again what it failed to take. */
export class ChangeListenerQueue {
  /** Resolves when the listener has taken in its first batch. */
  readonly hasCaughtUpOnce: Promise<void>;

  private pending: ChangeBatch = [];
  private delivery: Promise<void> | null = null;
  private failing = false;
  private stopped = false;
  private interrupt: (() => void) | null = null;
  private caughtUp: () => void = () => undefined;

  constructor(
    private readonly listener: ChangeListener,
    private readonly logger: Pick<Logger, 'error'>,
  ) {
    this.hasCaughtUpOnce = new Promise((resolve) => (this.caughtUp = resolve));
  }

  get isFailing(): boolean {
    return this.failing;
  }

  push(changes: ChangeBatch): void {
    this.pending = join(this.pending, changes);
    this.delivery ??= this.deliver();
  }

  /** Gives up what was not delivered. */
  stop(): void {
    this.stopped = true;
    this.interrupt?.();
    this.caughtUp();
  }

  async isIdle(): Promise<void> {
    await this.delivery;
  }

  private async deliver(): Promise<void> {
    let retryWaitMs = 50;
    while (!isNothing(this.pending) && !this.stopped) {
      const changes = this.pending;
      this.pending = [];
      try {
        await this.listener(changes);
        this.failing = false;
        this.caughtUp();
        retryWaitMs = 50;
      } catch (error) {
        if (!this.failing) this.logger.error({ err: error }, 'a snapshot did not take in a change; trying again');
        this.failing = true;
        this.pending = join(changes, this.pending);
        await this.wait(retryWaitMs);
        retryWaitMs = Math.min(retryWaitMs * 2, LONGEST_RETRY_WAIT_MS);
      }
    }
    // In the same turn as the last look at `pending`: a push right after this starts a new delivery.
    this.delivery = null;
  }

  private async wait(milliseconds: number): Promise<void> {
    if (this.stopped) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.interrupt = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.interrupt = null;
  }
}

function isNothing(changes: ChangeBatch): boolean {
  return changes !== 'everything' && changes.length === 0;
}

function join(first: ChangeBatch, second: ChangeBatch): ChangeBatch {
  return first === 'everything' || second === 'everything' ? 'everything' : [...first, ...second];
}
