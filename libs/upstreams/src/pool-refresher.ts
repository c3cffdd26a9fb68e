import { setTimeout as wait } from 'node:timers/promises';
import { type Clock } from '@weir/kernel';
import { type ChangeBatch, type ChangeKind } from '@weir/platform';
import { type SnapshotLoader } from './snapshot-loader';
import { type UpstreamPool } from './upstream-pool';

const CONCERNED: ReadonlySet<ChangeKind> = new Set<ChangeKind>(['upstream', 'upstream_key', 'model', 'model_target']);

/** A key's status is a row too: while many fail, every process would otherwise read all day. */
const MINIMUM_INTERVAL_MS = 250;

/** Keeps the pool's snapshot at what the database says; never two readings at once, so none overtakes another. */
export class PoolRefresher {
  readonly #loader: SnapshotLoader;
  readonly #pool: UpstreamPool;
  readonly #clock: Clock;
  #latest: Promise<void> = Promise.resolve();
  #queued: Promise<void> | null = null;
  #loadedAtMs = Number.NEGATIVE_INFINITY;

  constructor(loader: SnapshotLoader, pool: UpstreamPool, clock: Clock) {
    this.#loader = loader;
    this.#pool = pool;
    this.#clock = clock;
  }

  /** The listener for the change feed. */
  readonly takeChanges = async (changes: ChangeBatch): Promise<void> => {
    if (changes !== 'everything' && !changes.some(({ kind }) => CONCERNED.has(kind))) return;
    const waitMs = this.#loadedAtMs + MINIMUM_INTERVAL_MS - this.#clock.monotonicMs();
    if (waitMs > 0) await wait(waitMs);
    await this.refresh();
  };

  /**
   * Reads anew and applies it; resolves when what was written before the call is in the pool.
   * @throws when the database cannot be read; the pool then goes on with what it has.
   */
  refresh(): Promise<void> {
    // A reading that has not begun serves everybody who asks before it does.
    if (this.#queued !== null) return this.#queued;
    const queued = this.#latest
      .catch(() => undefined)
      .then(() => {
        this.#queued = null;
        return this.#load();
      });
    this.#queued = queued;
    this.#latest = queued;
    return queued;
  }

  async #load(): Promise<void> {
    const snapshot = await this.#loader.load();
    this.#pool.apply(snapshot);
    this.#loadedAtMs = this.#clock.monotonicMs();
  }
}
