const WORD_BYTES = 4;
/** Each byte of a word: the top bit, the least one, a space, a quote, a backslash. */
const TOP_BITS = 0x80808080 | 0;
const ONES = 0x01010101;
const SPACES = 0x20202020;
const QUOTES = 0x22222222;
const BACKSLASHES = 0x5c5c5c5c;

/**
 * A buffer read four bytes at a time: looking at each byte of a long prompt by itself takes four times
 * as long. It reads the memory itself, so a buffer that is written over needs no new one.
 */
export class PlainWords {
  private readonly words: Int32Array;
  /** The byte of the buffer with which the first word begins: memory is read in words from multiples of four. */
  private readonly first: number;

  constructor(bytes: Buffer) {
    this.first = -bytes.byteOffset & (WORD_BYTES - 1);
    const count = Math.max(0, bytes.length - this.first) >> 2;
    this.words = new Int32Array(bytes.buffer, bytes.byteOffset + this.first, count);
  }

  /**
   * The beginning of the first word at the position in which a string's text is not plain: it has a quote,
   * a backslash, a control character or a byte beyond ASCII, or reaches beyond `end`.
   * @param position behind at least three bytes that are plain, for it may begin inside a word
   */
  skip(position: number, end: number): number {
    const { words, first } = this;
    const count = (end - first) >> 2;
    let index = (position - first) >> 2;
    for (; index < count; index += 1) {
      const word = words[index];
      const quotes = word ^ QUOTES;
      const backslashes = word ^ BACKSLASHES;
      // A byte that is less than what is taken from it borrows the top bit; of a word in which none does, each byte is plain.
      if (((word | (word - SPACES) | (quotes - ONES) | (backslashes - ONES)) & TOP_BITS) !== 0) break;
    }
    return first + index * WORD_BYTES;
  }
}
