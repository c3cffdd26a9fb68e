import { newId, Secret, type UpstreamKeyId } from '@weir/kernel';
import { type KeyAvailability, KeyState } from './key-state';
import { NO_TICKET } from './probe-place';

const NOW_MS = 1_800_000_000_000;
const HOUR_MS = 3_600_000;

function newKey(id: UpstreamKeyId | null = newId<UpstreamKeyId>()): KeyState {
  return new KeyState({ id, label: '', secret: new Secret('s') }, () => 0);
}

/** Lets the one call of a parked key through, as the pool does. */
function firstTry(key: KeyState, nowMs: number): number {
  expect(key.availabilityFor('a', nowMs)).toBe('trial');
  return key.enterFirstTry(nowMs);
}

describe('KeyState', () => {
  it.each<[string, (key: KeyState) => void, number, KeyAvailability, KeyAvailability]>([
    // after, later by, for the model it happened with, for another one
    ['nothing', () => undefined, 0, 'ready', 'ready'],
    ['throttling with Retry-After', (key) => key.cool('a', 20_000, NOW_MS), 19_999, 'cooling', 'ready'],
    ['throttling, at its end', (key) => key.cool('a', 20_000, NOW_MS), 20_000, 'ready', 'ready'],
    ['throttling without Retry-After', (key) => key.cool('a', null, NOW_MS), 4_999, 'cooling', 'ready'],
    ['throttling without Retry-After, at its end', (key) => key.cool('a', null, NOW_MS), 5_000, 'ready', 'ready'],
    ['throttling for a year', (key) => key.cool('a', 365 * 24 * HOUR_MS, NOW_MS), HOUR_MS, 'ready', 'ready'],
    ['throttling twice, the first longer', (key) => {
      key.cool('a', 20_000, NOW_MS);
      key.cool('a', 1_000, NOW_MS);
    }, 10_000, 'cooling', 'ready'],
    ['an exhausted quota', (key) => key.exhaust(null, NOW_MS), HOUR_MS - 1, 'exhausted', 'exhausted'],
    ['an exhausted quota, at its end', (key) => key.exhaust(null, NOW_MS), HOUR_MS, 'trial', 'trial'],
    ['an exhausted quota with a reset', (key) => key.exhaust(60_000, NOW_MS), 60_000, 'trial', 'trial'],
    ['a refusal', (key) => key.refuse('a', NOW_MS), 1_000 * HOUR_MS, 'disabled', 'disabled'],
    ['an ejection', (key) => key.breaker.open(NOW_MS), 29_999, 'ejected', 'ejected'],
    ['an ejection, at its end', (key) => key.breaker.open(NOW_MS), 30_000, 'trial', 'trial'],
  ])('after %s', (_name, act, laterMs, same, other) => {
    const key = newKey();
    act(key);
    expect([key.availabilityFor('a', NOW_MS + laterMs), key.availabilityFor('b', NOW_MS + laterMs)]).toEqual([same, other]);
  });

  it.each<[string, (key: KeyState) => void, number]>([
    ['throttling', (key) => key.cool('a', 1_000, NOW_MS), 0],
    ['a fault', (key) => key.fault(NO_TICKET, NO_TICKET, NOW_MS), 1],
    ['a refusal', (key) => key.refuse('a', NOW_MS), 1],
    ['an exhausted quota', (key) => key.exhaust(null, NOW_MS), 1],
  ])('counts %s as %p failures', (_name, act, count) => {
    const key = newKey();
    act(key);
    expect([key.failureCount, key.lastFailureAtMs]).toEqual([count, count === 0 ? null : NOW_MS]);
  });

  it('parks longer each time its quota is used up again on the first try, up to a day', () => {
    const key = newKey();
    key.exhaust(null, NOW_MS);
    let nowMs = NOW_MS;
    const waits: number[] = [];
    for (let index = 0; index < 7; index += 1) {
      const waitMs = key.retryAfterMs('a', nowMs) ?? 0;
      waits.push(waitMs / HOUR_MS);
      nowMs += waitMs;
      const ticket = firstTry(key, nowMs);
      key.exhaust(null, nowMs);
      key.release(NO_TICKET, ticket);
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 24, 24]);
  });

  it('takes the calls that were under way when the quota ran out for one exhaustion', () => {
    const key = newKey();
    for (let index = 0; index < 20; index += 1) key.exhaust(null, NOW_MS + index);
    expect(key.retryAfterMs('a', NOW_MS)).toBe(HOUR_MS);
  });

  it('lets one call at a time try a parked key, and is active again after its success', () => {
    const key = newKey();
    key.exhaust(null, NOW_MS);
    const nowMs = NOW_MS + HOUR_MS;
    const ticket = firstTry(key, nowMs);
    expect(key.availabilityFor('a', nowMs)).toBe('exhausted');
    key.succeed(NO_TICKET, NO_TICKET, nowMs);
    expect(key.viewAt(nowMs).status).toBe('exhausted');
    key.succeed(NO_TICKET, ticket, nowMs);
    expect([key.availabilityFor('a', nowMs), key.viewAt(nowMs).status]).toEqual(['ready', 'active']);
    key.exhaust(null, nowMs);
    expect(key.retryAfterMs('a', nowMs)).toBe(HOUR_MS);
  });

  it('cools a keyless place that is refused, because nobody could enable it again', () => {
    const key = newKey(null);
    key.refuse('a', NOW_MS);
    expect([key.availabilityFor('a', NOW_MS + 59_999), key.availabilityFor('a', NOW_MS + 60_000)]).toEqual(['cooling', 'ready']);
  });

  it('shows the gravest of what is held against it', () => {
    const key = newKey();
    const seen = () => {
      const { status, reason, untilMs } = key.viewAt(NOW_MS);
      return [status, reason, untilMs === null ? null : untilMs - NOW_MS];
    };
    expect(seen()).toEqual(['active', null, null]);
    key.cool('gpt-a', 20_000, NOW_MS);
    key.cool('gpt-b', 10_000, NOW_MS);
    expect(seen()).toEqual(['cooling', 'throttled for gpt-a', 20_000]);
    key.breaker.open(NOW_MS);
    expect(seen()).toEqual(['ejected', 'too many calls failed', 30_000]);
    key.exhaust(null, NOW_MS);
    expect(seen()).toEqual(['exhausted', 'quota or credit is used up', HOUR_MS]);
    key.refuse('gpt-a', NOW_MS);
    expect(seen()).toEqual(['disabled', 'the provider refused the key', null]);
  });

  it('forgets everything when a person says that it is good', () => {
    const key = newKey();
    key.cool('a', 20_000, NOW_MS);
    key.exhaust(null, NOW_MS);
    key.breaker.open(NOW_MS);
    key.refuse('a', NOW_MS);
    key.learnActive(NOW_MS);
    expect([key.availabilityFor('a', NOW_MS), key.viewAt(NOW_MS).status]).toEqual(['ready', 'active']);
  });
});
