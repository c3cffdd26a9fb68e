import { type Clock } from '@weir/kernel';
import { type Admission, type LimiterStore, toWindowState, UNLIMITED, type WindowState } from './admission';
import { assertAmount, type LimitPlan } from './limit-plan';
import { SlidingWindow } from './sliding-window';

/** How many remembered windows each admission looks at, so that idle ones go without a timer. */
const SWEPT_PER_ADMISSION = 4;
const DEFAULT_MAX_WINDOWS = 250_000;

export interface LocalLimiterOptions {
  readonly clock: Clock;
  /** Beyond this the longest idle of a few is forgotten: a flood of subjects must not eat the memory. */
  readonly maxWindows?: number;
}

interface Remembered {
  readonly window: SlidingWindow;
  lastUsedMs: number;
}

/** Windows of this process only. Same answers as the script on Redis, at once and without a promise. */
export class LocalLimiterStore implements LimiterStore {
  readonly #windows = new Map<string, Remembered>();
  readonly #clock: Clock;
  readonly #maxWindows: number;
  #sweep = this.#windows.entries();

  constructor(options: LocalLimiterOptions) {
    this.#clock = options.clock;
    this.#maxWindows = options.maxWindows ?? DEFAULT_MAX_WINDOWS;
  }

  /** How many windows are remembered. */
  get size(): number {
    return this.#windows.size;
  }

  admit(plan: LimitPlan, amount = 1): Admission {
    if (plan.windows.length === 0) return UNLIMITED;
    assertAmount(amount);
    const nowMs = this.#clock.monotonicMs();
    this.#sweepSome(nowMs);
    const windows = plan.windows.map((limit, index) => this.#get(plan.keys[index], limit.windowMs, nowMs));
    const refusal = this.#findRefusal(plan, windows, amount);
    if (refusal !== null) return refusal;
    return { admitted: true, windows: windows.map((window, index) => {
      window.take(amount);
      return toWindowState(plan.windows[index], window.used, window.emptyInMs());
    }) };
  }

  peek(plan: LimitPlan, amount = 1): Admission {
    if (plan.windows.length === 0) return UNLIMITED;
    assertAmount(amount);
    const nowMs = this.#clock.monotonicMs();
    const windows = plan.windows.map((limit, index) => this.#find(plan.keys[index], nowMs) ?? new SlidingWindow(limit.windowMs));
    return (
      this.#findRefusal(plan, windows, amount) ?? {
        admitted: true,
        windows: windows.map((window, index) => toWindowState(plan.windows[index], window.used, window.emptyInMs())),
      }
    );
  }

  #findRefusal(plan: LimitPlan, windows: readonly SlidingWindow[], amount: number): Admission | null {
    let latest = -1;
    let latestMs = 0;
    for (let index = 0; index < windows.length; index++) {
      const freesMs = windows[index].freesInMs(amount, plan.windows[index].limit);
      if (freesMs > latestMs) {
        latest = index;
        latestMs = freesMs;
      }
    }
    if (latest < 0) return null;
    const states: WindowState[] = windows.map((window, index) =>
      toWindowState(plan.windows[index], window.used, index === latest ? latestMs : window.emptyInMs()),
    );
    return { admitted: false, refused: states[latest], windows: states };
  }

  #find(key: string, nowMs: number): SlidingWindow | null {
    const found = this.#windows.get(key);
    if (found === undefined) return null;
    found.window.advance(nowMs);
    return found.window;
  }

  #get(key: string, windowMs: number, nowMs: number): SlidingWindow {
    let found = this.#windows.get(key);
    if (found === undefined) {
      if (this.#windows.size >= this.#maxWindows) this.#evictLongestIdle();
      found = { window: new SlidingWindow(windowMs), lastUsedMs: nowMs };
      this.#windows.set(key, found);
    }
    found.lastUsedMs = nowMs;
    found.window.advance(nowMs);
    return found.window;
  }

  /** An empty window knows nothing that a new one would not. */
  #sweepSome(nowMs: number): void {
    for (let count = 0; count < SWEPT_PER_ADMISSION; count++) {
      const next = this.#nextOfSweep();
      if (next === null) return;
      const [key, remembered] = next;
      remembered.window.advance(nowMs);
      if (remembered.window.used === 0) this.#windows.delete(key);
    }
  }

  #evictLongestIdle(): void {
    let longest: [string, Remembered] | null = null;
    for (let count = 0; count < 2 * SWEPT_PER_ADMISSION; count++) {
      const next = this.#nextOfSweep();
      if (next !== null && (longest === null || next[1].lastUsedMs < longest[1].lastUsedMs)) longest = next;
    }
    if (longest !== null) this.#windows.delete(longest[0]);
  }

  /** Goes round the map for ever; a map's iterator survives deletions and sees insertions. */
  #nextOfSweep(): [string, Remembered] | null {
    let next = this.#sweep.next();
    if (next.done === true) {
      this.#sweep = this.#windows.entries();
      next = this.#sweep.next();
    }
    return next.done === true ? null : next.value;
  }
}
