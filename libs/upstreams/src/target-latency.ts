export const DECAY_HALF_LIFE_MS = 60_000;
/** A failure counts as an answer after this time at least: what fails fast is not fast. */
export const FAILURE_LATENCY_MS = 5_000;
/** An unknown target gets one call at a time to be known by: the next one after this time at the earliest. */
export const EXPLORE_MS = 10_000;

const AVERAGING_MS = 10_000;
const SMALLEST_SHARE = 0.05;
const FAILURE_SHARE = 0.3;
const RECENT = 128;
/** How many new latencies make the percentile worth counting anew. */
const RECOUNT_AFTER = 16;
const PERCENTILE = 0.95;

/**
 * How long a target takes to the first byte: an average that follows within seconds, and the
 * latest latencies for their 95th percentile. What is not called is forgotten step by step, so
 * that a target that was slow once is tried again.
 */
export class TargetLatency {
  #averageMs: number | null = null;
  #sampledAtMs = Number.NEGATIVE_INFINITY;
  #calledAtMs = Number.NEGATIVE_INFINITY;
  #recentMs: Float32Array | null = null;
  #count = 0;
  #percentileMs = 0;
  #percentileCount = 0;

  get averageMs(): number | null {
    return this.#averageMs;
  }

  /** How many latencies its percentile is made of. */
  get samples(): number {
    return Math.min(this.#count, RECENT);
  }

  note(latencyMs: number, nowMs: number): void {
    if (!(latencyMs >= 0)) return;
    this.#average(latencyMs, SMALLEST_SHARE, nowMs);
    this.#recentMs ??= new Float32Array(RECENT);
    this.#recentMs[this.#count % RECENT] = latencyMs;
    this.#count += 1;
  }

  penalise(nowMs: number): void {
    this.#average(Math.max(FAILURE_LATENCY_MS, (this.#averageMs ?? 0) * 2), FAILURE_SHARE, nowMs);
  }

  /** A call goes there: what it takes will be known soon, so until then the average stands undecayed. */
  called(nowMs: number): void {
    this.#calledAtMs = nowMs;
  }

  /** The lower, the better; 0 for what should be explored, Infinity for what is just being explored. */
  scoreAt(nowMs: number): number {
    if (this.#averageMs === null) return nowMs - this.#calledAtMs >= EXPLORE_MS ? 0 : Number.POSITIVE_INFINITY;
    const idleMs = Math.max(0, nowMs - Math.max(this.#sampledAtMs, this.#calledAtMs));
    return this.#averageMs * 2 ** (-idleMs / DECAY_HALF_LIFE_MS);
  }

  /** The 95th percentile of the latest latencies; null when there are none. */
  percentile95Ms(): number | null {
    if (this.#recentMs === null) return null;
    if (this.#percentileCount === 0 || this.#count - this.#percentileCount >= RECOUNT_AFTER) {
      const sorted = this.#recentMs.slice(0, this.samples).sort();
      this.#percentileMs = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * PERCENTILE))];
      this.#percentileCount = this.#count;
    }
    return this.#percentileMs;
  }

  #average(sampleMs: number, smallestShare: number, nowMs: number): void {
    if (this.#averageMs === null) this.#averageMs = sampleMs;
    else {
      const share = Math.max(smallestShare, 1 - Math.exp(-Math.max(0, nowMs - this.#sampledAtMs) / AVERAGING_MS));
      this.#averageMs += (sampleMs - this.#averageMs) * share;
    }
    this.#sampledAtMs = nowMs;
  }
}
