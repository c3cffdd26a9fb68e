import { type Clock } from '@weir/kernel';
import { LocalMeterStore } from '../src/local-meter-store';
import { type EpochBeat } from '../src/shared-store';
import { type World } from './world';

const PROCESS_FORGOTTEN_AFTER_MS = 15_000;

/** Redis as the meter sees it: the in-process twin of its script, which may stop, hang, forget, and set its clock. */
export class SimulatedRedis {
  store: LocalMeterStore;
  isDown = false;
  #isPaused = false;
  #waiting: (() => void)[] = [];
  #epochMs: number | null = null;
  #offsetMs: number;
  readonly #beats = new Map<string, number>();
  readonly #clock: Clock;

  constructor(
    readonly world: World,
    startedAtMs: number,
  ) {
    this.#offsetMs = startedAtMs;
    const nowMs = (): number => Math.floor(this.world.nowMs + this.#offsetMs);
    this.#clock = { nowMs, monotonicMs: nowMs };
    this.store = new LocalMeterStore({ clock: this.#clock });
  }

  /** Runs it, now or when Redis goes on. @returns false when nobody is there. */
  execute(run: () => void): boolean {
    if (this.isDown) return false;
    if (this.#isPaused) this.#waiting.push(run);
    else run();
    return true;
  }

  beat(processName: string): EpochBeat {
    const nowMs = this.#clock.nowMs();
    const began = this.#epochMs === null;
    this.#epochMs ??= nowMs;
    this.#beats.set(processName, this.world.nowMs);
    return { epochMs: this.#epochMs, nowMs, began };
  }

  countProcesses(): number {
    return [...this.#beats.values()].filter((atMs) => this.world.nowMs - atMs < PROCESS_FORGOTTEN_AFTER_MS).length;
  }

  /** FLUSHALL, or a restart without persistence. */
  loseEverything(): void {
    this.store = new LocalMeterStore({ clock: this.#clock });
    this.#epochMs = null;
    this.#beats.clear();
  }

  pause(durationMs: number): void {
    this.#isPaused = true;
    this.world.after(durationMs, () => {
      this.#isPaused = false;
      for (const run of this.#waiting.splice(0)) run();
    });
  }

  stop(durationMs: number, keepsData: boolean): void {
    this.isDown = true;
    this.world.after(durationMs, () => {
      this.isDown = false;
      if (!keepsData) this.loseEverything();
    });
  }

  setClock(byMs: number): void {
    this.#offsetMs += byMs;
  }
}
