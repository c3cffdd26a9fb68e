import { type FailureClass } from '@weir/providers';
import { RetryPolicy } from './retry-policy';

const NOW_MS = 1_000_000;

describe('RetryPolicy', () => {
  it.each<[FailureClass, number, number, number | null]>([
    // class, attempt, faults so far, wait with the largest jitter
    ['caller', 1, 0, null],
    ['aborted', 1, 0, null],
    ['bad_key', 1, 0, 0],
    ['bad_key', 7, 0, 0],
    ['bad_key', 8, 0, null],
    ['throttled', 7, 2, 0],
    ['throttled', 8, 0, null],
    ['quota_exhausted', 7, 0, 0],
    ['quota_exhausted', 8, 0, null],
    ['fault', 1, 1, 100],
    ['fault', 2, 2, 200],
    ['fault', 3, 3, null],
    ['fault', 6, 1, 100],
    ['fault', 8, 1, null],
    ['endpoint', 1, 1, 100],
    ['endpoint', 3, 3, null],
  ])('after %s as attempt %p, with %p faults: %p', (failureClass, attempt, faults, expected) => {
    const policy = new RetryPolicy(() => 1);
    expect(policy.delayMs(failureClass, attempt, faults, NOW_MS)).toBe(expected);
  });

  it.each([
    [0, 0],
    [0.25, 25],
    [0.99, 99],
  ])('spreads waits over the whole range: %p', (random, expected) => {
    expect(new RetryPolicy(() => random).delayMs('fault', 1, 1, NOW_MS)).toBeCloseTo(expected);
  });

  function countRetries(policy: RetryPolicy, wanted: number, nowMs: number): number {
    let granted = 0;
    for (let index = 0; index < wanted; index += 1) if (policy.delayMs('fault', 1, 1, nowMs) !== null) granted += 1;
    return granted;
  }

  it('lets a quiet server retry ten times in a window', () => {
    const policy = new RetryPolicy(() => 0);
    expect(countRetries(policy, 50, NOW_MS)).toBe(10);
    expect(countRetries(policy, 50, NOW_MS + 29_000)).toBe(0);
    expect(countRetries(policy, 50, NOW_MS + 30_000)).toBe(10);
  });

  it('keeps retries to a tenth of the requests beside that reserve', () => {
    const policy = new RetryPolicy(() => 0);
    for (let index = 0; index < 1_000; index += 1) policy.countRequest(NOW_MS + index);
    expect(countRetries(policy, 1_000, NOW_MS + 1_000)).toBe(110);
  });

  it('spends no budget on keys that are refused, throttled or used up', () => {
    const policy = new RetryPolicy(() => 0);
    for (let index = 0; index < 1_000; index += 1) expect(policy.delayMs('bad_key', 1, 0, NOW_MS)).toBe(0);
    expect(countRetries(policy, 50, NOW_MS)).toBe(10);
  });
});
