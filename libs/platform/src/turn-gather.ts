/** Of the event loop; a turn that brings more is worth waiting for, but not for ever. */
const MOST_MORE_TURNS = 3;

/**
 * Does something for many at once: at the end of the first turn of the event loop in which nobody more
 * came for it, or of the fourth. What arrives in a burst is read in several turns, as fast as it is
 * written at the other end; and a write, or a question to another process, costs several times what it
 * costs to look once more.
 */
export class TurnGather {
  readonly #run: () => void;
  #isPlanned = false;
  #hasMore = false;
  #turns = 0;

  /** @param run must not throw: others may follow in the same turn. */
  constructor(run: () => void) {
    this.#run = run;
  }

  /** Somebody came: `run` follows, never inside this call. */
  note(): void {
    this.#hasMore = true;
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    setImmediate(this.#endTurn);
  }

  readonly #endTurn = (): void => {
    if (this.#hasMore && this.#turns < MOST_MORE_TURNS) {
      this.#hasMore = false;
      this.#turns += 1;
      setImmediate(this.#endTurn);
      return;
    }
    this.#isPlanned = false;
    this.#hasMore = false;
    this.#turns = 0;
    this.#run();
  };
}
