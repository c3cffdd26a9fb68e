import { LARGEST_LIMIT, MINUTE_MS } from './limit-plan';
import { type Demand, type Limit, type LimitPlan } from './meter-store';
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
  requestsOf,
  seed,
  seededRandom,
  settled,
  START_MS,
  tokensOf,
  TrailingLog,
  USD,
} from './meter-harness';

const HOUR_MS = 3_600_000;

/** What every store guarantees of a call from its admission to its end: tokens, leases, all or nothing. */
export function describeCallContract(getHarness: () => MeterHarness): void {
  let nowMs = START_MS;
  const move = (byMs: number): void => {
    nowMs += byMs;
    getHarness().setNowMs(nowMs);
  };
  beforeEach(() => {
    nowMs = START_MS;
    getHarness().setNowMs(nowMs);
  });
  const used = async (plan: LimitPlan): Promise<number[]> => (await peek(getHarness().first, plan)).states.map((state) => state.used);

  describe('all or nothing', () => {
    const kinds: [string, (subject: string) => Limit, Partial<Demand>][] = [
      ['a window of requests', (subject) => requestsOf(subject, 1), {}],
      ['a window of tokens', (subject) => tokensOf(subject, 50), { tokens: 40 }],
      ['a lease', (subject) => leasesOf(subject, 1), {}],
      ['a budget', (subject) => budgetOf(subject, 5 * USD), { leastNanos: 4 * USD }],
    ];
    it.each(kinds)('%s that refuses burns nothing of all the others, at any scope', async (_, toTight, asked) => {
      const { first } = getHarness();
      const subject = newSubject();
      const wide = (scope: string): Limit[] => [
        requestsOf(`${subject}-${scope}`, 100),
        tokensOf(`${subject}-${scope}`, 10_000),
        leasesOf(`${subject}-${scope}`, 100),
        budgetOf(`${subject}-${scope}`, 1_000 * USD),
      ];
      const tight = toTight(subject);
      const plan = planOf(...wide('before'), tight, ...wide('after'));
      await seed(first, plan, 0);
      const largest = { tokens: 7, leastNanos: USD, ...asked };
      await granted(first, plan, demand(largest));
      const before = await used(plan);
      const refusal = await refused(first, plan, demand(largest));
      expect(refusal.refused.limit).toEqual(tight);
      expect(await used(plan)).toEqual(before);
      expect(before.filter((amount) => amount === 0)).toEqual([]);
    });

    it.each([
      { requests: 0 },
      { requests: -1 },
      { requests: 1.5 },
      { requests: NaN },
      { requests: LARGEST_LIMIT + 1 },
      { tokens: -1 },
      { tokens: 0.5 },
      { tokens: NaN },
      { tokens: 2 ** 63 },
      { leastNanos: -1 },
      { leastNanos: 0.1 },
      { mostNanos: NaN },
      { mostNanos: Infinity },
      { mostNanos: 2 ** 53 },
      { leastNanos: 2, mostNanos: 1 },
      { requestId: '' },
      { requestId: 'two words' },
      { requestId: 'line\n' },
    ])('refuses the demand %p as a mistake of the program, and takes nothing', async (asked) => {
      const { first } = getHarness();
      const subject = newSubject();
      const plan = planOf(requestsOf(subject, 5), tokensOf(subject, 5), leasesOf(subject, 5), budgetOf(subject, 5));
      await seed(first, plan, 0);
      await expect(async () => first.admit(plan, demand(asked))).rejects.toThrow(RangeError);
      expect(await used(plan)).toEqual([0, 0, 0, 0]);
    });

    it('leaves no hold and no lease of a request that was admitted before, unheard, and is refused now', async () => {
      const { first } = getHarness();
      const subject = newSubject();
      const plan = planOf(requestsOf(subject, 1), tokensOf(subject, 100), leasesOf(subject, 5), budgetOf(subject, 9 * USD), budgetOf(`${subject}-2`, 9 * USD));
      await seed(first, plan, 0);
      const asked = demand({ tokens: 10, leastNanos: USD });
      const lost = await granted(first, plan, asked);
      await refused(first, plan, asked);
      expect(await used(plan)).toEqual([1, 10, 0, 0, 0]);
      expect((await first.listHolds('organization', plan.keys[3]))?.requestIds).toEqual([]);
      await settled(first, lost, USD, 0);
      expect(await used(plan)).toEqual([1, 10, 0, 0, 0]);
    });

    it('names, of a window, a lease and a budget that refuse, the one that frees last', async () => {
      const { first } = getHarness();
      const subject = newSubject();
      const plan = planOf(requestsOf(subject, 1), leasesOf(subject, 1), budgetOf(subject, USD));
      await seed(first, plan, 0);
      await granted(first, plan, demand({ leastNanos: USD }));
      expect((await refused(first, plan, demand({ leastNanos: 1 }))).refused.limit.kind).toBe('budget');
      expect((await refused(first, plan, demand({ leastNanos: 0 }))).refused.limit.kind).toBe('window');
    });
  });

  describe('tokens', () => {
    it('takes the estimate, and corrects it down in the sub-bucket that it was taken in', async () => {
      const { first } = getHarness();
      const plan = planOf(tokensOf(newSubject(), 1_000));
      const early = await granted(first, plan, demand({ tokens: 300 }));
      move(30_000);
      await granted(first, plan, demand({ tokens: 500 }));
      await settled(first, early, 0, 100);
      expect(await used(plan)).toEqual([600]);
      move(31_000);
      expect(await used(plan)).toEqual([500]);
    });

    it('corrects upwards in the newest sub-bucket, even beyond the limit', async () => {
      const { first } = getHarness();
      const plan = planOf(tokensOf(newSubject(), 1_000));
      const grant = await granted(first, plan, demand({ tokens: 900 }));
      move(30_000);
      await settled(first, grant, 0, 1_500);
      expect(await used(plan)).toEqual([1_500]);
      expect((await refused(first, plan, demand({ tokens: 1 }))).refused).toMatchObject({ used: 1_500, remaining: 0 });
      move(31_000);
      expect(await used(plan)).toEqual([600]);
      move(30_000);
      expect(await used(plan)).toEqual([0]);
    });

    it('gives nothing back when the estimate has left the window already', async () => {
      const { first } = getHarness();
      const plan = planOf(tokensOf(newSubject(), 1_000));
      const grant = await granted(first, plan, demand({ tokens: 300 }));
      move(2 * MINUTE_MS);
      await granted(first, plan, demand({ tokens: 200 }));
      await settled(first, grant, 0, 0);
      expect(await used(plan)).toEqual([200]);
    });

    it.each([50, 500])('corrects once, however often and late it is asked (%i tokens of 200)', async (tokens) => {
      const { first, second } = getHarness();
      const plan = planOf(tokensOf(newSubject(), 10_000), tokensOf(newSubject(), 10_000, 'project'));
      const grant = await granted(first, plan, demand({ tokens: 200 }));
      await granted(first, plan, demand({ tokens: 200 }));
      await Promise.all([first, second, first].map(async (store) => settled(store, grant, 0, tokens)));
      await settled(second, grant, 0, tokens);
      expect(await used(plan)).toEqual([200 + tokens, 200 + tokens]);
    });

    it.each([1, 2, 3])('never lets more tokens through than the limit in any trailing window (seed %i)', async (number) => {
      const { first } = getHarness();
      const random = seededRandom(number);
      const plan = planOf(tokensOf(newSubject(), 1_000));
      const log = new TrailingLog(MINUTE_MS);
      for (let step = 0; step < 400; step++) {
        move(Math.floor(random() ** 3 * 20_000));
        const tokens = Math.floor(random() * 300);
        const answer = await admit(first, plan, demand({ tokens }));
        if (!answer.admitted || answer.grant === null) continue;
        // Known at once here, so that brute force can count what was really used when it was taken.
        const real = Math.floor(tokens * random());
        await settled(first, answer.grant, 0, real);
        log.add(nowMs, real);
        expect(log.sumUntil(nowMs)).toBeLessThanOrEqual(1_000);
      }
      expect(log.total).toBeGreaterThan(1_000);
    });

    it('admits a call whose tokens are not known, and still corrects it', async () => {
      const { first } = getHarness();
      const plan = planOf(tokensOf(newSubject(), 100));
      const grant = await granted(first, plan, demand({ tokens: 0 }));
      await settled(first, grant, 0, 60);
      expect(await used(plan)).toEqual([60]);
    });
  });

  describe('windows after a loss', () => {
    it('puts back what was taken, each at its age, once', async () => {
      const { first } = getHarness();
      const window = requestsOf(newSubject(), 100);
      const plan = planOf(window);
      await admit(first, plan);
      const takes = [{ ageMs: 50_000, amount: 10 }, { ageMs: 5_000, amount: 20 }, { ageMs: 70_000, amount: 40 }];
      for (let count = 0; count < 3; count++) expect(await first.seedWindow('organization', plan.keys[0], window.windowMs, takes)).toBe(true);
      expect(await used(plan)).toEqual([31]);
      move(12_000);
      expect(await used(plan)).toEqual([21]);
      move(45_000);
      expect(await used(plan)).toEqual([1]);
    });

    it('fills a window that is empty', async () => {
      const { first } = getHarness();
      const plan = planOf(requestsOf(newSubject(), 10));
      await first.seedWindow('organization', plan.keys[0], MINUTE_MS, [{ ageMs: 10_000, amount: 10 }]);
      const refusal = await refused(first, plan);
      move(refusal.refused.resetMs - 1);
      expect((await peek(first, plan)).admitted).toBe(false);
      move(1);
      expect((await admit(first, plan)).admitted).toBe(true);
    });

    it.each([[-1, 1], [NaN, 1], [1, -1], [1, 0.5], [1, NaN]])('refuses to add %p ms ago %p', async (ageMs, amount) => {
      const plan = planOf(requestsOf(newSubject(), 10));
      await expect(async () => getHarness().first.seedWindow('organization', plan.keys[0], MINUTE_MS, [{ ageMs, amount }])).rejects.toThrow(RangeError);
    });
  });

  describe('leases', () => {
    it('has never more open than the limit, over two clients, and frees one when a call ends', async () => {
      const { first, second } = getHarness();
      const plan = planOf(leasesOf(newSubject(), 5));
      const answers = await Promise.all(Array.from({ length: 20 }, async (_, index) => admit(index % 2 === 0 ? first : second, plan)));
      const grants = answers.flatMap((answer) => (answer.admitted && answer.grant !== null ? [answer.grant] : []));
      expect(grants).toHaveLength(5);
      await settled(second, grants[0], 0);
      await settled(second, grants[0], 0);
      expect(await used(plan)).toEqual([4]);
      await granted(first, plan);
      expect((await refused(second, plan)).refused).toMatchObject({ limit: { name: 'concurrency' }, used: 5, remaining: 0 });
    });

    it('ends a lease 30 s after its last heartbeat, and says so', async () => {
      const { first } = getHarness();
      const plan = planOf(leasesOf(newSubject(), 2));
      const grant = await granted(first, plan);
      move(10_000);
      await granted(first, plan);
      expect((await refused(first, plan)).refused.resetMs).toBe(20_000);
      move(19_999);
      expect((await refused(first, plan)).refused.resetMs).toBe(1);
      await first.renew([grant]);
      move(1);
      await refused(first, plan);
      move(10_000);
      expect(await used(plan)).toEqual([1]);
      await granted(first, plan);
    });

    it('puts the lease of a running call back that was missed for too long', async () => {
      const { first } = getHarness();
      const plan = planOf(leasesOf(newSubject(), 1));
      const grant = await granted(first, plan);
      move(31_000);
      await granted(first, plan);
      await first.renew([grant]);
      expect(await used(plan)).toEqual([2]);
    });

    it('admits the same request again without counting it twice', async () => {
      const { first } = getHarness();
      const plan = planOf(leasesOf(newSubject(), 1));
      const asked = demand();
      await granted(first, plan, asked);
      await granted(first, plan, asked);
      expect(await used(plan)).toEqual([1]);
      await refused(first, plan);
    });

    it('lets nothing stick when the clock goes back by an hour', async () => {
      const { first } = getHarness();
      const plan = planOf(leasesOf(newSubject(), 1));
      await granted(first, plan);
      move(-HOUR_MS);
      // Still open, but no longer than any lease.
      expect((await refused(first, plan)).refused.resetMs).toBe(30_000);
      move(30_000);
      await granted(first, plan);
      const wide = planOf(leasesOf(newSubject(), 2));
      await granted(first, wide);
      move(-HOUR_MS);
      await granted(first, wide);
      move(30_000);
      expect(await used(wide)).toEqual([0]);
    });

    it('frees leases when the clock jumps an hour ahead, until the next heartbeat', async () => {
      const { first } = getHarness();
      const plan = planOf(leasesOf(newSubject(), 1));
      const grant = await granted(first, plan);
      move(HOUR_MS);
      expect(await used(plan)).toEqual([0]);
      await first.renew([grant]);
      await refused(first, plan);
    });

    it('restores what was open after all data was lost', async () => {
      const { first } = getHarness();
      const plan = planOf(leasesOf(newSubject(), 3), budgetOf(newSubject(), 10 * USD));
      await seed(first, plan, 0);
      const grant = await granted(first, plan, demand({ leastNanos: USD }));
      await first.restore([grant]);
      await first.restore([grant]);
      expect(await used(plan)).toEqual([1, USD]);
      expect(await money(first, planOf(plan.limits[1]))).toEqual([0, USD]);
    });
  });
}
