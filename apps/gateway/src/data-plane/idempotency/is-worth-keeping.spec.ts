import { isWorthKeeping } from './is-worth-keeping';

describe('isWorthKeeping', () => {
  it.each([
    [200, 1, true],
    [201, 1, true],
    [200, 0, true],
    [400, 1, true],
    [404, 1, true],
    [422, 2, true],
    [400, 0, false],
    [401, 0, false],
    [403, 0, false],
    [404, 0, false],
    [408, 1, false],
    [409, 1, false],
    [429, 0, false],
    [429, 1, false],
    [500, 1, false],
    [502, 1, false],
    [503, 0, false],
    [302, 1, false],
    [0, 0, false],
  ])('%p after %p attempts: %p', (status, attempts, expected) => {
    expect(isWorthKeeping(status, attempts)).toBe(expected);
  });
});
