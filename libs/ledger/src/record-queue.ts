import { type UsageRecord } from './usage-record';

const INITIAL_CAPACITY = 1024;

/** First in, first out, in a ring of slots made beforehand: an append writes one slot and allocates nothing. */
export class RecordQueue {
  #slots: (UsageRecord | null)[] = new Array<UsageRecord | null>(INITIAL_CAPACITY).fill(null);
  #first = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(record: UsageRecord): void {
    if (this.#length === this.#slots.length) this.#grow();
    this.#slots[(this.#first + this.#length) & (this.#slots.length - 1)] = record;
    this.#length++;
  }

  /** Takes up to `count` of the oldest out. */
  take(count: number): UsageRecord[] {
    const taken: UsageRecord[] = [];
    for (; taken.length < count && this.#length > 0; this.#length--) {
      const record = this.#slots[this.#first];
      // Emptied, so that a written record can be collected.
      this.#slots[this.#first] = null;
      this.#first = (this.#first + 1) & (this.#slots.length - 1);
      if (record !== null) taken.push(record);
    }
    return taken;
  }

  /** Capacity stays a power of two, for the mask. */
  #grow(): void {
    const { length } = this.#slots;
    const inOrder = [...this.#slots.slice(this.#first), ...this.#slots.slice(0, this.#first)];
    this.#slots = inOrder.concat(new Array<UsageRecord | null>(length).fill(null));
    this.#first = 0;
  }
}
