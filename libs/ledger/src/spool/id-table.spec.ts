import { uuidV7 } from '@weir/kernel';
import { IdTable, type Tabled } from './id-table';

interface Item extends Tabled {
  readonly count: number;
}

const make = (id: string, count = 0): Item => ({ id, count, next: null });

describe('IdTable', () => {
  it('finds each of many by its id, also when they share a place, and none that was removed', () => {
    const table = new IdTable<Item>();
    const items = Array.from({ length: 20_000 }, (_, index) => make(uuidV7(1_000 + index), index));
    for (const item of items) table.add(item);
    expect(table.size).toBe(20_000);
    // Odd ones go, in an order of their own: from the front, the middle and the end of their chains.
    const [gone, kept] = [items.filter(({ count }) => count % 2 === 1), items.filter(({ count }) => count % 2 === 0)];
    for (const item of [...gone.slice(5_000), ...gone.slice(0, 5_000).reverse()]) table.remove(item);
    expect(table.size).toBe(10_000);
    expect(gone.every(({ id }) => table.find(id) === null)).toBe(true);
    expect(kept.every((item) => table.find(item.id) === item)).toBe(true);
    expect(new Set(table.values())).toEqual(new Set(kept));
  });

  it('tells ids apart that end alike, and takes short ones', () => {
    const table = new IdTable<Item>();
    const items = ['one-abcdef', 'two-abcdef', 'abcdef', 'f', ''].map((id) => make(id));
    for (const item of items) table.add(item);
    table.remove(items[1]);
    expect(['one-abcdef', 'two-abcdef', 'abcdef', 'f', ''].map((id) => table.find(id))).toEqual([items[0], null, items[2], items[3], items[4]]);
  });

  it('takes an item again that was removed', () => {
    const table = new IdTable<Item>();
    const [one, other] = [make('one'), make('other')];
    table.add(one);
    table.add(other);
    table.remove(one);
    table.add(one);
    expect([table.find('one'), table.find('other'), table.size]).toEqual([one, other, 2]);
  });
});
