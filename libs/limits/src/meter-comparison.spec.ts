import { type Clock } from '@weir/kernel';
import { Redis } from 'ioredis';
import { once } from 'node:events';
import { createTestRedis, type TestRedis } from '../../../test/support/redis';
import { LocalMeterStore } from './local-meter-store';
import { budgetOf, demand, leasesOf, newSubject, planOf, requestsOf, seededRandom, START_MS, tokensOf, totalOf } from './meter-harness';
import { type Grant, type LimitPlan, type MeterStore } from './meter-store';
import { DAY_MS } from './limit-plan';
import { RedisMeterStore } from './redis-meter-store';

const SEEDS = 60;
const STEPS = 250;

let nowMs = START_MS;
const clock: Clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };

let shared: TestRedis;
let redis: Redis;
beforeAll(async () => {
  shared = await createTestRedis();
  redis = new Redis(shared.url, { enableOfflineQueue: false });
  await once(redis, 'ready');
});
afterAll(async () => {
  redis.disconnect();
  await shared.close();
});

/** Plans that share some of their counters. */
function makePlans(): LimitPlan[] {
  const [key, other, project] = [newSubject(), newSubject(), newSubject()];
  const common = [requestsOf(project, 40), leasesOf(project, 9), tokensOf(project, 2_500, 'project'), budgetOf(project, 3_000, { scope: 'project' })];
  return [
    planOf(requestsOf(key, 12), requestsOf(key, 60, DAY_MS)),
    planOf(requestsOf(key, 12), tokensOf(key, 900), leasesOf(key, 4), ...common),
    planOf(tokensOf(other, 700), totalOf(other, 1_200), ...common),
    planOf(leasesOf(other, 3), totalOf(other, 1_200), budgetOf(other, 900)),
    planOf(tokensOf(other, 700)),
  ];
}

type Random = () => number;
type Step = (store: MeterStore, grantOf: (index: number) => Grant) => unknown;

class Walk {
  readonly #plans = makePlans();
  /** The same call's grant in each store. */
  readonly #grants: { readonly redis: Grant; readonly local: Grant }[] = [];

  constructor(
    private readonly random: Random,
    private readonly redisStore: MeterStore,
    private readonly localStore: MeterStore,
  ) {}

  async run(): Promise<void> {
    for (let step = 0; step < STEPS; step++) {
      nowMs += this.#pickMove();
      await this.#both(this.#pickStep(), `step ${step} at ${nowMs - START_MS}`);
      if (step % 25 === 0) for (const plan of this.#plans) await this.#both((store) => store.readBudgets(plan), `budgets after step ${step}`);
    }
  }

  #whole(below: number): number {
    return Math.floor(this.random() * below);
  }

  #pickMove(): number {
    const kind = this.random();
    if (kind < 0.4) return 0;
    if (kind < 0.93) return Math.floor(this.random() ** 3 * 20_000);
    if (kind < 0.97) return this.#whole(200_000);
    return kind < 0.985 ? 3_600_000 : -this.#whole(3_600_000);
  }

  #pickStep(): Step {
    const plan = this.#plans[this.#whole(this.#plans.length)];
    const kind = this.random();
    if (kind < 0.45) return this.#admit(plan);
    if (kind < 0.52) {
      const asked = demand({ tokens: this.#whole(300), leastNanos: this.#whole(400) });
      return (store) => store.peek(plan, asked);
    }
    if (kind < 0.6) return this.#seed(plan);
    if (kind < 0.64) return this.#seedWindow(plan);
    if (this.#grants.length === 0) return (store) => store.readBudgets(plan);
    return this.#pickOfGrant(this.#whole(this.#grants.length), kind);
  }

  #admit(plan: LimitPlan): Step {
    const leastNanos = this.#whole(200);
    // Now and then the same request again.
    const again = this.#grants.length > 0 && this.random() < 0.1 ? { requestId: this.#grants[this.#whole(this.#grants.length)].redis.requestId } : null;
    const asked = demand({ ...again, requests: 1 + this.#whole(2), tokens: this.#whole(4) === 0 ? 0 : this.#whole(300), leastNanos, mostNanos: leastNanos + this.#whole(400) });
    return async (store) => {
      const answer = await store.admit(plan, asked);
      if (answer === null || 'unseeded' in answer || !answer.admitted || answer.grant === null) return answer;
      if (store === this.redisStore) this.#grants.push({ redis: answer.grant, local: answer.grant });
      else this.#grants[this.#grants.length - 1] = { ...this.#grants[this.#grants.length - 1], local: answer.grant };
      return { ...answer, grant: { ...answer.grant } };
    };
  }

  #seed(plan: LimitPlan): Step {
    const index = plan.limits.findIndex((limit) => limit.kind === 'budget');
    const limit = plan.limits[index];
    if (index < 0 || limit.kind !== 'budget') return (store) => store.readBudgets(plan);
    const [nanos, raise, forgetsMark] = [this.#whole(300), this.random() < 0.3, this.random() < 0.1];
    return async (store) => {
      const holds = raise ? null : await store.listHolds(plan.organizationId, plan.keys[index]);
      const isSeeded = await store.seed(plan.organizationId, plan.keys[index], limit, nanos, raise, forgetsMark ? 'another' : (holds?.mark ?? ''));
      return [isSeeded, holds === null ? null : { ids: [...holds.requestIds].sort(), isMarked: holds.mark !== '' }];
    };
  }

  #seedWindow(plan: LimitPlan): Step {
    const index = plan.limits.findIndex((limit) => limit.kind === 'window');
    const limit = plan.limits[index];
    if (index < 0 || limit.kind !== 'window') return (store) => store.readBudgets(plan);
    const takes = Array.from({ length: this.#whole(4) }, () => ({ ageMs: this.#whole(2 * limit.windowMs), amount: this.#whole(4) }));
    return (store) => store.seedWindow(plan.organizationId, plan.keys[index], limit.windowMs, takes);
  }

  #pickOfGrant(index: number, kind: number): Step {
    const amount = this.#whole(400);
    const tokens = this.#whole(500);
    if (kind < 0.84) return (store, grantOf) => store.settle(grantOf(index), { tokens, nanos: amount });
    if (kind < 0.9) return (store, grantOf) => store.extend(grantOf(index), amount);
    if (kind < 0.97) return (store, grantOf) => store.renew(this.#grants.slice(0, index + 1).map((_, at) => grantOf(at)));
    return (store, grantOf) => store.restore([grantOf(index)]);
  }

  async #both(step: Step, what: string): Promise<void> {
    const redisAnswer = await step(this.redisStore, (index) => this.#grants[index].redis);
    const localAnswer = await step(this.localStore, (index) => this.#grants[index].local);
    expect({ what, answer: localAnswer }).toEqual({ what, answer: redisAnswer });
  }
}

describe('the twin in the process', () => {
  it.each(Array.from({ length: SEEDS }, (_, index) => index + 1))('answers as the script on Redis does, step by step (seed %i)', async (seed) => {
    nowMs = START_MS + seed * 997;
    const redisStore = new RedisMeterStore({ redis, timeoutMs: 5_000, scriptNowMs: () => nowMs });
    await new Walk(seededRandom(seed), redisStore, new LocalMeterStore({ clock, keepsIdle: true })).run();
  });
});
