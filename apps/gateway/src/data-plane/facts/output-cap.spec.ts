import { parseChoiceCount, parseOutputCap, toOutputCap } from './output-cap';

describe('parseOutputCap', () => {
  it('takes whole numbers, and null for absent', () => {
    expect([0, 1, 16, 1_000_000_000].map((value) => parseOutputCap(value, 'max_tokens'))).toEqual([0, 1, 16, 1_000_000_000]);
    expect(parseOutputCap(null, 'max_tokens')).toBeNull();
    expect(parseOutputCap(undefined, 'max_tokens')).toBeNull();
  });

  it.each([-1, 1.5, 2 ** 63, 1_000_000_001, Infinity, NaN, '5', '', true, {}, [5]])('refuses %p and names the field', (value) => {
    expect(() => parseOutputCap(value, 'max_completion_tokens')).toThrow(expect.objectContaining({ name: 'WeirError', code: 'invalid_request', param: 'max_completion_tokens' }));
  });
});

describe('parseChoiceCount', () => {
  it('is one where nothing is said', () => {
    expect([null, undefined, 1, 128].map((value) => parseChoiceCount(value, 'n'))).toEqual([1, 1, 1, 128]);
  });

  it.each([0, -1, 1.5, 2 ** 63, '2', true])('refuses %p and names the field', (value) => {
    expect(() => parseChoiceCount(value, 'best_of')).toThrow(expect.objectContaining({ code: 'invalid_request', param: 'best_of' }));
  });
});

describe('toOutputCap', () => {
  it('is the larger of two caps: servers do not agree which one counts', () => {
    expect([toOutputCap(5, 9), toOutputCap(9, 5), toOutputCap(null, 5), toOutputCap(5, null), toOutputCap(null, null), toOutputCap(0, null)]).toEqual([9, 9, 5, 5, null, 0]);
  });
});
