/**
 * Counts events, and the bad ones among them, over a sliding stretch of time, in a ring of
 * buckets: an event costs two additions and no allocation, however many there are.
 */
export class EventWindow {
  readonly #bucketMs: number;
  readonly #all: Uint32Array;
  readonly #bad: Uint32Array;
  #latest = Number.NaN;
  #allSum = 0;
  #badSum = 0;

  constructor(windowMs: number, buckets: number) {
    this.#bucketMs = windowMs / buckets;
    this.#all = new Uint32Array(buckets);
    this.#bad = new Uint32Array(buckets);
  }

  add(isBad: boolean, nowMs: number): void {
    this.#advance(nowMs);
    const slot = this.#latest % this.#all.length;
    this.#all[slot] += 1;
    this.#allSum += 1;
    if (!isBad) return;
    this.#bad[slot] += 1;
    this.#badSum += 1;
  }

  /** Every event of the window, bad or not. */
  total(nowMs: number): number {
    this.#advance(nowMs);
    return this.#allSum;
  }

  bad(nowMs: number): number {
    this.#advance(nowMs);
    return this.#badSum;
  }

  clear(): void {
    this.#all.fill(0);
    this.#bad.fill(0);
    this.#allSum = 0;
    this.#badSum = 0;
  }

  #advance(nowMs: number): void {
    const bucket = Math.floor(nowMs / this.#bucketMs);
    if (bucket === this.#latest) return;
    const passed = bucket - this.#latest;
    // A clock set back a little stays in the latest bucket; set back a lot (or the first event, NaN), starts over.
    if (passed < 0 && passed > -this.#all.length) return;
    if (!(passed > 0 && passed < this.#all.length)) {
      this.clear();
    } else {
      for (let index = this.#latest + 1; index <= bucket; index += 1) this.#empty(index % this.#all.length);
    }
    this.#latest = bucket;
  }

  #empty(slot: number): void {
    this.#allSum -= this.#all[slot];
    this.#badSum -= this.#bad[slot];
    this.#all[slot] = 0;
    this.#bad[slot] = 0;
  }
}
