import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { LimitedBody } from './limited-body';

const pass = (sizes: readonly number[], maxBytes: number): Promise<Buffer> =>
  buffer(Readable.from(sizes.map((size) => Buffer.alloc(size, 'x'))).pipe(new LimitedBody(maxBytes, () => new Error('too long'))));

describe('LimitedBody', () => {
  it.each([[[], 0], [[10], 10], [[3, 3, 4], 10], [[0, 0], 0]])('passes %j within %d bytes', async (sizes, maxBytes) => {
    expect((await pass(sizes, maxBytes)).length).toBe(sizes.reduce((sum, size) => sum + size, 0));
  });

  it.each([[[11], 10], [[3, 3, 5], 10], [[1], 0]])('ends %j with an error beyond %d bytes', async (sizes, maxBytes) => {
    await expect(pass(sizes, maxBytes)).rejects.toThrow('too long');
  });
});
