import { toExampleRecord } from './example-record';
import { RowBatch } from './row-batch';
import { toUsageRowText } from './usage-row';

const records = Array.from({ length: 7 }, (_, index) => toExampleRecord({ model: `model ${index}, "ä",\n` }));
const texts = records.map(toUsageRowText);

describe('RowBatch', () => {
  it('is a JSON array of its rows, and knows whose they are', () => {
    const batch = RowBatch.of(texts);
    expect(JSON.parse(batch.json.toString())).toEqual(texts.map((text): unknown => JSON.parse(text)));
    expect(batch.requestIds).toEqual(records.map(({ requestId }) => requestId));
    expect(batch.toTexts()).toEqual(texts);
  });

  it('is the same rows when it is halved, down to each by itself', () => {
    const toSingles = (batch: RowBatch): RowBatch[] => (batch.length === 1 ? [batch] : batch.halve().flatMap(toSingles));
    const singles = toSingles(RowBatch.of(texts));
    expect(singles.flatMap((single) => single.toTexts())).toEqual(texts);
    expect(singles.flatMap(({ requestIds }) => requestIds)).toEqual(records.map(({ requestId }) => requestId));
  });

  it('may hold nothing', () => {
    expect(RowBatch.of([])).toMatchObject({ length: 0, requestIds: [] });
    expect(RowBatch.of([]).toTexts()).toEqual([]);
  });
});
