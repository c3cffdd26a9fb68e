const INITIAL_CAPACITY = 1024;

/** First in, first out, in a ring of slots made beforehand: a push writes one slot and allocates nothing. */
export class RowQueue {
  #slots: (string | null)[] = new Array<string | null>(INITIAL_CAPACITY).fill(null);
  #first = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(text: string): void {
    if (this.#length === this.#slots.length) this.#grow();
    this.#slots[(this.#first + this.#length) & (this.#slots.length - 1)] = text;
    this.#length++;
  }

  /** Takes up to `count` of the oldest out. */
  take(count: number): string[] {
    const taken: string[] = [];
    for (; taken.length < count && this.#length > 0; this.#length--) {
      const text = this.#slots[this.#first];
      // Emptied, so that a stored row can be collected.
      this.#slots[this.#first] = null;
      this.#first = (this.#first + 1) & (this.#slots.length - 1);
      if (text !== null) taken.push(text);
    }
    return taken;
  }

  /** Capacity stays a power of two, for the mask. */
  #grow(): void {
    const { length } = this.#slots;
    const inOrder = [...this.#slots.slice(this.#first), ...this.#slots.slice(0, this.#first)];
    this.#slots = inOrder.concat(new Array<string | null>(length).fill(null));
    this.#first = 0;
  }
}
