import { type Clock } from '@weir/kernel';
import { type KeyState } from './key-state';
import { type KeyView, type PoolStateSink } from './pool-contract';

export const STATUS_INTERVAL_MS = 1_000;
/** A count alone waits longer: each change told is a row written, and read again by every process. */
export const COUNT_INTERVAL_MS = 5_000;

/** Runs something later, once; gives back how to call it off. */
export type Schedule = (delayMs: number, run: () => void) => () => void;

export const scheduleByTimer: Schedule = (delayMs, run) => {
  // A change waiting to be told must not keep a process alive: close() tells it.
  const timer = setTimeout(run, delayMs).unref();
  return () => clearTimeout(timer);
};

interface Told {
  view: KeyView;
  atMs: number;
}

/**
 * Tells the sink what changed of a key: at once, then at most once a second, and not at all when
 * nothing differs from what was told or read last.
 */
export class KeyReporter {
  readonly #sink: PoolStateSink;
  readonly #clock: Clock;
  readonly #schedule: Schedule;
  readonly #told = new Map<KeyState, Told>();
  readonly #due = new Map<KeyState, number>();
  #timerDueMs = Number.POSITIVE_INFINITY;
  #callOff: (() => void) | null = null;

  constructor(sink: PoolStateSink, clock: Clock, schedule: Schedule) {
    this.#sink = sink;
    this.#clock = clock;
    this.#schedule = schedule;
  }

  /** Whether a success could be news: the key was last shown as anything but active. */
  isShownInactive(key: KeyState): boolean {
    const told = this.#told.get(key);
    return told !== undefined && told.view.status !== 'active';
  }

  /**
   * The database says this of the key, so it need not be told. Failures that were counted here
   * and not told yet stay to be told.
   */
  known(key: KeyState, shown: Pick<KeyView, 'status' | 'reason' | 'untilMs'>, nowMs: number): void {
    const untold = this.untoldFailures(key);
    const atMs = this.#told.get(key)?.atMs ?? Number.NEGATIVE_INFINITY;
    const view = { ...key.viewAt(nowMs), ...shown, failureCount: key.failureCount - untold };
    this.#told.set(key, { view, atMs });
    this.#watchEnd(key, nowMs);
  }

  /** The database counts this many failures of the key. */
  countKnown(key: KeyState, failureCount: number): void {
    const told = this.#told.get(key);
    if (told !== undefined) told.view = { ...told.view, failureCount };
  }

  untoldFailures(key: KeyState): number {
    const told = this.#told.get(key);
    return told === undefined ? 0 : Math.max(0, key.failureCount - told.view.failureCount);
  }

  /** Whether what is shown of the key is its status now. */
  isStatusTold(key: KeyState, nowMs: number): boolean {
    return this.#told.get(key)?.view.status === key.viewAt(nowMs).status;
  }

  /** Something about the key may have changed. */
  touch(key: KeyState, nowMs: number): void {
    const told = this.#told.get(key);
    if (key.key.id === null || told === undefined) return;
    const view = key.viewAt(nowMs);
    if (isSame(view, told.view)) return;
    const intervalMs = isSameStatus(view, told.view) ? COUNT_INTERVAL_MS : STATUS_INTERVAL_MS;
    const sinceMs = nowMs - told.atMs;
    // A negative distance is a clock set back: then it is told now.
    if (sinceMs < 0 || sinceMs >= intervalMs) this.#tell(key, told, view, nowMs);
    else this.#arm(key, told.atMs + intervalMs, nowMs);
  }

  forget(key: KeyState): void {
    this.#told.delete(key);
    this.#due.delete(key);
  }

  /** Tells everything that waits. */
  flush(): void {
    const nowMs = this.#clock.nowMs();
    for (const [key, told] of this.#told) {
      const view = key.viewAt(nowMs);
      if (key.key.id !== null && !isSame(view, told.view)) this.#tell(key, told, view, nowMs);
    }
  }

  close(): void {
    this.flush();
    this.#callOff?.();
    this.#callOff = null;
    this.#due.clear();
  }

  #tell(key: KeyState, told: Told, view: KeyView, nowMs: number): void {
    if (key.key.id === null) return;
    const newFailures = Math.max(0, view.failureCount - told.view.failureCount);
    told.view = view;
    told.atMs = nowMs;
    this.#due.delete(key);
    this.#watchEnd(key, nowMs);
    this.#sink.keyChanged(key.key.id, { ...view, newFailures });
  }

  /** Cooling ends without any event, so somebody must look again. */
  #watchEnd(key: KeyState, nowMs: number): void {
    const view = this.#told.get(key)?.view;
    if (view?.status === 'cooling' && view.untilMs !== null) this.#arm(key, view.untilMs, nowMs);
  }

  #arm(key: KeyState, dueMs: number, nowMs: number): void {
    this.#due.set(key, Math.min(dueMs, this.#due.get(key) ?? dueMs));
    if (dueMs >= this.#timerDueMs) return;
    this.#callOff?.();
    this.#timerDueMs = dueMs;
    this.#callOff = this.#schedule(Math.max(0, dueMs - nowMs), () => this.#ring());
  }

  #ring(): void {
    const nowMs = this.#clock.nowMs();
    this.#callOff = null;
    this.#timerDueMs = Number.POSITIVE_INFINITY;
    for (const [key, dueMs] of [...this.#due]) {
      if (dueMs > nowMs) continue;
      this.#due.delete(key);
      this.touch(key, nowMs);
    }
    for (const [key, dueMs] of [...this.#due]) this.#arm(key, dueMs, nowMs);
  }
}

function isSameStatus(left: KeyView, right: KeyView): boolean {
  return left.status === right.status && left.reason === right.reason && left.untilMs === right.untilMs;
}

function isSame(left: KeyView, right: KeyView): boolean {
  return isSameStatus(left, right) && left.failureCount === right.failureCount && left.lastFailureAtMs === right.lastFailureAtMs;
}
