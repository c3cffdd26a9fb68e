import { type Clock, type Nanos } from '@weir/kernel';
import { atMost } from './at-most';
import { BudgetReconciliation } from './budget-reconciliation';
import { BudgetSeeder } from './budget-seeder';
import { type BudgetSource } from './budget-source';
import { fillDayWindows, type WindowSource } from './day-windows';
import { EpochWatch } from './epoch-watch';
import { GrantKeeper, hasBudget } from './grant-keeper';
import { LocalMeterStore } from './local-meter-store';
import { type Admission, type BudgetLimit, type BudgetState, type Demand, type Grant, type LimitPlan, type MeterStore, type Settlement, type Unseeded } from './meter-store';
import { type RecoveredCall, RecoveredCalls } from './recovered-calls';
import { type EpochBeat, type SharedStore } from './shared-store';
import { LONGEST_ADMISSION_MS } from './longest-admission';
import { systemTimers, type Timers } from './timers';
import { DEFAULT_POLICIES, findRefusing, LimitShares, toUnavailable, type WithoutRedisPolicies } from './without-redis';

const BEAT_EVERY_MS = 1_000;
const RECONCILE_EVERY_MS = 60_000;

const UNLIMITED: Admission = Object.freeze({ admitted: true, states: Object.freeze([]), grant: null });
/** What `use` asks: whether one more request would do. */
const NOTHING: Demand = { requestId: '-', requests: 1, tokens: 0, leastNanos: 0, mostNanos: 0 };

export interface MeterOptions {
  /** The counters that processes share; null: this is the only process, and the counters are its own. */
  readonly shared: SharedStore | null;
  readonly clock: Clock;
  /** The longest that an admission waits, for whatever it has to ask; `LONGEST_ADMISSION_MS` when absent. */
  readonly longestAdmissionMs?: number;
  readonly withoutRedis?: Partial<WithoutRedisPolicies>;
  /** Null or absent: a budget whose counter is missing begins with nothing spent. */
  readonly budgetSource?: BudgetSource | null;
  /** Null or absent: windows of a day begin anew when they are lost. */
  readonly windowSource?: WindowSource | null;
  /** Whether `landed` will be called; without it, what was settled but is not in the ledger yet is lost with the data of Redis. */
  readonly tellsLanded?: boolean;
  /**
   * The counters know what the call cost, or that it cost nothing: its spool record may go. Called for
   * what was granted and settled, and for an admission that was rejected when `isSettling`.
   */
  readonly onSettled?: (requestId: string) => void;
  /** A budget after something was settled in it. */
  readonly onBudget?: (organizationId: string, limit: BudgetLimit, state: BudgetState) => void;
  /** Tests and the simulation only. */
  readonly timers?: Timers;
}

/** All limits of a plan as they are now; nothing was taken. */
export interface PlanUse {
  readonly admission: Admission;
  /** Whether the limits can be kept now; if not, a call is refused with `limits_unavailable`, whatever its limits say. */
  readonly isKept: boolean;
  /** One a budget of the plan, in its order; null where nobody has counted yet. */
  readonly budgets: readonly (BudgetState | null)[];
}

/** The front: the same answers from Redis when there is one, else from this process, and as declared while Redis is away. */
export class Meter {
  /** Null without Redis. */
  readonly shared: SharedStore | null;
  readonly #options: MeterOptions;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #policies: WithoutRedisPolicies;
  readonly #longestAdmissionMs: number;
  readonly #local: LocalMeterStore;
  readonly #store: MeterStore;
  readonly #shares = new LimitShares();
  readonly #epoch: EpochWatch | null;
  readonly #keeper: GrantKeeper;
  readonly #localSeeder: BudgetSeeder;
  readonly #seeder: BudgetSeeder;
  readonly #reconciliation: BudgetReconciliation | null;
  readonly #recovered: RecoveredCalls;
  #isOutage = false;
  #outages = 0;
  #cancelBeat: () => void = () => undefined;
  #reconciledMs: number;

  constructor(options: MeterOptions) {
    const { shared, clock } = options;
    const source = options.budgetSource ?? null;
    this.#options = options;
    this.shared = shared;
    this.#clock = clock;
    this.#timers = options.timers ?? systemTimers;
    this.#policies = { ...DEFAULT_POLICIES, ...options.withoutRedis };
    this.#longestAdmissionMs = options.longestAdmissionMs ?? LONGEST_ADMISSION_MS;
    this.#local = new LocalMeterStore({ clock });
    this.#store = shared?.store ?? this.#local;
    this.#epoch = shared === null ? null : new EpochWatch({ shared, clock, onEpoch: (beat, isFirst) => this.#onEpoch(beat, isFirst) });
    // Of counters of one's own, one knows all the holds there are.
    this.#localSeeder = new BudgetSeeder({ store: this.#local, source, mayCount: () => Promise.resolve(true) });
    this.#seeder = this.#makeSharedSeeder(source) ?? this.#localSeeder;
    this.#reconciliation = source === null ? null : new BudgetReconciliation({ store: this.#store, source, clock });
    this.#keeper = new GrantKeeper({
      shared,
      local: this.#local,
      clock,
      timers: this.#timers,
      seed: (plan, indexes) => this.#seeder.seed(plan, indexes),
      tellsLanded: options.tellsLanded ?? false,
      onSettled: options.onSettled,
      onBudget: options.onBudget,
      onPlanUsed: (plan) => this.#reconciliation?.noteUse(plan),
    });
    this.#recovered = new RecoveredCalls({ clock, queue: this.#keeper.queue, epoch: this.#epoch });
    this.#reconciledMs = clock.monotonicMs();
    shared?.onAvailability((available) => this.#onAvailability(available));
    this.#beat();
  }

  /** Whether other processes see what is taken here. */
  get isShared(): boolean {
    return this.shared !== null;
  }

  /** How many calls are admitted and not settled, by their callers or in the store. */
  get openCount(): number {
    return this.#keeper.open.size + this.#keeper.queue.size;
  }

  /**
   * In-process the answer itself and not a promise of it: await only what is a promise, and the hot
   * road skips a turn. Whoever gets a grant must `settle` it.
   * Rejects with `limits_unavailable` when a control cannot be kept now: after 300 ms at most.
   */
  admit(plan: LimitPlan, demand: Demand): Admission | Promise<Admission> {
    if (plan.limits.length === 0) return UNLIMITED;
    if (this.shared === null) return this.#admitHere(plan, plan, demand, false, null);
    if (!this.shared.check()) return this.#admitWithoutRedis(plan, demand, false, null);
    return this.#admitShared(this.shared, plan, demand);
  }

  /** What `admit` would answer now; takes nothing. Budgets that nobody has counted yet count as unspent. */
  peek(plan: LimitPlan, demand: Demand): Admission | Promise<Admission> {
    if (plan.limits.length === 0) return UNLIMITED;
    if (this.shared === null) return this.#local.peek(plan, demand);
    const here = (): Admission => this.#local.peek(this.#toShare(plan), demand);
    if (!this.shared.check()) return here();
    return Promise.resolve(this.shared.store.peek(plan, demand)).then((answer) => answer ?? here());
  }

  /** Ends a grant. Never waits and never loses it: `onSettled` tells when the counters know. Again for the same call it does nothing. */
  settle(grant: Grant, settlement: Settlement): void {
    this.#keeper.settle(grant, settlement);
  }

  /** Whether something of this call is still to be settled or taken back: `onSettled` will tell when that is done. */
  isSettling(requestId: string): boolean {
    return this.#keeper.queue.has(requestId);
  }

  /** Adds up to `nanos` to the hold, and to the grant's `heldNanos`. @returns how much; 0 while Redis is away. */
  extend(grant: Grant, nanos: Nanos): Promise<Nanos> {
    return this.#keeper.extend(grant, nanos);
  }

  /** The call's row is in the ledger. Tell it when `tellsLanded`. */
  landed(requestId: string): void {
    this.#keeper.land(requestId);
  }

  /**
   * Ends the hold of a call of a process that is no more. In a process without Redis: before the first
   * budget is counted from the ledger, or the call counts twice.
   * @returns when its record may go: when the counters know, or have its hold again in this process. May be asked again for the same call, also by another process.
   */
  settleRecovered(call: RecoveredCall): Promise<void> {
    return this.#recovered.settle(call);
  }

  /** How long the oldest settlement has been waiting for the store; 0 when none is. */
  oldestPendingSettleMs(): number {
    return this.#keeper.queue.oldestMs();
  }

  /** @returns whether everything that was settled so far is known to the counters; false when the time was up. */
  whenSettled(timeoutMs: number): Promise<boolean> {
    return this.#keeper.queue.whenEmpty(timeoutMs);
  }

  /** All limits of a plan, for people; budgets are counted from the ledger where nobody has, if that takes no longer than an admission may. */
  async use(plan: LimitPlan, demand: Demand = NOTHING): Promise<PlanUse> {
    let budgets = await this.#readBudgets(plan);
    const missing = listMissingBudgets(plan, budgets);
    if (missing.length > 0 && this.#isAvailable()) {
      await atMost(this.#timers, this.#longestAdmissionMs, this.#seeder.seed(plan, missing));
      budgets = await this.#readBudgets(plan);
    }
    const isKept = (this.#isAvailable() && listMissingBudgets(plan, budgets).length === 0) || this.#mayAdmitHere(plan);
    const admission = await this.peek(plan, demand);
    return { admission, isKept, budgets };
  }

  /**
   * Fills the windows of a day from the ledger. Call it at the start of a process without Redis,
   * before the first request; on Redis, whoever finds it empty does so by itself.
   * @returns how many windows were filled. @throws when the ledger cannot be read.
   */
  async preloadDayWindows(): Promise<number> {
    const source = this.#options.windowSource ?? null;
    return source === null ? 0 : fillDayWindows(this.#store, source, this.#clock, null);
  }

  async close(): Promise<void> {
    this.#cancelBeat();
    this.#keeper.queue.close();
    await this.shared?.close();
  }

  /**
   * @param askedPlan the plan that the caller knows; `plan` is this process's share of it.
   * @param startedMs when the admission began; null: now.
   */
  #admitHere(plan: LimitPlan, askedPlan: LimitPlan, demand: Demand, isUncertain: boolean, startedMs: number | null): Admission | Promise<Admission> {
    const answer = this.#local.admit(plan, demand);
    if ('unseeded' in answer) return this.#seedHere(plan, askedPlan, demand, isUncertain, answer, this.#leftMs(startedMs));
    return this.#takeHere(answer, askedPlan, demand, isUncertain);
  }

  async #seedHere(plan: LimitPlan, askedPlan: LimitPlan, demand: Demand, isUncertain: boolean, { unseeded }: Unseeded, leftMs: number): Promise<Admission> {
    const outages = this.#outages;
    const isSeeded = await atMost(this.#timers, leftMs, this.#localSeeder.seed(plan, unseeded));
    // Redis may have come back meanwhile, and money been granted there that these counters do not know.
    const isStillHere = this.shared === null || (this.#isOutage && outages === this.#outages);
    const answer = isSeeded === true && isStillHere ? this.#local.admit(plan, demand) : null;
    if (answer !== null && !('unseeded' in answer)) return this.#takeHere(answer, askedPlan, demand, isUncertain);
    if (isUncertain) this.#keeper.takeBack(askedPlan, demand);
    throw toUnavailable('a budget could not be counted from the ledger');
  }

  #takeHere(answer: Admission, askedPlan: LimitPlan, demand: Demand, isUncertain: boolean): Admission {
    if (!answer.admitted) {
      if (isUncertain) this.#keeper.takeBack(askedPlan, demand);
      return answer;
    }
    if (answer.grant === null) return answer;
    if (answer.grant.plan === askedPlan) {
      this.#keeper.addLocal(answer.grant, isUncertain);
      return answer;
    }
    const grant = { ...answer.grant, plan: askedPlan };
    this.#keeper.addLocal(grant, isUncertain);
    return { ...answer, grant };
  }

  /** No async function, as little else on the way of every request: each costs promises and turns of its own. */
  #admitShared(shared: SharedStore, plan: LimitPlan, demand: Demand): Admission | Promise<Admission> {
    const startedMs = this.#clock.monotonicMs();
    if (plan.grants && this.#epoch?.epochMs === null) return this.#admitAfterBeat(shared, this.#epoch, plan, demand, startedMs);
    return this.#askShared(shared, plan, demand, startedMs, false);
  }

  /** A grant must know in which data it was made, or its loss would not be noticed. */
  async #admitAfterBeat(shared: SharedStore, epoch: EpochWatch, plan: LimitPlan, demand: Demand, startedMs: number): Promise<Admission> {
    await epoch.beat();
    return epoch.epochMs === null ? this.#admitWithoutRedis(plan, demand, false, startedMs) : this.#askShared(shared, plan, demand, startedMs, true);
  }

  /** @param isLate whether it has waited before, and may have to wait for too long now */
  #askShared(shared: SharedStore, plan: LimitPlan, demand: Demand, startedMs: number, isLate: boolean): Admission | Promise<Admission> {
    if (this.#keeper.owesRedis && hasBudget(plan)) {
      return Promise.reject(toUnavailable('Redis has just come back, and does not know yet what was spent meanwhile'));
    }
    const { losses } = this.#keeper;
    const asked = shared.store.admit(plan, demand);
    // The store itself waits for no more than a part of an admission.
    const answer = isLate ? atMost(this.#timers, this.#leftMs(startedMs), Promise.resolve(asked)) : asked;
    if (answer instanceof Promise) return answer.then((told) => this.#takeAsked(told, shared, plan, demand, losses, startedMs));
    return this.#takeAsked(answer, shared, plan, demand, losses, startedMs);
  }

  #takeAsked(answer: Admission | Unseeded | null, shared: SharedStore, plan: LimitPlan, demand: Demand, losses: number, startedMs: number): Admission | Promise<Admission> {
    if (answer !== null && 'unseeded' in answer) return this.#seedShared(shared, plan, demand, answer, startedMs);
    return this.#takeShared(answer, plan, demand, losses, startedMs);
  }

  async #seedShared(shared: SharedStore, plan: LimitPlan, demand: Demand, { unseeded }: Unseeded, startedMs: number): Promise<Admission> {
    const isSeeded = await atMost(this.#timers, this.#leftMs(startedMs), this.#seeder.seed(plan, unseeded));
    if (isSeeded !== true) throw toUnavailable('a budget could not be counted from the ledger');
    const { losses } = this.#keeper;
    // What comes too late is taken back, or is found not to have been taken.
    const answer = await atMost(this.#timers, this.#leftMs(startedMs), Promise.resolve(shared.store.admit(plan, demand)));
    if (answer !== null && 'unseeded' in answer) throw toUnavailable('a budget was lost while it was counted');
    return this.#takeShared(answer, plan, demand, losses, startedMs);
  }

  #takeShared(answer: Admission | null, plan: LimitPlan, demand: Demand, losses: number, startedMs: number): Admission | Promise<Admission> {
    if (answer === null) return this.#admitWithoutRedis(plan, demand, true, startedMs);
    if (answer.admitted && answer.grant !== null) this.#keeper.addShared(answer.grant, losses);
    return answer;
  }

  #admitWithoutRedis(plan: LimitPlan, demand: Demand, wasAsked: boolean, startedMs: number | null): Admission | Promise<Admission> {
    // What Redis was asked for and may still do would be held there at another amount than here.
    if (!this.#mayAdmitHere(plan) || (wasAsked && hasBudget(plan))) {
      if (wasAsked) this.#keeper.takeBack(plan, demand);
      return Promise.reject(toUnavailable('Redis is away'));
    }
    // One question may fail alone; the holds move here only when Redis is away, and go back when it comes.
    if (!this.#isOutage && !this.#isAvailable()) {
      this.#isOutage = true;
      this.#outages++;
      this.#keeper.moveHere();
    }
    return this.#admitHere(this.#toShare(plan), plan, demand, wasAsked, startedMs);
  }

  #leftMs(startedMs: number | null): number {
    return startedMs === null ? this.#longestAdmissionMs : this.#longestAdmissionMs - (this.#clock.monotonicMs() - startedMs);
  }

  #mayAdmitHere(plan: LimitPlan): boolean {
    return this.shared === null || findRefusing(plan, this.#policies, this.shared.processCount) === null;
  }

  #toShare(plan: LimitPlan): LimitPlan {
    return this.#shares.toShare(plan, this.shared?.processCount ?? 1);
  }

  #makeSharedSeeder(source: BudgetSource | null): BudgetSeeder | null {
    const epoch = this.#epoch;
    if (epoch === null) return null;
    const mayCount = async (): Promise<boolean> => (await epoch.askYoungForMs()) === 0 && !this.#keeper.hasToRestore();
    return new BudgetSeeder({ store: this.#store, source, mayCount });
  }

  #isAvailable(): boolean {
    return this.shared === null || this.shared.check();
  }

  async #readBudgets(plan: LimitPlan): Promise<readonly (BudgetState | null)[]> {
    const here = (): readonly (BudgetState | null)[] => this.#local.readBudgets(plan);
    return this.#isAvailable() ? ((await this.#store.readBudgets(plan)) ?? here()) : here();
  }

  /** Each second: the epoch, what Redis does not know of, the heartbeat; each minute, the ledger's word. */
  #beat(): void {
    this.#cancelBeat = this.#timers.after(BEAT_EVERY_MS, () => this.#beat());
    void this.#keepUp();
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#reconciledMs < RECONCILE_EVERY_MS || !this.#isAvailable()) return;
    this.#reconciledMs = nowMs;
    void this.#reconciliation?.run();
  }

  async #keepUp(): Promise<void> {
    if (this.#epoch !== null && (await this.#epoch.beat()) === null) return;
    await this.#keeper.restore();
    await this.#keeper.renew();
    this.#keeper.queue.sweepGhosts();
  }

  #onAvailability(available: boolean): void {
    if (!available) return;
    this.#isOutage = false;
    // First whether its data is still there, then what it missed.
    void this.#keepUp().then(() => this.#keeper.queue.wake());
  }

  #onEpoch(beat: EpochBeat, isFirst: boolean): void {
    if (!isFirst) this.#keeper.noteLoss();
    this.#recovered.noteEpoch();
    const source = this.#options.windowSource ?? null;
    if (beat.began && source !== null) {
      // Best effort: windows that stay empty give a caller more than he has, for a day at most.
      fillDayWindows(this.#store, source, this.#clock, this.#clock.nowMs()).catch(() => undefined);
    }
  }
}

function listMissingBudgets(plan: LimitPlan, budgets: readonly (BudgetState | null)[]): number[] {
  const indexes = plan.limits.flatMap(({ kind }, index) => (kind === 'budget' ? [index] : []));
  return indexes.filter((_, position) => budgets[position] === null);
}
