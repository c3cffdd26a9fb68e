/** Reads a flat reply, with texts as bytes, from its beginning to its end, and believes nothing. */
export class ReplyReader {
  #position = 0;

  constructor(private readonly values: readonly unknown[]) {}

  /** @throws when the next value is no whole number. */
  nextNumber(): number {
    const value = this.values[this.#position++];
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw new Error('the script of the meter answered something else');
    return value;
  }

  /** @throws when the next value is no text. */
  nextText(): string {
    const value = this.values[this.#position++];
    if (!Buffer.isBuffer(value)) throw new Error('the script of the meter answered something else');
    return value.toString();
  }
}
