import { type RowBatch } from './row-batch';
import { RowQueue } from './row-queue';

const push = (queue: RowQueue, row: string): void => {
  const bytes = Buffer.from(`before ${row} after`);
  queue.push(`id of ${row}`, bytes, 7, bytes.length - 6);
  bytes.fill(0);
};
const parse = ({ json }: RowBatch): unknown => JSON.parse(json.toString());

describe('RowQueue', () => {
  it('gives rows back in the order in which they came, in batches that are JSON arrays', () => {
    const queue = new RowQueue(100);
    let given = 0;
    let taken = 0;
    for (const [pushes, takes] of [[90, 1], [1_000, 5], [5_000, 100]]) {
      for (let number = 0; number < pushes; number++) push(queue, String(given++));
      for (let take = 0; take < takes; take++) {
        const batch = queue.take();
        if (batch === null) break;
        expect(parse(batch)).toEqual(batch.requestIds.map(() => taken++));
        expect(batch.requestIds.at(-1)).toBe(`id of ${taken - 1}`);
        expect(batch.length).toBeLessThanOrEqual(100);
        queue.giveBack();
      }
      expect(queue.length).toBe(given - taken);
    }
    expect(queue.length).toBe(0);
    expect(queue.take()).toBeNull();
  });

  it('leaves a batch as it is that was not given back, whatever comes after', () => {
    const queue = new RowQueue(10);
    for (let row = 0; row < 10; row++) push(queue, '"first"');
    const first = queue.take();
    for (let row = 0; row < 10; row++) push(queue, '"second"');
    const second = queue.take();
    queue.giveBack();
    queue.giveBack();
    for (let row = 0; row < 50; row++) push(queue, '"third"');
    expect(first && parse(first)).toEqual(new Array(10).fill('first'));
    expect(second?.length).toBe(10);
    for (const batch of [queue.take(), queue.take(), queue.take(), queue.take(), queue.take()]) expect(batch && parse(batch)).toEqual(new Array(10).fill('third'));
  });

  it('takes rows that are larger than its memory', () => {
    const queue = new RowQueue(3);
    const large = JSON.stringify('x'.repeat(3_000_000));
    for (let row = 0; row < 3; row++) push(queue, large);
    const batch = queue.take();
    expect(batch?.toTexts()).toEqual([large, large, large]);
  });
});
