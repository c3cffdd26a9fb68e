import { toTableOrder } from './find-table-order';

describe('the order of tables', () => {
  it('puts those that others refer to first', () => {
    const references = [
      { from: 'keys', to: 'organizations' },
      { from: 'keys', to: 'projects' },
      { from: 'projects', to: 'organizations' },
      { from: 'folders', to: 'folders' },
    ];
    expect(toTableOrder(['folders', 'keys', 'organizations', 'projects'], references)).toEqual(['folders', 'organizations', 'projects', 'keys']);
  });

  it('takes no notice of references to tables that are not there', () => {
    expect(toTableOrder(['a'], [{ from: 'a', to: 'elsewhere' }])).toEqual(['a']);
  });

  it('refuses a circle, which no order can restore', () => {
    expect(() => toTableOrder(['a', 'b', 'c'], [{ from: 'a', to: 'b' }, { from: 'b', to: 'a' }])).toThrow('in a circle: a, b');
  });
});
