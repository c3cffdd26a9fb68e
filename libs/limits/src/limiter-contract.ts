import { type Admission, type LimiterStore } from './admission';
import { DAY_MS, type LimitPlan, makeLimitPlan, MINUTE_MS, type WindowLimit } from './limit-plan';
import { BUCKETS_PER_WINDOW } from './sliding-window';

/** Two stores over the same windows, as two processes would have them, and a hand on their clock. */
export interface LimiterHarness {
  readonly first: LimiterStore;
  readonly second: LimiterStore;
  /** Sets the clock that both decide by. */
  setNowMs(nowMs: number): void;
}

/** An hour of the epoch that no bucket border falls on. */
const START_MS = 1_763_600_123_456;

/** What every limiter store guarantees; run by one spec for Redis and one for the in-process twin. */
export function describeLimiterContract(name: string, getHarness: () => LimiterHarness): void {
  let planNumber = 0;
  const plan = (...windows: (readonly [limit: number, windowMs: number])[]): LimitPlan => {
    const subject = `${name}-${++planNumber}`;
    return makeLimitPlan('organization', windows.map(([limit, windowMs]) => toWindow(subject, limit, windowMs)));
  };

  describe(`limiter contract: ${name}`, () => {
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
      const limits = plan([10, MINUTE_MS]);
      const answers = await Promise.all(Array.from({ length: 25 }, async () => getHarness().first.admit(limits)));
      expect(answers.filter((answer) => answer.admitted)).toHaveLength(10);
      expect(answers[3].windows[0]).toMatchObject({ used: 4, remaining: 6 });
      expect(answers[24].windows[0]).toMatchObject({ used: 10, remaining: 0 });
    });

    it.each([1, 2, 3, 4, 5, 6])('never admits more than the limit in any trailing window (seed %i)', async (seed) => {
      const random = seededRandom(seed);
      const limit = 1 + Math.floor(random() * 40);
      const windowMs = seed % 2 === 0 ? MINUTE_MS : 7_777;
      const limits = plan([limit, windowMs]);
      const log = new TrailingLog(windowMs);
      for (let step = 0; step < 1_500; step++) {
        move(Math.floor(random() ** 4 * windowMs * 0.6));
        const amount = 1 + Math.floor(random() * 3);
        const answer = await getHarness().first.admit(limits, amount);
        if (answer.admitted) log.add(nowMs, amount);
        expect(log.sumUntil(nowMs)).toBeLessThanOrEqual(limit);
        expect(answer.windows[0].used).toBeGreaterThanOrEqual(log.sumUntil(nowMs));
      }
      expect(log.total).toBeGreaterThan(limit);
    });

    it('admits between 98 and 100 % of the limit under saturation', async () => {
      const limits = plan([600, MINUTE_MS]);
      const windows = 6;
      let admitted = 0;
      for (let stepMs = 0; stepMs < (windows + 1) * MINUTE_MS; stepMs += 250) {
        const answers = await Promise.all(Array.from({ length: 10 }, async () => getHarness().first.admit(limits)));
        // The first window starts empty and is not counted.
        if (stepMs >= MINUTE_MS) admitted += answers.filter((answer) => answer.admitted).length;
        move(250);
      }
      expect(admitted / (windows * 600)).toBeGreaterThanOrEqual(0.98);
      expect(admitted / (windows * 600)).toBeLessThanOrEqual(1);
    });

    it('takes from all windows or from none: a refusal by the day burns nothing of the minute', async () => {
      const limits = plan([10, MINUTE_MS], [3, DAY_MS]);
      for (let count = 0; count < 3; count++) await getHarness().first.admit(limits);
      const refused = await admitRefused(getHarness().first, limits);
      expect(refused.refused.window).toMatchObject({ name: 'requests_per_day', limit: 3 });
      expect(refused.windows[0]).toMatchObject({ used: 3, remaining: 7 });
      await admitRefused(getHarness().first, limits);
      expect((await getHarness().first.peek(limits)).windows[0]).toMatchObject({ used: 3, remaining: 7 });
    });

    it('takes nothing of the day when the minute refuses', async () => {
      const limits = plan([2, MINUTE_MS], [100, DAY_MS]);
      for (let count = 0; count < 9; count++) await getHarness().first.admit(limits);
      const refused = await admitRefused(getHarness().first, limits);
      expect(refused.refused.window.name).toBe('requests_per_minute');
      expect(refused.windows[1]).toMatchObject({ used: 2, remaining: 98 });
    });

    it.each([1, 2, 3, 4])('says when it frees: refused until then, admitted at that moment (seed %i)', async (seed) => {
      const random = seededRandom(seed);
      const limits = plan([7, MINUTE_MS], [31, 10 * MINUTE_MS]);
      let refusals = 0;
      for (let step = 0; step < 120; step++) {
        move(Math.floor(random() * 4_000));
        const amount = 1 + Math.floor(random() * 3);
        const answer = await getHarness().first.admit(limits, amount);
        if (answer.admitted) continue;
        refusals++;
        move(answer.refused.resetMs - 1);
        expect((await getHarness().first.peek(limits, amount)).admitted).toBe(false);
        move(1);
        expect((await getHarness().first.admit(limits, amount)).admitted).toBe(true);
      }
      expect(refusals).toBeGreaterThan(5);
    });

    it('names the window that frees last when several refuse', async () => {
      const limits = plan([5, MINUTE_MS], [5, DAY_MS]);
      for (let count = 0; count < 5; count++) await getHarness().first.admit(limits);
      const refused = await admitRefused(getHarness().first, limits);
      expect(refused.refused).toMatchObject({ window: { name: 'requests_per_day' }, used: 5, remaining: 0 });
      expect(refused.refused.resetMs).toBeGreaterThan(DAY_MS);
    });

    it('says how long until a window is whole again when it admits', async () => {
      const limits = plan([5, MINUTE_MS]);
      const { resetMs } = (await getHarness().first.admit(limits)).windows[0];
      expect(resetMs).toBeGreaterThan(MINUTE_MS);
      expect(resetMs).toBeLessThanOrEqual(MINUTE_MS + MINUTE_MS / BUCKETS_PER_WINDOW);
      move(resetMs - 1);
      expect((await getHarness().first.peek(limits)).windows[0]).toMatchObject({ used: 1, resetMs: 1 });
      move(1);
      expect((await getHarness().first.peek(limits)).windows[0]).toMatchObject({ used: 0, resetMs: 0 });
    });

    it('refuses for ever an amount larger than the limit, and takes nothing', async () => {
      const limits = plan([5, MINUTE_MS]);
      expect((await admitRefused(getHarness().first, limits, 6)).refused.resetMs).toBe(Infinity);
      expect((await getHarness().first.admit(limits, 5)).admitted).toBe(true);
    });

    it.each([0, -1, 1.5, NaN, Infinity, 2 ** 63])('refuses the amount %p as a mistake of the program', async (amount) => {
      const limits = plan([5, MINUTE_MS]);
      await expect(async () => getHarness().first.admit(limits, amount)).rejects.toThrow(RangeError);
      expect((await getHarness().first.peek(limits)).windows[0].used).toBe(0);
    });

    it('peeks without taking', async () => {
      const limits = plan([1, MINUTE_MS]);
      for (let count = 0; count < 3; count++) expect((await getHarness().first.peek(limits)).admitted).toBe(true);
      expect((await getHarness().first.admit(limits)).admitted).toBe(true);
      expect((await getHarness().first.peek(limits)).admitted).toBe(false);
    });

    it('shares one limit between two clients', async () => {
      const limits = plan([20, MINUTE_MS]);
      const answers = await Promise.all(
        Array.from({ length: 60 }, async (_, index) => (index % 2 === 0 ? getHarness().first : getHarness().second).admit(limits)),
      );
      expect(answers.filter((answer) => answer.admitted)).toHaveLength(20);
    });

    it('lets a changed limit take effect at once, and keeps what is used', async () => {
      const window = toWindow(`${name}-changed`, 10, MINUTE_MS);
      const withLimit = (limit: number): LimitPlan => makeLimitPlan('organization', [{ ...window, limit }]);
      for (let count = 0; count < 6; count++) await getHarness().first.admit(withLimit(10));
      const lowered = await admitRefused(getHarness().first, withLimit(4));
      expect(lowered.refused).toMatchObject({ used: 6, remaining: 0 });
      expect((await getHarness().first.admit(withLimit(7))).windows[0]).toMatchObject({ used: 7, remaining: 0 });
    });

    it('admits without windows at once', () => {
      expect(getHarness().first.admit(plan([0, MINUTE_MS], [0, DAY_MS]))).toEqual({ admitted: true, windows: [] });
    });

    it.each([5, 3_600_000])('keeps the limit and runs on when the clock goes back by %i ms', async (backMs) => {
      const limits = plan([6, MINUTE_MS]);
      const log = new TrailingLog(MINUTE_MS);
      // True time goes on while the clock that is told goes back now and then.
      let trueMs = 0;
      let admittedAfter = 0;
      for (let step = 0; step < 400; step++) {
        trueMs += 1_000;
        move(1_000);
        if (step % 40 === 20) move(-backMs);
        const answer = await getHarness().first.admit(limits);
        if (answer.admitted) log.add(trueMs, 1);
        if (answer.admitted && step > 100) admittedAfter++;
        expect(log.sumUntil(trueMs)).toBeLessThanOrEqual(6);
      }
      expect(admittedAfter).toBeGreaterThanOrEqual(20);
    });

    it('forgets everything after a pause longer than the window', async () => {
      const limits = plan([3, MINUTE_MS]);
      for (let count = 0; count < 3; count++) await getHarness().first.admit(limits);
      move(10 * MINUTE_MS);
      expect((await getHarness().first.admit(limits)).windows[0]).toMatchObject({ used: 1, remaining: 2 });
    });
  });
}

async function admitRefused(store: LimiterStore, plan: LimitPlan, amount = 1): Promise<Extract<Admission, { admitted: false }>> {
  const answer = await store.admit(plan, amount);
  if (answer.admitted) throw new Error('admitted, though it should have been refused');
  return answer;
}

function toWindow(subject: string, limit: number, windowMs: number): WindowLimit {
  const name = windowMs > MINUTE_MS ? 'requests_per_day' : 'requests_per_minute';
  return { scope: 'key', name, subject, windowMs, limit };
}

/** Every admission with its time, summed by brute force: what the windows are checked against. */
class TrailingLog {
  readonly #entries: { readonly atMs: number; readonly amount: number }[] = [];

  constructor(private readonly windowMs: number) {}

  get total(): number {
    return this.#entries.reduce((sum, { amount }) => sum + amount, 0);
  }

  add(atMs: number, amount: number): void {
    this.#entries.push({ atMs, amount });
  }

  /** What was taken in the window that ends at `nowMs`, both ends counted. */
  sumUntil(nowMs: number): number {
    let sum = 0;
    for (let index = this.#entries.length - 1; index >= 0; index--) {
      const { atMs, amount } = this.#entries[index];
      if (atMs < nowMs - this.windowMs) break;
      sum += amount;
    }
    return sum;
  }
}

/** mulberry32: small, and the same on every machine. */
function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
