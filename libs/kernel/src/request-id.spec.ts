import { isUuid, uuidV7 } from '@weir/kernel';

describe('uuidV7', () => {
  it('is a lower-case UUID of version 7, variant 10', () => {
    const id = uuidV7(Date.now());
    expect(isUuid(id)).toBe(true);
    expect(id[14]).toBe('7');
    expect('89ab').toContain(id[19]);
  });

  it('carries the time in its first 48 bits', () => {
    const id = uuidV7(0x0123456789ab);
    expect(id.slice(0, 13)).toBe('01234567-89ab');
  });

  it('does not repeat over a hundred thousand ids of one millisecond', () => {
    const ids = new Set(Array.from({ length: 100_000 }, () => uuidV7(1)));
    expect(ids.size).toBe(100_000);
  });
});
