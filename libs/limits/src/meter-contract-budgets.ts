import { LARGEST_BUDGET_NANOS } from '@weir/kernel';
import { MINUTE_MS } from './limit-plan';
import { type Grant, type LimitPlan } from './meter-store';
import {
  admit,
  budgetOf,
  demand,
  granted,
  leasesOf,
  type MeterHarness,
  money,
  newSubject,
  peek,
  planOf,
  refused,
  seed,
  seededRandom,
  settled,
  START_MS,
  totalOf,
  USD,
} from './meter-harness';

const HOUR_MS = 3_600_000;

/** What every store guarantees of money: spent + held never exceeds a budget, and nothing is forgotten. */
export function describeBudgetContract(getHarness: () => MeterHarness): void {
  let nowMs = START_MS;
  const move = (byMs: number): void => {
    nowMs += byMs;
    getHarness().setNowMs(nowMs);
  };
  beforeEach(() => {
    nowMs = START_MS;
    getHarness().setNowMs(nowMs);
  });
  const newPlan = async (limit: number, spent = 0): Promise<LimitPlan> => {
    const plan = planOf(budgetOf(newSubject(), limit));
    await seed(getHarness().first, plan, spent);
    return plan;
  };
  const hold = (plan: LimitPlan, nanos: number): Promise<Grant> => granted(getHarness().first, plan, demand({ leastNanos: nanos }));

  describe('holds', () => {
    it('lets exactly as many calls at once through as the budget is for, over two clients', async () => {
      const { first, second } = getHarness();
      const plan = await newPlan(10 * USD);
      const answers = await Promise.all(
        Array.from({ length: 100 }, async (_, index) => admit(index % 2 === 0 ? first : second, plan, demand({ leastNanos: USD }))),
      );
      expect(answers.filter((answer) => answer.admitted)).toHaveLength(10);
      expect(await money(second, plan)).toEqual([0, 10 * USD]);
    });

    it('holds as much as the tightest budget affords, the same in each', async () => {
      const { first } = getHarness();
      const plan = planOf(budgetOf(newSubject(), 10 * USD), budgetOf(newSubject(), 3 * USD, { scope: 'project' }), totalOf(newSubject(), 5 * USD));
      await seed(first, plan, USD);
      const grant = await granted(first, plan, demand({ leastNanos: USD, mostNanos: 100 * USD }));
      expect(grant.heldNanos).toBe(2 * USD);
      expect(await first.readBudgets(plan)).toEqual(Array.from({ length: 3 }, () => ({ spentNanos: USD, heldNanos: 2 * USD })));
    });

    it('refuses what does not afford the least, and says what remains and when the span ends', async () => {
      const { first } = getHarness();
      const plan = await newPlan(5 * USD, 3 * USD);
      await hold(plan, USD);
      const { refused: state } = await refused(first, plan, demand({ leastNanos: USD + 1 }));
      expect(state).toMatchObject({ used: 4 * USD, remaining: USD, resetMs: 4_102_444_800_000 - START_MS });
      expect((await admit(first, plan, demand({ leastNanos: USD }))).admitted).toBe(true);
    });

    it('never frees what has no end, or is larger than the budget', async () => {
      const { first } = getHarness();
      const total = planOf(totalOf(newSubject(), USD));
      await seed(first, total, USD);
      expect((await refused(first, total, demand({ leastNanos: 1 }))).refused.resetMs).toBe(Infinity);
      const day = await newPlan(USD);
      expect((await refused(first, day, demand({ leastNanos: USD + 1 }))).refused.resetMs).toBe(Infinity);
    });

    it('lets only what is free through a budget of 0', async () => {
      const { first } = getHarness();
      const plan = await newPlan(0);
      await refused(first, plan, demand({ leastNanos: 1 }));
      expect((await granted(first, plan, demand({ leastNanos: 0, mostNanos: USD }))).heldNanos).toBe(0);
    });

    it('stays exact with budgets of four million dollars', async () => {
      const { first } = getHarness();
      const plan = await newPlan(LARGEST_BUDGET_NANOS, 3_999_999_999_999_990);
      const grant = await hold(plan, 7);
      expect(await money(first, plan)).toEqual([3_999_999_999_999_990, 7]);
      await refused(first, plan, demand({ leastNanos: 4 }));
      expect(await settled(first, grant, 5)).toEqual([{ spentNanos: 3_999_999_999_999_995, heldNanos: 0 }]);
      expect((await granted(first, plan, demand({ leastNanos: 1, mostNanos: USD }))).heldNanos).toBe(5);
      const whole = await newPlan(LARGEST_BUDGET_NANOS);
      const largest = await hold(whole, LARGEST_BUDGET_NANOS - 1);
      expect(await settled(first, largest, LARGEST_BUDGET_NANOS - 1)).toEqual([{ spentNanos: LARGEST_BUDGET_NANOS - 1, heldNanos: 0 }]);
      await refused(first, whole, demand({ leastNanos: 2 }));
    });

    it('replaces its own hold when the same request is admitted again', async () => {
      const { first } = getHarness();
      const plan = await newPlan(10 * USD);
      const asked = demand({ leastNanos: 8 * USD });
      await granted(first, plan, asked);
      await granted(first, plan, { ...asked, leastNanos: 9 * USD, mostNanos: 9 * USD });
      expect(await money(first, plan)).toEqual([0, 9 * USD]);
    });

    it.each([1, 2, 3])('keeps spent and held within the limit through any interleaving of two clients (seed %i)', async (number) => {
      const { first, second } = getHarness();
      const random = seededRandom(number);
      const pick = (): typeof first => (random() < 0.5 ? first : second);
      const plan = planOf(budgetOf(newSubject(), 1_000), budgetOf(newSubject(), 1_500, { scope: 'organization' }));
      await seed(first, plan, 0);
      const open: Grant[] = [];
      let charged = 0;
      for (let step = 0; step < 150; step++) {
        await Promise.all(Array.from({ length: 4 }, async () => {
          const answer = await admit(pick(), plan, demand({ leastNanos: Math.floor(random() * 40), mostNanos: 40 + Math.floor(random() * 60) }));
          if (answer.admitted && answer.grant !== null) open.push(answer.grant);
        }));
        for (const grant of open.splice(0, Math.floor(random() * 4))) {
          await pick().extend(grant, Math.floor(random() * 30));
          const charge = random() < 0.7 ? 0 : Math.floor(random() * grant.heldNanos);
          await Promise.all([settled(pick(), grant, charge), settled(pick(), grant, charge)]);
          charged += charge;
        }
        const [spent, held] = (await money(pick(), plan)) ?? [NaN, NaN];
        expect(spent).toBe(charged);
        expect(held).toBe(open.reduce((sum, grant) => sum + grant.heldNanos, 0));
        expect(spent + held).toBeLessThanOrEqual(1_000);
      }
      expect(charged).toBeGreaterThan(500);
    });
  });

  describe('settling', () => {
    it('makes of the hold what was charged, and of the rest nothing', async () => {
      const plan = await newPlan(10 * USD);
      const grant = await hold(plan, 3 * USD);
      expect(await settled(getHarness().first, grant, USD)).toEqual([{ spentNanos: USD, heldNanos: 0 }]);
    });

    it('happens once, however often it is asked, at the same time and after others', async () => {
      const { first, second } = getHarness();
      const plan = await newPlan(10 * USD);
      const grant = await hold(plan, 3 * USD);
      const other = await hold(plan, 2 * USD);
      await Promise.all([first, second, first, second].map(async (store) => settled(store, grant, USD)));
      await settled(second, other, 2 * USD);
      await settled(first, grant, 3 * USD);
      expect(await money(first, plan)).toEqual([3 * USD, 0]);
    });

    it('never charges more than the hold', async () => {
      const plan = await newPlan(10 * USD);
      expect(await settled(getHarness().first, await hold(plan, USD), 9 * USD)).toEqual([{ spentNanos: USD, heldNanos: 0 }]);
    });

    it.each([-1, 0.5, NaN, Infinity, 2 ** 53])('refuses to charge %p, and leaves the hold', async (nanos) => {
      const { first } = getHarness();
      const plan = await newPlan(10 * USD);
      const grant = await hold(plan, USD);
      await expect(async () => first.settle(grant, { tokens: 0, nanos })).rejects.toThrow(RangeError);
      await expect(async () => first.settle(grant, { tokens: nanos, nanos: 0 })).rejects.toThrow(RangeError);
      await expect(async () => first.extend(grant, nanos)).rejects.toThrow(RangeError);
      expect(await money(first, plan)).toEqual([0, USD]);
    });

    it('answers normally when nothing of the grant is there', async () => {
      const plan = await newPlan(10 * USD, USD);
      const grant: Grant = { plan, requestId: 'never-admitted', tokens: 0, buckets: [0], heldNanos: USD };
      expect(await settled(getHarness().first, grant, USD)).toEqual([{ spentNanos: USD, heldNanos: 0 }]);
    });

    it('leaves the hold in a counter that is not seeded, says so, and does the rest', async () => {
      const { first } = getHarness();
      const plan = planOf(leasesOf(newSubject(), 5), budgetOf(newSubject(), 10 * USD), totalOf(newSubject(), 10 * USD));
      const seeded = planOf(plan.limits[1]);
      await seed(first, seeded, USD);
      const grant: Grant = { plan, requestId: demand().requestId, tokens: 0, buckets: [0, 0, 0], heldNanos: 3 * USD };
      await first.restore([grant]);
      expect(await first.settle(grant, { tokens: 0, nanos: 2 * USD })).toEqual({ unseeded: [2] });
      expect(await first.readBudgets(plan)).toEqual([{ spentNanos: 3 * USD, heldNanos: 0 }, null]);
      expect((await peek(first, planOf(plan.limits[0]))).states[0].used).toBe(0);
      await seed(first, plan, 0);
      expect(await settled(first, grant, 2 * USD)).toEqual([{ spentNanos: 3 * USD, heldNanos: 0 }, { spentNanos: 2 * USD, heldNanos: 0 }]);
    });
  });

  describe('extending', () => {
    it('grows the hold by what the tightest budget affords, and tells the grant', async () => {
      const { first } = getHarness();
      const plan = planOf(budgetOf(newSubject(), 10 * USD), budgetOf(newSubject(), 3 * USD, { scope: 'project' }));
      await seed(first, plan, 0);
      const grant = await hold(plan, USD);
      expect(await first.extend(grant, USD)).toBe(USD);
      expect(await first.extend(grant, 5 * USD)).toBe(USD);
      expect(await first.extend(grant, USD)).toBe(0);
      expect(grant.heldNanos).toBe(3 * USD);
      expect(await settled(first, grant, 3 * USD)).toEqual([{ spentNanos: 3 * USD, heldNanos: 0 }, { spentNanos: 3 * USD, heldNanos: 0 }]);
    });

    it('gives nothing to a hold that is not there, or without a budget', async () => {
      const { first } = getHarness();
      const plan = await newPlan(10 * USD);
      const grant = await hold(plan, USD);
      await settled(first, grant, 0);
      expect(await first.extend(grant, USD)).toBe(0);
      expect(await first.extend(await granted(first, planOf(leasesOf(newSubject(), 1))), USD)).toBe(0);
      expect(await money(first, plan)).toEqual([0, 0]);
    });
  });

  describe('expired holds', () => {
    it('go on counting, and are shown as spent after a minute without a heartbeat', async () => {
      const { first } = getHarness();
      const plan = await newPlan(5 * USD);
      const renewed = await hold(plan, USD);
      await hold(plan, 3 * USD);
      move(59_999);
      expect(await money(first, plan)).toEqual([0, 4 * USD]);
      await first.renew([renewed]);
      move(1);
      expect(await money(first, plan)).toEqual([3 * USD, USD]);
      await refused(first, plan, demand({ leastNanos: USD + 1 }));
      expect((await peek(first, plan)).states[0].used).toBe(4 * USD);
    });

    it('can be settled late, for an hour', async () => {
      const { first } = getHarness();
      const plan = await newPlan(5 * USD);
      const late = await hold(plan, 2 * USD);
      await hold(plan, USD);
      move(MINUTE_MS + HOUR_MS - 1);
      expect(await settled(first, late, USD / 2)).toEqual([{ spentNanos: 1.5 * USD, heldNanos: 0 }]);
    });

    it('are spent for good an hour after they expired', async () => {
      const { first } = getHarness();
      const plan = await newPlan(5 * USD);
      const late = await hold(plan, 2 * USD);
      move(MINUTE_MS + HOUR_MS);
      expect(await settled(first, late, 0)).toEqual([{ spentNanos: 2 * USD, heldNanos: 0 }]);
      expect((await first.listHolds('organization', plan.keys[0]))?.requestIds).toEqual([]);
      await first.renew([late]);
      expect(await first.extend(late, USD)).toBe(0);
      expect(await money(first, plan)).toEqual([2 * USD, 0]);
    });

    it('are held again after a heartbeat', async () => {
      const { first } = getHarness();
      const plan = await newPlan(5 * USD);
      const grant = await hold(plan, USD);
      move(10 * MINUTE_MS);
      expect(await money(first, plan)).toEqual([USD, 0]);
      await first.renew([grant]);
      expect(await money(first, plan)).toEqual([0, USD]);
    });

    it.each([-HOUR_MS, HOUR_MS])('survive a clock that jumps by %i ms: what is spent and held stays', async (jumpMs) => {
      const { first } = getHarness();
      const plan = await newPlan(5 * USD, USD);
      const grant = await hold(plan, 2 * USD);
      move(jumpMs);
      const [spent, held] = (await money(first, plan)) ?? [NaN, NaN];
      expect(spent + held).toBe(3 * USD);
      await first.renew([grant]);
      expect(await money(first, plan)).toEqual([USD, 2 * USD]);
      expect(await settled(first, grant, USD)).toEqual([{ spentNanos: 2 * USD, heldNanos: 0 }]);
    });
  });

  describe('seeding', () => {
    it('takes nothing until every counter is there, and names those that are not', async () => {
      const { first } = getHarness();
      const plan = planOf(leasesOf(newSubject(), 1), budgetOf(newSubject(), USD), totalOf(newSubject(), USD));
      expect(await first.admit(plan, demand())).toEqual({ unseeded: [1, 2] });
      await seed(first, planOf(plan.limits[1]), 0);
      expect(await first.admit(plan, demand())).toEqual({ unseeded: [2] });
      expect((await peek(first, plan)).states.map((state) => state.used)).toEqual([0, 0, 0]);
      await seed(first, plan, 0);
      await granted(first, plan);
    });

    it('sets what is missing, and nothing that is there', async () => {
      const { first, second } = getHarness();
      const plan = await newPlan(10 * USD, USD);
      await seed(second, plan, 5 * USD);
      expect(await money(first, plan)).toEqual([USD, 0]);
    });

    it('raises, never lowers, and never makes a counter', async () => {
      const { first } = getHarness();
      const plan = await newPlan(10 * USD, 2 * USD);
      const missing = planOf(budgetOf(newSubject(), USD));
      const raise = async (to: LimitPlan, nanos: number): Promise<unknown> => first.seed('organization', to.keys[0], budgetOf('', USD), nanos, true, '');
      expect(await raise(plan, USD)).toBe(true);
      expect(await money(first, plan)).toEqual([2 * USD, 0]);
      await raise(plan, 3 * USD);
      expect(await money(first, plan)).toEqual([3 * USD, 0]);
      await raise(missing, USD);
      expect(await money(first, missing)).toBeNull();
    });

    it('sets nothing when the mark is another, or gone, or used', async () => {
      const { first } = getHarness();
      const plan = planOf(budgetOf(newSubject(), 10 * USD));
      const limit = budgetOf('', USD);
      const seedWith = async (mark: string): Promise<unknown> => first.seed('organization', plan.keys[0], limit, USD, false, mark);
      expect(await seedWith('')).toBe(false);
      const listed = await first.listHolds('organization', plan.keys[0]);
      expect((await first.listHolds('organization', plan.keys[0]))?.mark).toBe(listed?.mark);
      expect(await seedWith('another')).toBe(false);
      // A hold that is put back may be in the sum that is under way.
      await first.restore([{ plan, requestId: 'restored', tokens: 0, buckets: [0], heldNanos: USD }]);
      expect(await seedWith(listed?.mark ?? '')).toBe(false);
      expect(await money(first, plan)).toBeNull();
      const again = await first.listHolds('organization', plan.keys[0]);
      expect(again?.requestIds).toEqual(['restored']);
      expect(await seedWith(again?.mark ?? '')).toBe(true);
      expect(await money(first, plan)).toEqual([USD, USD]);
    });

    it('keeps every hold of a counter that is not seeded, however old', async () => {
      const { first } = getHarness();
      const plan = planOf(budgetOf(newSubject(), 10 * USD));
      await first.restore([{ plan, requestId: 'old', tokens: 0, buckets: [0], heldNanos: USD }]);
      move(10 * HOUR_MS);
      await first.renew([{ plan, requestId: 'another', tokens: 0, buckets: [0], heldNanos: USD }]);
      expect((await first.listHolds('organization', plan.keys[0]))?.requestIds).toEqual(['old']);
      await seed(first, plan, USD);
      expect(await money(first, plan)).toEqual([2 * USD, 0]);
    });

    it.each([-1, 0.5, NaN, Infinity])('refuses the sum %p', async (nanos) => {
      const plan = planOf(budgetOf(newSubject(), USD));
      await expect(async () => getHarness().first.seed('organization', plan.keys[0], budgetOf('', USD), nanos, false, '')).rejects.toThrow(RangeError);
    });
  });
}
