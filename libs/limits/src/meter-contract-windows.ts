import { type LimitPlan } from './meter-store';
import { DAY_MS, MINUTE_MS } from './limit-plan';
import { admit, demand, type MeterHarness, newSubject, peek, planOf, refused, requestsOf, seededRandom, START_MS, TrailingLog, windowPlan } from './meter-harness';
import { BUCKETS_PER_WINDOW } from './sliding-window';

/** What every store guarantees of sliding windows of requests. */
export function describeWindowContract(getHarness: () => MeterHarness): void {
  describe('windows', () => {
    let nowMs = START_MS;
    const move = (byMs: number): void => {
      nowMs += byMs;
      getHarness().setNowMs(nowMs);
    };
    beforeEach(() => {
      nowMs = START_MS;
      getHarness().setNowMs(nowMs);
    });

    it('admits a burst up to the limit and not one more', async () => {
      const limits = windowPlan([10, MINUTE_MS]);
      const answers = await Promise.all(Array.from({ length: 25 }, async () => admit(getHarness().first, limits)));
      expect(answers.filter((answer) => answer.admitted)).toHaveLength(10);
      expect(answers[3].states[0]).toMatchObject({ used: 4, remaining: 6 });
      expect(answers[24].states[0]).toMatchObject({ used: 10, remaining: 0 });
    });

    it.each([1, 2, 3, 4, 5, 6])('never admits more than the limit in any trailing window (seed %i)', async (seed) => {
      const random = seededRandom(seed);
      const limit = 1 + Math.floor(random() * 40);
      const windowMs = seed % 2 === 0 ? MINUTE_MS : 7_777;
      const limits = windowPlan([limit, windowMs]);
      const log = new TrailingLog(windowMs);
      for (let step = 0; step < 1_500; step++) {
        move(Math.floor(random() ** 4 * windowMs * 0.6));
        const amount = 1 + Math.floor(random() * 3);
        const answer = await admit(getHarness().first, limits, demand({ requests: amount }));
        if (answer.admitted) log.add(nowMs, amount);
        expect(log.sumUntil(nowMs)).toBeLessThanOrEqual(limit);
        expect(answer.states[0].used).toBeGreaterThanOrEqual(log.sumUntil(nowMs));
      }
      expect(log.total).toBeGreaterThan(limit);
    });

    it('admits between 98 and 100 % of the limit under saturation', async () => {
      const limits = windowPlan([600, MINUTE_MS]);
      const windows = 6;
      let admitted = 0;
      for (let stepMs = 0; stepMs < (windows + 1) * MINUTE_MS; stepMs += 250) {
        const answers = await Promise.all(Array.from({ length: 10 }, async () => admit(getHarness().first, limits)));
        // The first window starts empty and is not counted.
        if (stepMs >= MINUTE_MS) admitted += answers.filter((answer) => answer.admitted).length;
        move(250);
      }
      expect(admitted / (windows * 600)).toBeGreaterThanOrEqual(0.98);
      expect(admitted / (windows * 600)).toBeLessThanOrEqual(1);
    });

    it('takes from all windows or from none: a refusal by the day burns nothing of the minute', async () => {
      const limits = windowPlan([10, MINUTE_MS], [3, DAY_MS]);
      for (let count = 0; count < 3; count++) await admit(getHarness().first, limits);
      const refusal = await refused(getHarness().first, limits);
      expect(refusal.refused.limit).toMatchObject({ name: 'requests_per_day', limit: 3 });
      expect(refusal.states[0]).toMatchObject({ used: 3, remaining: 7 });
      await refused(getHarness().first, limits);
      expect((await peek(getHarness().first, limits)).states[0]).toMatchObject({ used: 3, remaining: 7 });
    });

    it('takes nothing of the day when the minute refuses', async () => {
      const limits = windowPlan([2, MINUTE_MS], [100, DAY_MS]);
      for (let count = 0; count < 9; count++) await admit(getHarness().first, limits);
      const refusal = await refused(getHarness().first, limits);
      expect(refusal.refused.limit.name).toBe('requests_per_minute');
      expect(refusal.states[1]).toMatchObject({ used: 2, remaining: 98 });
    });

    it.each([1, 2, 3, 4])('says when it frees: refused until then, admitted at that moment (seed %i)', async (seed) => {
      const random = seededRandom(seed);
      const limits = windowPlan([7, MINUTE_MS], [31, 10 * MINUTE_MS]);
      let refusals = 0;
      for (let step = 0; step < 120; step++) {
        move(Math.floor(random() * 4_000));
        const amount = 1 + Math.floor(random() * 3);
        const answer = await admit(getHarness().first, limits, demand({ requests: amount }));
        if (answer.admitted) continue;
        refusals++;
        move(answer.refused.resetMs - 1);
        expect((await peek(getHarness().first, limits, demand({ requests: amount }))).admitted).toBe(false);
        move(1);
        expect((await admit(getHarness().first, limits, demand({ requests: amount }))).admitted).toBe(true);
      }
      expect(refusals).toBeGreaterThan(5);
    });

    it('names the window that frees last when several refuse', async () => {
      const limits = windowPlan([5, MINUTE_MS], [5, DAY_MS]);
      for (let count = 0; count < 5; count++) await admit(getHarness().first, limits);
      const refusal = await refused(getHarness().first, limits);
      expect(refusal.refused).toMatchObject({ limit: { name: 'requests_per_day' }, used: 5, remaining: 0 });
      expect(refusal.refused.resetMs).toBeGreaterThan(DAY_MS);
    });

    it('says how long until a window is whole again when it admits', async () => {
      const limits = windowPlan([5, MINUTE_MS]);
      const { resetMs } = (await admit(getHarness().first, limits)).states[0];
      expect(resetMs).toBeGreaterThan(MINUTE_MS);
      expect(resetMs).toBeLessThanOrEqual(MINUTE_MS + MINUTE_MS / BUCKETS_PER_WINDOW);
      move(resetMs - 1);
      expect((await peek(getHarness().first, limits)).states[0]).toMatchObject({ used: 1, resetMs: 1 });
      move(1);
      expect((await peek(getHarness().first, limits)).states[0]).toMatchObject({ used: 0, resetMs: 0 });
    });

    it('refuses for ever an amount larger than the limit, and takes nothing', async () => {
      const limits = windowPlan([5, MINUTE_MS]);
      expect((await refused(getHarness().first, limits, demand({ requests: 6 }))).refused.resetMs).toBe(Infinity);
      expect((await admit(getHarness().first, limits, demand({ requests: 5 }))).admitted).toBe(true);
    });

    it('peeks without taking', async () => {
      const limits = windowPlan([1, MINUTE_MS]);
      for (let count = 0; count < 3; count++) expect((await peek(getHarness().first, limits)).admitted).toBe(true);
      expect((await admit(getHarness().first, limits)).admitted).toBe(true);
      expect((await peek(getHarness().first, limits)).admitted).toBe(false);
    });

    it('shares one limit between two clients', async () => {
      const limits = windowPlan([20, MINUTE_MS]);
      const answers = await Promise.all(
        Array.from({ length: 60 }, async (_, index) => admit(index % 2 === 0 ? getHarness().first : getHarness().second, limits)),
      );
      expect(answers.filter((answer) => answer.admitted)).toHaveLength(20);
    });

    it('lets a changed limit take effect at once, and keeps what is used', async () => {
      const window = requestsOf(newSubject(), 10);
      const withLimit = (limit: number): LimitPlan => planOf({ ...window, limit });
      for (let count = 0; count < 6; count++) await admit(getHarness().first, withLimit(10));
      const lowered = await refused(getHarness().first, withLimit(4));
      expect(lowered.refused).toMatchObject({ used: 6, remaining: 0 });
      expect((await admit(getHarness().first, withLimit(7))).states[0]).toMatchObject({ used: 7, remaining: 0 });
    });

    it('admits without windows at once', () => {
      expect(getHarness().first.admit(windowPlan([0, MINUTE_MS], [0, DAY_MS]), demand())).toEqual({ admitted: true, states: [], grant: null });
    });

    it.each([5, 3_600_000])('keeps the limit and runs on when the clock goes back by %i ms', async (backMs) => {
      const limits = windowPlan([6, MINUTE_MS]);
      const log = new TrailingLog(MINUTE_MS);
      // True time goes on while the clock that is told goes back now and then.
      let trueMs = 0;
      let admittedAfter = 0;
      for (let step = 0; step < 400; step++) {
        trueMs += 1_000;
        move(1_000);
        if (step % 40 === 20) move(-backMs);
        const answer = await admit(getHarness().first, limits);
        if (answer.admitted) log.add(trueMs, 1);
        if (answer.admitted && step > 100) admittedAfter++;
        expect(log.sumUntil(trueMs)).toBeLessThanOrEqual(6);
      }
      expect(admittedAfter).toBeGreaterThanOrEqual(20);
    });

    it('forgets everything after a pause longer than the window', async () => {
      const limits = windowPlan([3, MINUTE_MS]);
      for (let count = 0; count < 3; count++) await admit(getHarness().first, limits);
      move(10 * MINUTE_MS);
      expect((await admit(getHarness().first, limits)).states[0]).toMatchObject({ used: 1, remaining: 2 });
    });
  });
}
