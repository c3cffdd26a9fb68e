import { type Clock } from '@weir/kernel';
import { makeLimitPlan } from './limit-plan';
import { type BudgetState, type Grant, type LimitPlan, type MeterStore, type Settlement, type Unseeded } from './meter-store';
import { type Timers } from './timers';

const FIRST_RETRY_AFTER_MS = 100;
const LARGEST_RETRY_DELAY_MS = 2_000;
/** So many are asked again at once: an outage's worth of them must not be one burst. */
const RETRIED_AT_ONCE = 500;
/** What was sent to a Redis that hung may be done when it wakes, after what was sent later on another connection; but not after so long. */
const CERTAIN_AFTER_MS = 30_000;

export interface SettleOptions {
  /** Puts the hold back first: it was made elsewhere, or has been lost. */
  readonly needsRestore: boolean;
  /** When something was sent that puts the hold there, and was not answered: it may be done late. -Infinity: nothing was. */
  readonly uncertainSinceMs: number;
  /** Nobody is told when it is done. */
  readonly isSilent: boolean;
  /** Called when Redis knows of it, or has it settled. */
  readonly onRestored?: () => void;
  readonly onDone?: () => void;
}

interface Pending extends SettleOptions {
  readonly grant: Grant;
  /** What of it is not settled yet: a restore that is done late would have the rest charged twice. */
  left: Grant;
  readonly settlement: Settlement;
  readonly sinceMs: number;
  needsRestore: boolean;
  uncertainSinceMs: number;
  isAsked: boolean;
  /** How often the data was lost under it: an answer to what was asked before says nothing. */
  losses: number;
}

/** Settled, but what was sent of it before may be done after it. */
interface Ghost {
  readonly grant: Grant;
  readonly isSilent: boolean;
  dueMs: number;
}

export interface SettleQueueOptions {
  readonly store: MeterStore;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly isAvailable: () => boolean;
  readonly seed: (plan: LimitPlan, indexes: readonly number[]) => Promise<boolean>;
  /** The counters know. The states are those of the budgets of `plan`, which may be some of the grant's. */
  readonly onDone: (grant: Grant, settlement: Settlement, plan: LimitPlan, states: readonly BudgetState[]) => void;
  /** And nothing of it can come back: nobody needs to remember it. Not for what is silent. */
  readonly onSettled: (requestId: string) => void;
}

/** Asks for each settlement until the store says that it is done. Nobody waits for it, and nothing is dropped. */
export class SettleQueue {
  readonly #options: SettleQueueOptions;
  readonly #pending = new Map<string, Pending>();
  readonly #whenEmpty = new Set<() => void>();
  readonly #ghosts = new Map<string, Ghost>();
  #retryDelayMs = FIRST_RETRY_AFTER_MS;
  #cancelRetry: (() => void) | null = null;
  #isClosed = false;

  constructor(options: SettleQueueOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#pending.size;
  }

  /** Whether it knows of no call at all. */
  get isIdle(): boolean {
    return this.#pending.size === 0 && this.#ghosts.size === 0;
  }

  has(requestId: string): boolean {
    return this.#pending.has(requestId) || this.#ghosts.has(requestId);
  }

  hasToRestore(): boolean {
    for (const pending of this.#pending.values()) if (pending.needsRestore) return true;
    return false;
  }

  /** Those whose hold still counts. */
  listHeld(): Grant[] {
    return [...this.#pending.values()].filter(({ grant }) => grant.heldNanos > 0).map(({ grant }) => grant);
  }

  /** How long the oldest has been waiting; 0 when none is. */
  oldestMs(): number {
    for (const { sinceMs } of this.#pending.values()) return this.#options.clock.monotonicMs() - sinceMs;
    return 0;
  }

  push(grant: Grant, settlement: Settlement, options: SettleOptions): void {
    if (this.#pending.has(grant.requestId)) return;
    const { needsRestore, uncertainSinceMs, isSilent, onRestored, onDone } = options;
    const sinceMs = this.#options.clock.monotonicMs();
    // Each by its name: spreading the options costs twice as much.
    const pending: Pending = { needsRestore, uncertainSinceMs, isSilent, onRestored, onDone, grant, left: grant, settlement, sinceMs, isAsked: false, losses: 0 };
    this.#pending.set(grant.requestId, pending);
    this.#ask(pending);
  }

  /** Redis has lost its data: what was held must be put back before it can be settled. */
  noteLoss(): void {
    for (const pending of this.#pending.values()) {
      pending.losses++;
      pending.left = pending.grant;
      // What only takes something back has nothing to put there.
      pending.needsRestore = pending.grant.heldNanos > 0;
    }
  }

  /** Asks for everything that waits; call it when the store is there again. */
  wake(): void {
    this.#cancelRetry?.();
    this.#cancelRetry = null;
    this.#retryDelayMs = FIRST_RETRY_AFTER_MS;
    this.#retry();
  }

  /** Takes back what was done late, though it was settled before. Call it now and then. */
  sweepGhosts(): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const ghost of this.#ghosts.values()) {
      if (!this.#options.isAvailable()) return;
      if (ghost.dueMs <= nowMs) void this.#layToRest(ghost);
    }
  }

  /** @returns whether nothing is waiting any more; false when the time was up. */
  whenEmpty(timeoutMs: number): Promise<boolean> {
    if (this.#pending.size === 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      const finish = (isEmpty: boolean): void => {
        this.#whenEmpty.delete(tell);
        cancel();
        resolve(isEmpty);
      };
      const tell = (): void => finish(true);
      const cancel = this.#options.timers.after(timeoutMs, () => finish(false));
      this.#whenEmpty.add(tell);
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelRetry?.();
  }

  #ask(pending: Pending): void {
    if (pending.isAsked || this.#isClosed) return;
    if (!this.#options.isAvailable()) return this.#retryLater();
    pending.isAsked = true;
    const { losses } = pending;
    if (pending.needsRestore) {
      const answer = this.#options.store.restore([pending.left]);
      if (answer instanceof Promise) void answer.then((isDone) => this.#restored(pending, losses, isDone));
      else this.#restored(pending, losses, answer);
      return;
    }
    if (!this.#maySettle(pending)) {
      pending.isAsked = false;
      return this.#retryLater();
    }
    const answer = this.#options.store.settle(pending.left, pending.settlement);
    if (answer instanceof Promise) void answer.then((states) => this.#settled(pending, losses, states));
    else this.#settled(pending, losses, answer);
  }

  /**
   * Were a hold put back after it was settled, and the settlement asked for again because its answer
   * was lost, it would be charged twice. Until nothing can come late it counts as held. What costs
   * nothing may be settled as often as one likes.
   */
  #maySettle({ settlement, uncertainSinceMs }: Pending): boolean {
    return settlement.nanos === 0 || uncertainSinceMs === -Infinity || this.#options.clock.monotonicMs() - uncertainSinceMs >= CERTAIN_AFTER_MS;
  }

  #restored(pending: Pending, losses: number, isDone: true | null): void {
    pending.isAsked = false;
    if (isDone === null) {
      pending.uncertainSinceMs = this.#options.clock.monotonicMs();
      return this.#retryLater();
    }
    if (pending.losses === losses) {
      pending.needsRestore = false;
      pending.onRestored?.();
    }
    this.#ask(pending);
  }

  #settled(pending: Pending, losses: number, answer: readonly BudgetState[] | Unseeded | null): void {
    pending.isAsked = false;
    if (answer === null) return this.#retryLater();
    if (pending.losses !== losses) return this.#ask(pending);
    if ('unseeded' in answer) return this.#seed(pending, answer);
    this.#retryDelayMs = FIRST_RETRY_AFTER_MS;
    const { grant } = pending;
    this.#pending.delete(grant.requestId);
    this.#options.onDone(grant, pending.settlement, pending.left.plan, answer);
    const certainAtMs = pending.uncertainSinceMs + CERTAIN_AFTER_MS;
    if (certainAtMs > -Infinity && certainAtMs > this.#options.clock.monotonicMs()) {
      this.#ghosts.set(grant.requestId, { grant, isSilent: pending.isSilent, dueMs: certainAtMs });
    } else if (!pending.isSilent) this.#options.onSettled(grant.requestId);
    pending.onDone?.();
    if (this.#pending.size === 0) for (const tell of this.#whenEmpty) tell();
  }

  #seed(pending: Pending, { unseeded }: Unseeded): void {
    pending.isAsked = true;
    pending.left = toPart(pending.left, unseeded);
    const { plan } = pending.left;
    void this.#options.seed(plan, plan.limits.map((_, index) => index)).then((isSeeded) => {
      pending.isAsked = false;
      if (isSeeded) this.#ask(pending);
      else this.#retryLater();
    });
  }

  async #layToRest(ghost: Ghost): Promise<void> {
    const { grant } = ghost;
    ghost.dueMs = Infinity;
    const answer = await this.#options.store.settle(grant, { tokens: grant.tokens, nanos: 0 });
    if (answer === null) {
      ghost.dueMs = 0;
      return;
    }
    this.#ghosts.delete(grant.requestId);
    if (!ghost.isSilent) this.#options.onSettled(grant.requestId);
  }

  #retryLater(): void {
    if (this.#cancelRetry !== null || this.#isClosed) return;
    this.#cancelRetry = this.#options.timers.after(this.#retryDelayMs, () => {
      this.#cancelRetry = null;
      this.#retry();
    });
    this.#retryDelayMs = Math.min(2 * this.#retryDelayMs, LARGEST_RETRY_DELAY_MS);
  }

  #retry(): void {
    let asked = 0;
    for (const pending of this.#pending.values()) {
      if (pending.isAsked) continue;
      if (asked++ === RETRIED_AT_ONCE) return this.#retryLater();
      this.#ask(pending);
    }
  }
}

/** Of a grant what is in these limits. */
function toPart(grant: Grant, indexes: readonly number[]): Grant {
  const { plan } = grant;
  if (indexes.length === plan.limits.length) return grant;
  const part = makeLimitPlan(plan.organizationId, indexes.map((index) => plan.limits[index]));
  return { ...grant, plan: part, buckets: indexes.map((index) => grant.buckets[index]) };
}
