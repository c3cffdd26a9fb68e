import { toExampleRecord } from './example-record';
import { RecordQueue } from './record-queue';

describe('RecordQueue', () => {
  it('gives records back in the order in which they came, also when it has grown and gone round', () => {
    const queue = new RecordQueue();
    let given = 0;
    let taken = 0;
    for (const [pushes, takes] of [[900, 800], [1000, 10], [5000, 6000], [100, 190]]) {
      for (let push = 0; push < pushes; push++) queue.push(toExampleRecord({ durationMs: given++ }));
      for (const record of queue.take(takes)) expect(record.durationMs).toBe(taken++);
      expect(queue.length).toBe(given - taken);
    }
    expect(queue.length).toBe(0);
    expect(queue.take(1)).toEqual([]);
  });
});
