import { type Clock, type Nanos } from '@weir/kernel';
import { type LocalMeterStore } from './local-meter-store';
import { type BudgetLimit, type BudgetState, type Demand, type Grant, type LimitPlan, type MeterStore, type Settlement } from './meter-store';
import { type OpenGrant, OpenGrants } from './open-grants';
import { SettleQueue } from './settle-queue';
import { SettledCharges } from './settled-charges';
import { type SharedStore } from './shared-store';
import { type Timers } from './timers';

/** Redis is not to be held up for everybody else. */
const LARGEST_BATCH = 500;
const RENEW_EVERY_MS = 10_000;

export interface GrantKeeperOptions {
  readonly shared: SharedStore | null;
  /** The counters of this process: all there are without Redis, else those of an outage. */
  readonly local: LocalMeterStore;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly seed: (plan: LimitPlan, indexes: readonly number[]) => Promise<boolean>;
  /** Whether `land` will be called: what was settled is remembered until then. */
  readonly tellsLanded: boolean;
  readonly onSettled?: (requestId: string) => void;
  readonly onBudget?: (organizationId: string, limit: BudgetLimit, state: BudgetState) => void;
  readonly onPlanUsed: (plan: LimitPlan) => void;
}

/** Keeps what was granted alive until it is settled, and puts it back where it was lost. */
export class GrantKeeper {
  readonly open = new OpenGrants();
  readonly queue: SettleQueue;
  readonly charges = new SettledCharges();
  readonly #options: GrantKeeperOptions;
  readonly #store: MeterStore;
  /** Calls with a hold that this process granted by itself, of which Redis knows nothing yet. */
  readonly #unknownToRedis = new Set<string>();
  #losses = 0;
  #isRestoring = false;
  #isRenewing = false;
  #renewedMs: number;

  constructor(options: GrantKeeperOptions) {
    this.#options = options;
    this.#store = options.shared?.store ?? options.local;
    this.#renewedMs = options.clock.monotonicMs();
    this.queue = new SettleQueue({
      store: this.#store,
      clock: options.clock,
      timers: options.timers,
      isAvailable: () => options.shared === null || options.shared.check(),
      seed: options.seed,
      onDone: (grant, settlement, plan, states) => this.#done(grant, settlement, plan, states),
      onSettled: (requestId) => options.onSettled?.(requestId),
    });
  }

  /** How often the data of Redis was lost. */
  get losses(): number {
    return this.#losses;
  }

  /** Whether money was granted here of which Redis does not know: until it does, it must grant none. */
  get owesRedis(): boolean {
    return this.#unknownToRedis.size > 0;
  }

  /** Whether Redis lacks holds that this process knows of. */
  hasToRestore(): boolean {
    for (const open of this.open.values()) if (open.needsRestore) return true;
    return this.queue.hasToRestore();
  }

  /** @param lossesAtAsk what `losses` was when the grant was asked for: a loss since then may have taken it. */
  addShared(grant: Grant, lossesAtAsk: number): void {
    const open = this.open.add(grant, this.#options.clock.monotonicMs(), false);
    if (lossesAtAsk !== this.#losses) open.needsRestore = true;
  }

  /** @param isUncertain whether Redis was asked for it before, and did not answer. */
  addLocal(grant: Grant, isUncertain: boolean): void {
    const open = this.open.add(grant, this.#options.clock.monotonicMs(), true);
    if (this.#options.shared === null) return;
    open.needsRestore = true;
    if (isUncertain) open.uncertainSinceMs = open.openedMs;
    if (hasBudget(grant.plan)) this.#unknownToRedis.add(grant.requestId);
  }

  /** Takes back what an unanswered admission may have taken. Its windows stay taken: nobody knows. */
  takeBack(plan: LimitPlan, { requestId }: Demand): void {
    if (!plan.grants) return;
    const grant: Grant = { plan, requestId, tokens: 0, buckets: plan.limits.map(() => 0), heldNanos: 0 };
    this.queue.push(grant, { tokens: 0, nanos: 0 }, { needsRestore: false, uncertainSinceMs: this.#options.clock.monotonicMs(), isSilent: false });
  }

  settle(grant: Grant, settlement: Settlement): void {
    const { requestId } = grant;
    const open = this.open.remove(requestId);
    if (open === null) return;
    if (this.#options.shared !== null && open.isHere && !this.#settleHere(open, settlement)) return;
    this.queue.push(grant, settlement, {
      needsRestore: open.needsRestore && hasBudget(grant.plan),
      uncertainSinceMs: open.uncertainSinceMs,
      isSilent: false,
      onRestored: open.needsRestore ? () => this.#unknownToRedis.delete(requestId) : undefined,
    });
  }

  async extend(grant: Grant, nanos: Nanos): Promise<Nanos> {
    const open = this.open.find(grant.requestId);
    const { shared, local } = this.#options;
    if (open === null || nanos <= 0) return 0;
    if (shared === null) return local.extend(grant, nanos);
    if (open.needsRestore) return open.wasMadeHere && !shared.check() ? local.extend(grant, nanos) : 0;
    return shared.check() ? ((await shared.store.extend(grant, nanos)) ?? 0) : 0;
  }

  /** Everything that this process has open begins anew in its own counters: an outage begins. */
  moveHere(): void {
    const { local } = this.#options;
    local.forgetBudgets();
    for (const open of this.open.values()) {
      open.isHere = true;
      local.restore([open.grant]);
    }
    for (const grant of this.queue.listHeld()) local.restore([grant]);
    for (const { grant } of this.charges.values()) local.restore([grant]);
  }

  /** Redis has lost its data. */
  noteLoss(): void {
    this.#losses++;
    for (const open of this.open.values()) open.needsRestore = true;
    this.queue.noteLoss();
    for (const { grant, nanos } of this.charges.takeAll()) {
      this.queue.push(grant, { tokens: 0, nanos }, { needsRestore: true, uncertainSinceMs: -Infinity, isSilent: true });
    }
  }

  land(requestId: string): void {
    // Told of every row there is: most of them are of calls without a hold, which nobody here remembers.
    if (this.charges.size === 0 && this.open.size === 0 && this.queue.isIdle) return;
    if (this.#options.tellsLanded) this.charges.land(requestId, this.open.find(requestId) !== null || this.queue.has(requestId));
  }

  /** Puts back what Redis does not know of. Call it after each beat. */
  async restore(): Promise<void> {
    if (this.#isRestoring) return;
    this.#isRestoring = true;
    try {
      for (;;) {
        const batch = this.#nextToRestore();
        if (batch.length === 0 || !(await this.#restoreBatch(batch))) return;
      }
    } finally {
      this.#isRestoring = false;
    }
  }

  /** The heartbeat of what is open; does nothing when it is not due. */
  async renew(): Promise<void> {
    const { clock, shared, local } = this.#options;
    const nowMs = clock.monotonicMs();
    if (this.#isRenewing || nowMs - this.#renewedMs < RENEW_EVERY_MS) return;
    const due = this.open.listToRenew(nowMs);
    if (shared !== null) local.renew(due);
    this.#isRenewing = true;
    try {
      for (let start = 0; start < due.length; start += LARGEST_BATCH) {
        if (shared !== null && !shared.check()) return;
        if ((await this.#store.renew(due.slice(start, start + LARGEST_BATCH))) === null) return;
      }
      this.#renewedMs = nowMs;
    } finally {
      this.#isRenewing = false;
    }
  }

  #nextToRestore(): OpenGrant[] {
    if (this.#options.shared?.check() !== true) return [];
    const batch: OpenGrant[] = [];
    for (const open of this.open.values()) {
      if (open.needsRestore) batch.push(open);
      if (batch.length === LARGEST_BATCH) break;
    }
    return batch;
  }

  async #restoreBatch(batch: readonly OpenGrant[]): Promise<boolean> {
    const losses = this.#losses;
    const before = batch.map((open) => open.uncertainSinceMs);
    // One that ends meanwhile is settled as if this were never answered.
    for (const open of batch) open.uncertainSinceMs = this.#options.clock.monotonicMs();
    if ((await this.#store.restore(batch.map((open) => open.grant))) === null || losses !== this.#losses) return false;
    batch.forEach((open, index) => {
      if (this.open.find(open.grant.requestId) !== open) return;
      open.needsRestore = false;
      open.uncertainSinceMs = before[index];
      this.#unknownToRedis.delete(open.grant.requestId);
    });
    return true;
  }

  /** @returns whether Redis is to hear of it. */
  #settleHere(open: OpenGrant, settlement: Settlement): boolean {
    const { grant, wasMadeHere } = open;
    this.#options.local.settle(grant, { nanos: settlement.nanos, tokens: wasMadeHere ? settlement.tokens : grant.tokens });
    if (!wasMadeHere || !open.needsRestore || open.uncertainSinceMs > -Infinity || hasBudget(grant.plan)) return true;
    this.#options.onSettled?.(grant.requestId);
    return false;
  }

  #done(grant: Grant, settlement: Settlement, plan: LimitPlan, states: readonly BudgetState[]): void {
    const { onBudget, onPlanUsed, tellsLanded } = this.#options;
    this.#unknownToRedis.delete(grant.requestId);
    if (tellsLanded) this.charges.keep(grant, settlement.nanos, settlement.rows ?? 1);
    if (states.length === 0) return;
    onPlanUsed(plan);
    if (onBudget === undefined) return;
    let budget = 0;
    for (const limit of plan.limits) if (limit.kind === 'budget') onBudget(plan.organizationId, limit, states[budget++]);
  }
}

export function hasBudget({ wire }: LimitPlan): boolean {
  return wire.hasBudgets;
}
