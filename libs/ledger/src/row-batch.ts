/** Each row's text begins with it, see toUsageRowText. */
const REQUEST_ID_START = '{"request_id":"'.length;
const REQUEST_ID_LENGTH = 36;

/** Between two rows in the array: no row has a line break, so that they can be told apart again. */
export const ROW_SEPARATOR = ',\n';

/** Rows that go to PostgreSQL together. */
export class RowBatch {
  /**
   * @param requestIds of the rows, in their order
   * @param json the rows' JSON objects as one array, as UTF-8, with `ROW_SEPARATOR` between them
   */
  constructor(
    readonly requestIds: readonly string[],
    readonly json: Buffer,
  ) {}

  /** @param rowTexts as `toUsageRowText` makes them */
  static of(rowTexts: readonly string[]): RowBatch {
    const requestIds = rowTexts.map((text) => text.slice(REQUEST_ID_START, REQUEST_ID_START + REQUEST_ID_LENGTH));
    return new RowBatch(requestIds, Buffer.from(`[${rowTexts.join(ROW_SEPARATOR)}]`));
  }

  get length(): number {
    return this.requestIds.length;
  }

  /** The rows by themselves. */
  toTexts(): string[] {
    return this.length === 0 ? [] : this.json.toString('utf8', 1, this.json.length - 1).split(ROW_SEPARATOR);
  }

  /** The rows in two batches. */
  halve(): [RowBatch, RowBatch] {
    const texts = this.toTexts();
    const middle = texts.length >>> 1;
    return [RowBatch.of(texts.slice(0, middle)), RowBatch.of(texts.slice(middle))];
  }
}
