import { randomBytes } from 'node:crypto';
import { DUMMY_SLOT, SecretHashTable } from './secret-hash-table';

describe('SecretHashTable', () => {
  it('finds each of ten thousand hashes in its own place after growing, and no other', () => {
    const table = new SecretHashTable();
    const hashes = Array.from({ length: 10_000 }, () => randomBytes(32));
    const slots = hashes.map((hash) => table.add(hash));
    expect(new Set(slots).size).toBe(hashes.length);
    expect(hashes.every((hash, index) => table.matches(slots[index], hash))).toBe(true);
    expect(hashes.some((hash, index) => table.matches(slots[(index + 1) % slots.length], hash))).toBe(false);
  });

  it('gives the place of a removed hash to the next one', () => {
    const table = new SecretHashTable();
    const [first, second] = [randomBytes(32), randomBytes(32)];
    const slot = table.add(first);
    table.remove(slot);
    expect(table.matches(slot, first)).toBe(false);
    expect(table.add(second)).toBe(slot);
    expect(table.matches(slot, second)).toBe(true);
  });

  it('never matches the dummy, whatever is presented', () => {
    const table = new SecretHashTable();
    expect(table.matches(DUMMY_SLOT, Buffer.alloc(32))).toBe(false);
    expect(table.matches(DUMMY_SLOT, randomBytes(32))).toBe(false);
  });

  it('refuses what is no SHA-256, which would shift its neighbours', () => {
    expect(() => new SecretHashTable().add(Buffer.alloc(31))).toThrow(RangeError);
  });
});
