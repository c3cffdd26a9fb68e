import { FairQueue } from './fair-queue';

/** A queue whose entries are named after their organizations: `a1`, `a2`, … */
class Line {
  readonly queue = new FairQueue<string>();
  readonly #weights: Readonly<Record<string, number>>;
  readonly #counts = new Map<string, number>();

  constructor(weights: Readonly<Record<string, number>> = {}) {
    this.#weights = weights;
  }

  #weightOf(id: string): number {
    return this.#weights[id] ?? 1;
  }

  come(id: string, times = 1): number[] {
    return Array.from({ length: times }, () => {
      const count = (this.#counts.get(id) ?? 0) + 1;
      this.#counts.set(id, count);
      return this.queue.enqueue(id, this.#weightOf(id), `${id}${count}`);
    });
  }

  /** Who is due gets a place. */
  begin(): { entry: string; id: string; chargedMs: number } {
    const entry = this.queue.due(null);
    if (entry === null) throw new Error('nobody waits');
    const id = entry[0];
    const chargedMs = this.queue.charge(id, this.#weightOf(id));
    this.queue.remove(id, entry);
    return { entry, id, chargedMs };
  }

  /** So many whole calls, one after the other. */
  serve(times: number, heldMs: (id: string) => number = () => 100): string {
    let order = '';
    for (let turn = 0; turn < times; turn += 1) {
      const { id, chargedMs } = this.begin();
      this.queue.settle(id, chargedMs, heldMs(id));
      order += id;
    }
    return order;
  }
}

const countOf = (order: string, id: string) => order.split(id).length - 1;

describe('FairQueue', () => {
  it('serves organizations in turn, and one’s own in the order they came', () => {
    const line = new Line();
    line.come('a', 4);
    line.come('b', 2);
    const order = Array.from({ length: 6 }, () => line.begin().entry);
    expect(order).toEqual(['a1', 'b1', 'a2', 'b2', 'a3', 'a4']);
  });

  it('charges a place at once, so that several places freed together are shared too', () => {
    const line = new Line();
    line.come('a', 10);
    line.come('b', 10);
    expect([line.begin().id, line.begin().id, line.begin().id, line.begin().id].sort()).toEqual(['a', 'a', 'b', 'b']);
  });

  it('makes good what a call took beyond its charge, and gives back what it did not take', () => {
    const line = new Line();
    line.come('a', 20);
    line.come('b', 20);
    const first = line.begin();
    line.queue.settle(first.id, first.chargedMs, 10 * first.chargedMs);
    expect(line.serve(9, () => 1_000)).toBe('bbbbbbbbb');
    const back = new Line();
    back.come('a', 20);
    back.come('b', 20);
    for (let turn = 0; turn < 5; turn += 1) {
      const { id, chargedMs } = back.begin();
      // A's places are given back unused.
      back.queue.settle(id, chargedMs, id === 'a' ? 0 : chargedMs);
    }
    expect(countOf(back.serve(3, (id) => (id === 'a' ? 0 : 1_000)), 'a')).toBe(3);
  });

  it.each([
    [{ a: 1, b: 1 }, 50],
    [{ a: 3, b: 1 }, 75],
    [{ a: 1, b: 4 }, 20],
  ])('shares by weight %j: %p of a hundred are the first one’s', (weights, expected) => {
    const line = new Line(weights);
    line.come('a', 100);
    line.come('b', 100);
    expect(Math.abs(countOf(line.serve(100), 'a') - expected)).toBeLessThanOrEqual(2);
  });

  it('gives no credit for time away, also to who has a call open all the while', () => {
    const line = new Line();
    line.come('a');
    line.come('b', 200);
    const open = line.begin();
    expect(open.id).toBe('a');
    line.serve(100);
    line.come('a', 50);
    expect(Math.abs(countOf(line.serve(20), 'a') - 10)).toBeLessThanOrEqual(1);
  });

  it('lets nobody escape a debt by leaving the line for a moment', () => {
    const line = new Line();
    line.come('a', 1);
    line.come('b', 50);
    const { id, chargedMs } = line.begin();
    line.queue.settle(id, chargedMs, 10_000);
    line.come('a', 50);
    expect(line.serve(9, () => 1_000)).not.toContain('a');
  });

  it('forgets debts when nobody waits and nothing is open', () => {
    const line = new Line();
    line.come('a');
    const { id, chargedMs } = line.begin();
    line.queue.settle(id, chargedMs, 1_000_000);
    line.come('a', 10);
    line.come('b', 10);
    expect(Math.abs(countOf(line.serve(10), 'a') - 5)).toBeLessThanOrEqual(1);
  });

  it('tells the position that it keeps, as long as nobody else comes', () => {
    const line = new Line();
    line.come('a', 5);
    line.come('b', 5);
    line.come('c', 1);
    const [position] = line.come('b');
    let turn = 0;
    for (let entry = ''; entry !== 'b6'; turn += 1) ({ entry } = line.begin());
    expect(Math.abs(turn - position)).toBeLessThanOrEqual(1);
  });

  it('passes over what cannot go on, without taking its turn away', () => {
    const line = new Line();
    line.come('a', 2);
    line.come('b', 1);
    expect(line.queue.due((entry) => entry === 'a1')).toBe('a2');
    expect(line.queue.due((entry) => entry.startsWith('a'))).toBe('b1');
    expect(line.queue.due(() => true)).toBeNull();
    expect(line.begin().entry).toBe('a1');
  });
});
