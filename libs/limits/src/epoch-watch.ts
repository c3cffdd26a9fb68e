import { type Clock } from '@weir/kernel';
import { type EpochBeat, type SharedStore } from './shared-store';

/** Until then others may not have put back what they hold: two beats, and some. */
const YOUNG_MS = 3_000;

export interface EpochWatchOptions {
  readonly shared: SharedStore;
  readonly clock: Clock;
  /** Redis has lost its data since the last beat, or this is the first. */
  readonly onEpoch: (beat: EpochBeat, isFirst: boolean) => void;
}

/** Notices that Redis has lost its data, and knows for how long that has been so. */
export class EpochWatch {
  readonly #options: EpochWatchOptions;
  #epochMs: number | null = null;
  #isFirst = true;
  #seenAtMs = 0;
  #asked = 0;
  #answered = 0;

  constructor(options: EpochWatchOptions) {
    this.#options = options;
  }

  /** The epoch that was last seen; null before the first beat. */
  get epochMs(): number | null {
    return this.#epochMs;
  }

  async beat(): Promise<EpochBeat | null> {
    const number = ++this.#asked;
    const beat = await this.#options.shared.beat();
    if (beat === null || beat.epochMs === this.#epochMs) return beat;
    // An answer that was overtaken tells of an epoch that is over.
    if (number < this.#answered) return null;
    this.#answered = number;
    this.#begin(beat);
    return beat;
  }

  /**
   * Asks anew, so that data lost a moment ago is noticed.
   * @returns how long a counter that is missing must not be seeded yet, in milliseconds; null when there was no answer.
   */
  async askYoungForMs(): Promise<number | null> {
    const beat = await this.beat();
    if (beat === null) return null;
    // One's own clock does not jump as Redis's may. Only of an epoch that began before this process did is Redis's word all there is.
    const ownAgeMs = this.#options.clock.monotonicMs() - this.#seenAtMs;
    const ageMs = this.#isFirst ? Math.max(ownAgeMs, beat.nowMs - beat.epochMs) : ownAgeMs;
    return Math.max(0, YOUNG_MS - ageMs);
  }

  #begin(beat: EpochBeat): void {
    this.#isFirst = this.#epochMs === null;
    this.#epochMs = beat.epochMs;
    this.#seenAtMs = this.#options.clock.monotonicMs();
    this.#options.onEpoch(beat, this.#isFirst);
  }
}
