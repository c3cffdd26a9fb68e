import { type WindowTake } from './meter-store';

/** Sub-buckets a window. The oldest is counted whole, so one more than this is counted. */
export const BUCKETS_PER_WINDOW = 60;
const SLOTS = BUCKETS_PER_WINDOW + 1;

/** The width of a sub-bucket. Rounded up, so that sixty of them never cover less than the window. */
export function toBucketMs(windowMs: number): number {
  return Math.ceil(windowMs / BUCKETS_PER_WINDOW);
}

/**
 * What was taken in a trailing window, as a ring of sub-buckets with a running sum. Counts the
 * current bucket and the sixty before it: whatever happened less than a window ago is among them,
 * so a limit on `used` holds in every trailing window, and at most 1/61 of it is left unused.
 *
 * Times go in; there is no clock here. When time goes back (a clock set, a Redis failed over to one
 * with a slower clock), the newest bucket is taken for now and time runs on from there: what was
 * taken is forgotten later than it might be, never sooner.
 */
export class SlidingWindow {
  readonly #bucketMs: number;
  #slots: number[] = new Array<number>(SLOTS).fill(0);
  /** The newest bucket that is reflected in the ring. */
  #head = 0;
  /** The newest bucket that anything was taken in; NaN when nothing is remembered. */
  #lastTaken = NaN;
  #sum = 0;
  /** Added to the time that is handed in, so that it never goes back. */
  #offsetMs = 0;
  #nowMs = 0;
  #isSeeded = false;

  constructor(private readonly windowMs: number) {
    this.#bucketMs = toBucketMs(windowMs);
  }

  /** To look into the future of, or to ask without moving time. */
  copy(): SlidingWindow {
    const copy = new SlidingWindow(this.windowMs);
    copy.#slots = [...this.#slots];
    copy.#head = this.#head;
    copy.#lastTaken = this.#lastTaken;
    copy.#sum = this.#sum;
    copy.#offsetMs = this.#offsetMs;
    copy.#isSeeded = this.#isSeeded;
    return copy;
  }

  /** Forgets what is older than the window. Call it before asking anything. */
  advance(nowMs: number): void {
    if (this.#sum === 0) this.#restart(nowMs);
    this.#nowMs = nowMs + this.#offsetMs;
    const bucket = Math.floor(this.#nowMs / this.#bucketMs);
    if (bucket < this.#head) {
      this.#nowMs = this.#head * this.#bucketMs;
      this.#offsetMs = this.#nowMs - nowMs;
      return;
    }
    // Each step is paid for by one admission or by one bucket's time: constant when spread over them.
    const steps = Math.min(bucket - this.#head, SLOTS);
    for (let step = 1; step <= steps; step++) {
      const slot = toSlot(this.#head + step);
      this.#sum -= this.#slots[slot];
      this.#slots[slot] = 0;
    }
    this.#head = bucket;
    if (this.#sum === 0) this.#restart(nowMs);
  }

  /** Whether a new window would know as much; does not move time. */
  isEmptyAt(nowMs: number): boolean {
    return this.#sum === 0 || Math.floor((nowMs + this.#offsetMs) / this.#bucketMs) - this.#lastTaken >= SLOTS;
  }

  /** The sub-bucket that is taken from now. */
  get bucket(): number {
    return this.#head;
  }

  get used(): number {
    return this.#sum;
  }

  /** @returns whether it is the first that is taken from its sub-bucket. */
  take(amount: number): boolean {
    const isFirst = this.#lastTaken !== this.#head;
    this.#slots[toSlot(this.#head)] += amount;
    this.#sum += amount;
    this.#lastTaken = this.#head;
    return isFirst;
  }

  /** Puts back what was taken in a sub-bucket, if it still counts; never more than is there. */
  giveBack(bucket: number, amount: number): void {
    if (bucket > this.#head || bucket <= this.#head - SLOTS) return;
    const slot = toSlot(bucket);
    const given = Math.min(this.#slots[slot], amount);
    this.#slots[slot] -= given;
    this.#sum -= given;
  }

  /** Adds what was taken elsewhere and then forgotten; once, as long as anything is remembered. */
  seed(takes: readonly WindowTake[]): void {
    if (this.#isSeeded) return;
    for (const { ageMs, amount } of takes) {
      const bucket = Math.floor((this.#nowMs - ageMs) / this.#bucketMs);
      if (bucket > this.#head || bucket <= this.#head - SLOTS || amount === 0) continue;
      this.#slots[toSlot(bucket)] += amount;
      this.#sum += amount;
      if (!(bucket <= this.#lastTaken)) this.#lastTaken = bucket;
      this.#isSeeded = true;
    }
  }

  /** How long until `amount` fits under `limit`; 0 when it fits now, Infinity when it never does. */
  freesInMs(amount: number, limit: number): number {
    if (amount > limit) return Infinity;
    let excess = this.#sum + amount - limit;
    if (excess <= 0) return 0;
    for (let bucket = this.#head - BUCKETS_PER_WINDOW; bucket <= this.#head; bucket++) {
      excess -= this.#slots[toSlot(bucket)];
      if (excess <= 0) return this.#expiresInMs(bucket);
    }
    return Infinity;
  }

  /** How long until nothing is used any more. */
  emptyInMs(): number {
    return this.#sum === 0 ? 0 : this.#expiresInMs(this.#lastTaken);
  }

  #expiresInMs(bucket: number): number {
    return Math.ceil((bucket + SLOTS) * this.#bucketMs - this.#nowMs);
  }

  /** With nothing to remember, time may start anywhere: an old offset is dropped with the rest. */
  #restart(nowMs: number): void {
    this.#offsetMs = 0;
    this.#nowMs = nowMs;
    this.#head = Math.floor(nowMs / this.#bucketMs);
    this.#lastTaken = NaN;
    this.#isSeeded = false;
  }
}

/** The remainder that is never negative, so that times before zero have a slot as well. */
function toSlot(bucket: number): number {
  return ((bucket % SLOTS) + SLOTS) % SLOTS;
}
