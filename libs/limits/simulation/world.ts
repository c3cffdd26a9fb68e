import { type Timers } from '../src/timers';

interface Event {
  readonly atMs: number;
  readonly number: number;
  run: (() => void) | null;
}

/** Virtual time, chance from a seed, and what happened: everything of one run comes from here. */
export class World {
  #nowMs = 0;
  #state: number;
  #numbers = 0;
  readonly #heap: Event[] = [];
  readonly trace: string[] | null;

  constructor(
    readonly seed: number,
    isTraced: boolean,
  ) {
    this.#state = seed | 0;
    this.trace = isTraced ? [] : null;
  }

  /** True time, which no process knows; whole milliseconds are not promised. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** mulberry32: small, and the same on every machine. */
  random(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  chance(probability: number): boolean {
    return this.random() < probability;
  }

  /** A whole number, both ends included. */
  between(lowest: number, highest: number): number {
    return lowest + Math.floor(this.random() * (highest - lowest + 1));
  }

  pick<Value>(values: readonly Value[]): Value {
    return values[this.between(0, values.length - 1)];
  }

  after(delayMs: number, run: () => void): () => void {
    const event: Event = { atMs: this.#nowMs + Math.max(0, delayMs), number: this.#numbers++, run };
    this.#push(event);
    return () => {
      event.run = null;
    };
  }

  /** Goes on to the next event. @returns false when there is none before `untilMs`. */
  step(untilMs: number): boolean {
    for (;;) {
      const next = this.#heap[0];
      if (next === undefined || next.atMs > untilMs) return false;
      this.#pop();
      if (next.run === null) continue;
      this.#nowMs = next.atMs;
      next.run();
      return true;
    }
  }

  note(what: () => string): void {
    this.trace?.push(`${this.#nowMs.toFixed(1).padStart(9)}  ${what()}`);
  }

  /** Timers that end with the process that they belong to. */
  timersOf(isDead: () => boolean): Timers {
    return { after: (delayMs, run) => this.after(delayMs, () => (isDead() ? undefined : run())) };
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let index = heap.push(event) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (isBefore(heap[parent], event)) break;
      heap[index] = heap[parent];
      index = parent;
    }
    heap[index] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child++;
      if (isBefore(last, heap[child])) break;
      heap[index] = heap[child];
      index = child;
    }
    heap[index] = last;
  }
}

function isBefore(one: Event, other: Event): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.number < other.number);
}
