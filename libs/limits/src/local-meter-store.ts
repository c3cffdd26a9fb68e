import { type Clock, type Nanos } from '@weir/kernel';
import { readAdmission, toRefusedReset, UNLIMITED } from './admission-reply';
import { assertDemand, assertGrant, assertNanos, assertSettlement, assertTake, toSeededNanos } from './assert-demand';
import { BudgetCounter } from './budget-counter';
import { LeaseSet } from './lease-set';
import { LocalBudgetControl, type LocalControl, LocalLeaseControl, LocalWindowControl } from './local-control';
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
import { BUDGET_KEPT_AFTER_SPAN_MS } from './plan-wire';
import { ReplyReader } from './reply-reader';
import { SweptCounters } from './swept-counters';
import { WindowCounter } from './window-counter';

const DEFAULT_MAX_WINDOWS = 250_000;
/** Marks of every store of this process differ: a store made anew stands for one that has lost its data. */
let marks = 0;

export interface LocalMeterOptions {
  readonly clock: Clock;
  /** Beyond this the longest idle of a few windows is forgotten: a flood of subjects must not eat the memory. */
  readonly maxWindows?: number;
  /** Tests only: forgets nothing that is idle, so that a clock that goes back finds what Redis would still have. */
  readonly keepsIdle?: boolean;
}

interface Kept {
  readonly budget: BudgetCounter;
  /** By the wall clock, as spans are. */
  untilMs: number;
}

/** The meter of this process only. Same answers as the script on Redis, at once and without a promise. */
export class LocalMeterStore implements MeterStore {
  readonly #clock: Clock;
  readonly #keepsIdle: boolean;
  readonly #windows: SweptCounters<WindowCounter>;
  readonly #leases = new SweptCounters<LeaseSet>();
  /** Never evicted: what is spent in a span must not be forgotten before the span has ended. */
  readonly #budgets = new SweptCounters<Kept>();

  constructor(options: LocalMeterOptions) {
    this.#clock = options.clock;
    this.#keepsIdle = options.keepsIdle ?? false;
    this.#windows = new SweptCounters(options.maxWindows ?? DEFAULT_MAX_WINDOWS);
  }

  /** How many counters are remembered. */
  get size(): number {
    return this.#windows.size + this.#leases.size + this.#budgets.size;
  }

  admit(plan: LimitPlan, demand: Demand): Admission | Unseeded {
    assertDemand(demand);
    if (plan.limits.length === 0) return UNLIMITED;
    const nowMs = this.#clock.monotonicMs();
    this.#sweep(nowMs);
    const unseeded = this.#findUnseeded(plan);
    if (unseeded !== null) return unseeded;
    return decide(plan, demand, this.#openControls(plan, demand, nowMs), true);
  }

  peek(plan: LimitPlan, demand: Demand): Admission {
    assertDemand(demand);
    if (plan.limits.length === 0) return UNLIMITED;
    const nowMs = this.#clock.monotonicMs();
    return decide(plan, demand, this.#copyControls(plan, demand, nowMs), false);
  }

  settle(grant: Grant, settlement: Settlement): readonly BudgetState[] | Unseeded {
    assertSettlement(settlement);
    const nowMs = this.#clock.monotonicMs();
    const states: BudgetState[] = [];
    const unseeded: number[] = [];
    grant.plan.limits.forEach((limit, index) => {
      const key = grant.plan.keys[index];
      switch (limit.kind) {
        case 'window':
          this.#windows.find(key)?.correct(grant.requestId, grant.buckets[index], settlement.tokens - grant.tokens, nowMs);
          return;
        case 'lease':
          this.#leases.find(key)?.remove(grant.requestId);
          return;
        case 'budget': {
          const state = this.#findBudget(key)?.settle(grant.requestId, settlement.nanos, nowMs) ?? null;
          if (state === null) unseeded.push(index);
          else states.push(state);
        }
      }
    });
    return unseeded.length === 0 ? states : { unseeded };
  }

  extend(grant: Grant, nanos: Nanos): Nanos {
    assertNanos(nanos);
    const nowMs = this.#clock.monotonicMs();
    const { plan, requestId } = grant;
    let granted = plan.wire.hasBudgets ? nanos : 0;
    plan.limits.forEach((limit, index) => {
      if (limit.kind !== 'budget') return;
      const budget = this.#findBudget(plan.keys[index]);
      budget?.fold(nowMs);
      const held = budget?.findHold(requestId) ?? null;
      if (budget === null || held === null || !budget.isSeeded) granted = 0;
      else granted = Math.min(granted, Math.max(0, limit.limit - budget.usedBesides(requestId) - held));
    });
    if (granted > 0) for (const budget of this.#findBudgets(plan)) budget?.extend(requestId, granted);
    grant.heldNanos += granted;
    return granted;
  }

  renew(grants: readonly Grant[]): true {
    const nowMs = this.#clock.monotonicMs();
    for (const { plan, requestId } of grants) {
      this.#putLeases(plan, requestId, nowMs);
      for (const budget of this.#findBudgets(plan)) budget?.renew(requestId, nowMs);
    }
    return true;
  }

  restore(grants: readonly Grant[]): true {
    grants.forEach(assertGrant);
    const nowMs = this.#clock.monotonicMs();
    for (const { plan, requestId, heldNanos } of grants) {
      this.#putLeases(plan, requestId, nowMs);
      plan.limits.forEach((limit, index) => {
        if (limit.kind !== 'budget') return;
        const kept = this.#makeKept(plan.keys[index], nowMs);
        kept.budget.restore(requestId, heldNanos, nowMs);
        kept.untilMs = toKeptUntilMs(limit);
      });
    }
    return true;
  }

  seed(_organizationId: string, counter: string, budget: BudgetLimit, spentNanos: Nanos, raise: boolean, mark: string): boolean {
    const nanos = toSeededNanos(spentNanos);
    const kept = this.#findKept(counter);
    if (raise) {
      kept?.budget.raise(nanos);
      return true;
    }
    if (kept?.budget.seed(nanos, mark, this.#clock.monotonicMs()) !== true) return false;
    kept.untilMs = toKeptUntilMs(budget);
    return true;
  }

  listHolds(_organizationId: string, counter: string): HoldList {
    const nowMs = this.#clock.monotonicMs();
    const { budget } = this.#makeKept(counter, nowMs);
    return { mark: budget.mark(`local-${++marks}`, nowMs), requestIds: budget.listRequestIds() };
  }

  readBudgets(plan: LimitPlan): readonly (BudgetState | null)[] {
    const nowMs = this.#clock.monotonicMs();
    return this.#findBudgets(plan).map((budget) => budget?.show(nowMs) ?? null);
  }

  seedWindow(_organizationId: string, key: string, windowMs: number, takes: readonly WindowTake[]): true {
    takes.forEach(assertTake);
    const nowMs = this.#clock.monotonicMs();
    const { window } = this.#windows.getOrMake(key, nowMs, () => new WindowCounter(windowMs));
    window.advance(nowMs);
    window.seed(takes);
    return true;
  }

  /** All budget counters go, with their holds: the next admission asks for new ones. */
  forgetBudgets(): void {
    this.#budgets.clear();
  }

  #findUnseeded(plan: LimitPlan): Unseeded | null {
    if (!plan.wire.hasBudgets) return null;
    const unseeded: number[] = [];
    plan.limits.forEach((limit, index) => {
      if (limit.kind === 'budget' && this.#findBudget(plan.keys[index])?.isSeeded !== true) unseeded.push(index);
    });
    return unseeded.length === 0 ? null : { unseeded };
  }

  #openControls(plan: LimitPlan, demand: Demand, nowMs: number): LocalControl[] {
    return plan.limits.map((limit, index) => {
      const key = plan.keys[index];
      switch (limit.kind) {
        case 'window': {
          const counter = this.#windows.getOrMake(key, nowMs, () => new WindowCounter(limit.windowMs));
          counter.window.advance(nowMs);
          return new LocalWindowControl(limit, counter, nowMs);
        }
        case 'lease':
          return new LocalLeaseControl(limit, this.#getLeases(key, nowMs), nowMs);
        case 'budget':
          return new LocalBudgetControl(limit, this.#makeKept(key, nowMs).budget, demand, nowMs, this.#clock.nowMs());
      }
    });
  }

  /** To be looked at: nothing is remembered, and no window's time is moved. */
  #copyControls(plan: LimitPlan, demand: Demand, nowMs: number): LocalControl[] {
    return plan.limits.map((limit, index) => {
      const key = plan.keys[index];
      switch (limit.kind) {
        case 'window': {
          const copy = new WindowCounter(limit.windowMs, this.#windows.find(key)?.window.copy());
          copy.window.advance(nowMs);
          return new LocalWindowControl(limit, copy, nowMs);
        }
        case 'lease':
          return new LocalLeaseControl(limit, this.#leases.find(key) ?? new LeaseSet(), nowMs);
        case 'budget':
          return new LocalBudgetControl(limit, this.#findBudget(key) ?? new BudgetCounter(), demand, nowMs, this.#clock.nowMs());
      }
    });
  }

  #putLeases(plan: LimitPlan, requestId: string, nowMs: number): void {
    plan.limits.forEach((limit, index) => {
      if (limit.kind === 'lease') this.#getLeases(plan.keys[index], nowMs).put(requestId, nowMs);
    });
  }

  #getLeases(key: string, nowMs: number): LeaseSet {
    return this.#leases.getOrMake(key, nowMs, () => new LeaseSet());
  }

  #findBudgets(plan: LimitPlan): (BudgetCounter | null)[] {
    return plan.limits.flatMap((limit, index) => (limit.kind === 'budget' ? [this.#findBudget(plan.keys[index])] : []));
  }

  #findBudget(key: string): BudgetCounter | null {
    return this.#findKept(key)?.budget ?? null;
  }

  #findKept(key: string): Kept | null {
    const kept = this.#budgets.find(key);
    if (kept === null || this.#clock.nowMs() < kept.untilMs) return kept;
    this.#budgets.delete(key);
    return null;
  }

  #makeKept(key: string, nowMs: number): Kept {
    this.#findKept(key);
    return this.#budgets.getOrMake(key, nowMs, () => ({ budget: new BudgetCounter(), untilMs: Infinity }));
  }

  #sweep(nowMs: number): void {
    if (this.#keepsIdle) return;
    const wallMs = this.#clock.nowMs();
    this.#windows.sweepSome((counter) => counter.isIdle(nowMs));
    this.#leases.sweepSome((leases) => leases.isIdle(nowMs));
    this.#budgets.sweepSome(({ budget, untilMs }) => wallMs >= untilMs || budget.isIdle(nowMs));
  }
}

/** Takes from all or from none, and says so in the words of the script; so the answers can only be the same. */
function decide(plan: LimitPlan, demand: Demand, controls: readonly LocalControl[], take: boolean): Admission {
  const waitsMs = controls.map((control) => control.freesInMs(demand));
  const isRefused = waitsMs.some((waitMs) => waitMs > 0);
  const grantedNanos = controls.reduce((granted, { room }) => Math.min(granted, room), demand.mostNanos);
  if (take && !isRefused) for (const control of controls) control.take(demand, grantedNanos);
  const reply = [isRefused ? 1 : 0];
  controls.forEach((control, index) => reply.push(control.used, waitsMs[index] > 0 ? toRefusedReset(waitsMs[index]) : control.emptyInMs()));
  // After the states are read: they are told as they were found.
  if (take && isRefused) for (const control of controls) control.refuse(demand.requestId);
  if (!isRefused) {
    for (const { bucket } of controls) if (bucket !== null) reply.push(bucket);
    if (plan.wire.hasBudgets) reply.push(grantedNanos);
  }
  const admission = readAdmission(plan, demand, take, new ReplyReader(reply));
  if (admission === null || 'unseeded' in admission) throw new Error('an admission in the process was not decided');
  return admission;
}

function toKeptUntilMs({ span }: BudgetLimit): number {
  return span.toMs === null ? Infinity : span.toMs + BUDGET_KEPT_AFTER_SPAN_MS;
}
