import { type Nanos } from '@weir/kernel';
import { randomUUID } from 'node:crypto';
import { UNLIMITED } from './admission-reply';
import { assertDemand, assertGrant, assertNanos, assertSettlement, assertTake, toSeededNanos } from './assert-demand';
import {
  AdmissionCall,
  type DoneCall,
  ExtendCall,
  ListHoldsCall,
  ReadBudgetsCall,
  SeedCall,
  SettleCall,
  toRenewCall,
  toRestoreCall,
  toSeedWindowCall,
} from './meter-calls';
import {
  type Admission,
  type BudgetLimit,
  type BudgetState,
  type Demand,
  type Grant,
  type HoldList,
  type LimitPlan,
  type MeterStore,
  type Settlement,
  type Unseeded,
  type WindowTake,
} from './meter-store';
import { type RedisClient } from './redis-client';
import { ScriptGather } from './script-gather';

export interface RedisMeterOptions {
  readonly redis: RedisClient;
  /** The longest that anything waits for Redis. */
  readonly timeoutMs: number;
  /** Told once a batch that was not answered in time, or failed: a code such as `timeout`, `connection`, `READONLY`. */
  readonly onTrouble?: (reason: string) => void;
  /**
   * Called right before a batch with admissions is sent: what must be on record before a hold is made, is
   * written here, once for all. False: it could not be, and the admissions are not sent but answered with null.
   */
  readonly beforeSend?: () => boolean;
  /** Tests only: moves the clock of the script. */
  readonly scriptNowMs?: () => number;
}

/**
 * The meter that every process of the installation shares: counters in Redis, decided by one script.
 * Whatever Redis does, every answer comes within `timeoutMs`; null when Redis did not answer, or failed.
 * What that means is decided elsewhere. Throws RangeError, and asks nothing, for amounts that are none.
 */
export class RedisMeterStore implements MeterStore {
  readonly #gather: ScriptGather;

  constructor(options: RedisMeterOptions) {
    this.#gather = new ScriptGather({
      redis: options.redis,
      timeoutMs: options.timeoutMs,
      scriptNowMs: options.scriptNowMs,
      onTrouble: options.onTrouble ?? (() => undefined),
      beforeSend: options.beforeSend,
    });
  }

  admit(plan: LimitPlan, demand: Demand): Admission | Promise<Admission | Unseeded | null> {
    assertDemand(demand);
    return plan.limits.length === 0 ? UNLIMITED : this.#gather.ask(new AdmissionCall(plan, demand, true));
  }

  peek(plan: LimitPlan, demand: Demand): Admission | Promise<Admission | null> {
    assertDemand(demand);
    if (plan.limits.length === 0) return UNLIMITED;
    return this.#gather.ask(new AdmissionCall(plan, demand, false)).then((answer) => (answer === null || 'unseeded' in answer ? null : answer));
  }

  settle(grant: Grant, settlement: Settlement): Promise<readonly BudgetState[] | Unseeded | null> {
    assertSettlement(settlement);
    return this.#gather.ask(new SettleCall(grant, settlement));
  }

  extend(grant: Grant, nanos: Nanos): Promise<Nanos | null> {
    assertNanos(nanos);
    return this.#gather.ask(new ExtendCall(grant, nanos));
  }

  renew(grants: readonly Grant[]): Promise<true | null> {
    return this.#askAll(grants.map(toRenewCall));
  }

  restore(grants: readonly Grant[]): Promise<true | null> {
    grants.forEach(assertGrant);
    return this.#askAll(grants.map(toRestoreCall));
  }

  seed(organizationId: string, counter: string, budget: BudgetLimit, spentNanos: Nanos, raise: boolean, mark: string): Promise<boolean | null> {
    return this.#gather.ask(new SeedCall(organizationId, counter, budget, toSeededNanos(spentNanos), raise, mark));
  }

  listHolds(organizationId: string, counter: string): Promise<HoldList | null> {
    return this.#gather.ask(new ListHoldsCall(organizationId, counter, randomUUID()));
  }

  readBudgets(plan: LimitPlan): Promise<readonly (BudgetState | null)[] | null> {
    return this.#gather.ask(new ReadBudgetsCall(plan));
  }

  seedWindow(organizationId: string, key: string, windowMs: number, takes: readonly WindowTake[]): Promise<true | null> {
    takes.forEach(assertTake);
    return this.#gather.ask(toSeedWindowCall(organizationId, key, windowMs, takes));
  }

  async #askAll(calls: readonly DoneCall[]): Promise<true | null> {
    const answers = await Promise.all(calls.map((call) => this.#gather.ask(call)));
    return answers.every((answer) => answer === true) ? true : null;
  }
}
