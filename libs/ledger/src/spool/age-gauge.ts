import { type Clock } from '@weir/kernel';

const MARK_INTERVAL_MS = 1_000;

/** How old the oldest row is that waits, to the second; notes a few numbers a second however many rows come. */
export class AgeGauge {
  /** Rows from this number on (counted from 0) came at this time or later. */
  #marks: { readonly fromRow: number; readonly atMs: number }[] = [];
  #appended = 0;
  #settled = 0;

  constructor(private readonly clock: Pick<Clock, 'monotonicMs'>) {}

  /** 0 when none waits. Milliseconds. */
  get ageMs(): number {
    const [oldest] = this.#marks;
    return oldest === undefined ? 0 : this.clock.monotonicMs() - oldest.atMs;
  }

  /** So many rows have come, ever. */
  noteAppended(rows: number): void {
    const nowMs = this.clock.monotonicMs();
    const last = this.#marks.at(-1);
    if (last === undefined || nowMs - last.atMs >= MARK_INTERVAL_MS) this.#marks.push({ fromRow: this.#appended, atMs: nowMs });
    this.#appended = rows;
  }

  /** So many rows are done with, ever. */
  noteSettled(rows: number): void {
    this.#settled = rows;
    if (this.#settled >= this.#appended) this.#marks = [];
    while (this.#marks.length > 1 && this.#marks[1].fromRow <= this.#settled) this.#marks.shift();
  }
}
