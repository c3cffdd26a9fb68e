/** How many remembered counters each sweep looks at, so that idle ones go without a timer. */
const SWEPT_AT_ONCE = 4;

interface Remembered<Counter> {
  readonly counter: Counter;
  lastUsedMs: number;
}

/** Counters by their keys, which forget the idle ones little by little. */
export class SweptCounters<Counter> {
  readonly #byKey = new Map<string, Remembered<Counter>>();
  #sweep = this.#byKey.entries();

  /** Beyond `largest` the longest idle of a few is forgotten, idle or not. */
  constructor(private readonly largest = Infinity) {}

  get size(): number {
    return this.#byKey.size;
  }

  find(key: string): Counter | null {
    return this.#byKey.get(key)?.counter ?? null;
  }

  getOrMake(key: string, nowMs: number, make: () => Counter): Counter {
    let found = this.#byKey.get(key);
    if (found === undefined) {
      if (this.#byKey.size >= this.largest) this.#evictLongestIdle();
      found = { counter: make(), lastUsedMs: nowMs };
      this.#byKey.set(key, found);
    }
    found.lastUsedMs = nowMs;
    return found.counter;
  }

  delete(key: string): void {
    this.#byKey.delete(key);
  }

  clear(): void {
    this.#byKey.clear();
  }

  /** Forgets a few that are idle: those of which a new one would know as much. */
  sweepSome(isIdle: (counter: Counter) => boolean): void {
    const count = Math.min(SWEPT_AT_ONCE, this.#byKey.size);
    for (let swept = 0; swept < count; swept++) {
      const next = this.#nextOfSweep();
      if (next === null) return;
      if (isIdle(next[1].counter)) this.#byKey.delete(next[0]);
    }
  }

  #evictLongestIdle(): void {
    let longest: [string, Remembered<Counter>] | null = null;
    for (let count = 0; count < 2 * SWEPT_AT_ONCE; count++) {
      const next = this.#nextOfSweep();
      if (next !== null && (longest === null || next[1].lastUsedMs < longest[1].lastUsedMs)) longest = next;
    }
    if (longest !== null) this.#byKey.delete(longest[0]);
  }

  /** Goes round the map for ever; a map's iterator survives deletions and sees insertions. */
  #nextOfSweep(): [string, Remembered<Counter>] | null {
    let next = this.#sweep.next();
    if (next.done === true) {
      this.#sweep = this.#byKey.entries();
      next = this.#sweep.next();
    }
    return next.done === true ? null : next.value;
  }
}
