import { type Clock } from '@weir/kernel';
import { MINUTE_MS } from './limit-plan';
import { LocalMeterStore } from './local-meter-store';
import { describeMeterContract } from './meter-contract';
import { budgetOf, demand, granted, leasesOf, newSubject, planOf, requestsOf, seed, tokensOf, USD } from './meter-harness';
import { type LimitPlan } from './meter-store';

let nowMs = 0;
const clock: Clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };
const store = new LocalMeterStore({ clock });

describeMeterContract('in-process', () => ({
  first: store,
  second: store,
  setNowMs: (value) => {
    nowMs = value;
  },
}));

function planFor(subject: string, limit = 3): LimitPlan {
  return planOf(requestsOf(subject, limit));
}

describe('LocalMeterStore', () => {
  it('answers at once, without a promise', () => {
    expect(store.admit(planFor('at-once'), demand())).toMatchObject({ admitted: true });
  });

  it('forgets idle subjects while others are admitted', () => {
    const swept = new LocalMeterStore({ clock });
    for (let subject = 0; subject < 1_000; subject++) {
      swept.admit(planOf(requestsOf(`idle-${subject}`, 3), leasesOf(`idle-${subject}`, 3)), demand());
      swept.listHolds('organization', planOf(budgetOf(`idle-${subject}`, USD)).keys[0]);
    }
    expect(swept.size).toBe(3_000);
    nowMs += 2 * MINUTE_MS;
    for (let count = 0; count < 600; count++) swept.admit(planFor('busy', 10_000), demand());
    expect(swept.size).toBe(1);
  });

  it('forgets the estimates of calls that never ended after an hour', () => {
    const swept = new LocalMeterStore({ clock });
    for (let count = 0; count < 10; count++) swept.admit(planOf(tokensOf('dead', 10_000)), demand({ tokens: 5 }));
    nowMs += 59 * MINUTE_MS;
    for (let count = 0; count < 10; count++) swept.admit(planFor('busy', 10_000), demand());
    expect(swept.size).toBe(2);
    nowMs += 2 * MINUTE_MS;
    for (let count = 0; count < 10; count++) swept.admit(planFor('busy', 10_000), demand());
    expect(swept.size).toBe(1);
  });

  it('never forgets what is spent in a running span, and forgets it two days after', async () => {
    nowMs = Date.UTC(2026, 0, 1);
    const swept = new LocalMeterStore({ clock });
    const toMs = Date.UTC(2026, 0, 2);
    const plan = planOf(budgetOf(newSubject(), USD, { span: { name: 'day:2026-01-01', fromMs: nowMs, toMs } }));
    await seed(swept, plan, USD / 2);
    for (let subject = 0; subject < 1_000; subject++) swept.admit(planFor(`flood-${subject}`), demand());
    nowMs = toMs + 2 * 86_400_000 - 1;
    for (let count = 0; count < 600; count++) swept.admit(planFor('busy', 10_000), demand());
    expect(swept.readBudgets(plan)).toEqual([{ spentNanos: USD / 2, heldNanos: 0 }]);
    nowMs++;
    expect(swept.readBudgets(plan)).toEqual([null]);
    for (let count = 0; count < 10; count++) swept.admit(planFor('busy', 10_000), demand());
    expect(swept.size).toBe(1);
  });

  it('forgets all budgets when it is told to, and nothing else', async () => {
    const forgetful = new LocalMeterStore({ clock });
    const plan = planOf(leasesOf(newSubject(), 1), budgetOf(newSubject(), USD));
    await seed(forgetful, plan, 0);
    await granted(forgetful, plan);
    forgetful.forgetBudgets();
    expect(forgetful.admit(plan, demand())).toEqual({ unseeded: [1] });
    expect(forgetful.peek(planOf(plan.limits[0]), demand()).admitted).toBe(false);
  });

  it('remembers no more windows than it may, and gives up an idle one before a busy one', () => {
    const bounded = new LocalMeterStore({ clock, maxWindows: 100 });
    const busy = planFor('busy', 3);
    for (let count = 0; count < 3; count++) bounded.admit(busy, demand());
    for (let subject = 0; subject < 5_000; subject++) {
      nowMs += 1;
      expect(bounded.admit(busy, demand())).toMatchObject({ admitted: false });
      bounded.admit(planFor(`flood-${subject}`), demand());
    }
    expect(bounded.size).toBeLessThanOrEqual(100);
  });

  it('peeks at an unknown subject without remembering it', () => {
    const peeked = new LocalMeterStore({ clock });
    const plan = planOf(requestsOf('nobody', 3), leasesOf('nobody', 2), budgetOf('nobody', USD));
    expect(peeked.peek(plan, demand()).states).toMatchObject([
      { used: 0, remaining: 3, resetMs: 0 },
      { used: 0, remaining: 2, resetMs: 0 },
      { used: 0, remaining: USD, resetMs: 0 },
    ]);
    expect(peeked.size).toBe(0);
  });
});
