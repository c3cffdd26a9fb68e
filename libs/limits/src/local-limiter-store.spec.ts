import { type Clock } from '@weir/kernel';
import { type LimitPlan, makeLimitPlan, MINUTE_MS } from './limit-plan';
import { describeLimiterContract } from './limiter-contract';
import { LocalLimiterStore } from './local-limiter-store';

let nowMs = 0;
const clock: Clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };
const store = new LocalLimiterStore({ clock });

describeLimiterContract('in-process', () => ({
  first: store,
  second: store,
  setNowMs: (value) => {
    nowMs = value;
  },
}));

function planFor(subject: string, limit = 3): LimitPlan {
  return makeLimitPlan('organization', [{ scope: 'key', name: 'requests_per_minute', subject, windowMs: MINUTE_MS, limit }]);
}

describe('LocalLimiterStore', () => {
  it('answers at once, without a promise', () => {
    expect(store.admit(planFor('at-once'))).toMatchObject({ admitted: true });
  });

  it('forgets idle subjects while others are admitted', () => {
    const swept = new LocalLimiterStore({ clock });
    for (let subject = 0; subject < 1_000; subject++) swept.admit(planFor(`idle-${subject}`));
    expect(swept.size).toBe(1_000);
    nowMs += 2 * MINUTE_MS;
    for (let count = 0; count < 600; count++) swept.admit(planFor('busy', 10_000));
    expect(swept.size).toBe(1);
  });

  it('remembers no more windows than it may, and gives up an idle one before a busy one', () => {
    const bounded = new LocalLimiterStore({ clock, maxWindows: 100 });
    const busy = planFor('busy', 3);
    for (let count = 0; count < 3; count++) bounded.admit(busy);
    for (let subject = 0; subject < 5_000; subject++) {
      nowMs += 1;
      expect(bounded.admit(busy).admitted).toBe(false);
      bounded.admit(planFor(`flood-${subject}`));
    }
    expect(bounded.size).toBeLessThanOrEqual(100);
  });

  it('peeks at an unknown subject without remembering it', () => {
    const peeked = new LocalLimiterStore({ clock });
    expect(peeked.peek(planFor('nobody')).windows[0]).toMatchObject({ used: 0, remaining: 3, resetMs: 0 });
    expect(peeked.size).toBe(0);
  });
});
