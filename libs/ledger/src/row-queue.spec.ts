import { RowQueue } from './row-queue';

describe('RowQueue', () => {
  it('gives rows back in the order in which they came, also when it has grown and gone round', () => {
    const queue = new RowQueue();
    let given = 0;
    let taken = 0;
    for (const [pushes, takes] of [[900, 800], [1000, 10], [5000, 6000], [100, 190]]) {
      for (let push = 0; push < pushes; push++) queue.push(String(given++));
      for (const text of queue.take(takes)) expect(text).toBe(String(taken++));
      expect(queue.length).toBe(given - taken);
    }
    expect(queue.length).toBe(0);
    expect(queue.take(1)).toEqual([]);
  });
});
