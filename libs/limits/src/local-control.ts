import { type BudgetCounter } from './budget-counter';
import { LEASE_MS, type LeaseSet } from './lease-set';
import { type BudgetLimit, type Demand, type LeaseLimit, type WindowLimit } from './meter-store';
import { type WindowCounter } from './window-counter';

/** One limit of a plan during one admission, beside its counter. */
export interface LocalControl {
  readonly used: number;
  /** How long until the demand fits; 0 when it fits now, Infinity when it never will. */
  freesInMs(demand: Demand): number;
  /** How long until nothing is used any more; 0 where that cannot be said. */
  emptyInMs(): number;
  take(demand: Demand, grantedNanos: number): void;
  /** Nothing is taken, but time has passed; a hold or a lease that the same request has from before goes. */
  refuse(requestId: string): void;
  /** The sub-bucket of a token window; else null. */
  readonly bucket: number | null;
  /** How much a budget affords; else Infinity. */
  readonly room: number;
}

export class LocalWindowControl implements LocalControl {
  readonly room = Infinity;

  constructor(
    private readonly limit: WindowLimit,
    private readonly counter: WindowCounter,
    private readonly nowMs: number,
  ) {}

  get used(): number {
    return this.counter.window.used;
  }

  get bucket(): number | null {
    return this.limit.unit === 'tokens' ? this.counter.window.bucket : null;
  }

  freesInMs(demand: Demand): number {
    return this.counter.window.freesInMs(demand[this.limit.unit], this.limit.limit);
  }

  emptyInMs(): number {
    return this.counter.window.emptyInMs();
  }

  take(demand: Demand): void {
    const amount = demand[this.limit.unit];
    if (amount > 0) this.counter.take(amount, this.nowMs);
    if (this.limit.unit === 'tokens') this.counter.open(demand.requestId, this.nowMs);
  }

  refuse(requestId: string): void {
    // Asking has moved the window's time already.
    this.counter.close(requestId);
  }
}

export class LocalLeaseControl implements LocalControl {
  readonly bucket = null;
  readonly room = Infinity;
  #isTaken = false;

  constructor(
    private readonly limit: LeaseLimit,
    private readonly leases: LeaseSet,
    private readonly nowMs: number,
  ) {}

  get used(): number {
    return this.leases.countOpen(this.nowMs);
  }

  freesInMs(demand: Demand): number {
    return this.leases.freesInMs(demand.requestId, this.limit.limit, this.nowMs);
  }

  emptyInMs(): number {
    if (this.#isTaken) return LEASE_MS;
    return this.used === 0 ? 0 : this.leases.emptyInMs(this.nowMs);
  }

  take(demand: Demand): void {
    this.leases.take(demand.requestId, this.nowMs);
    this.#isTaken = true;
  }

  refuse(requestId: string): void {
    this.leases.noteTime(this.nowMs);
    this.leases.remove(requestId);
  }
}

export class LocalBudgetControl implements LocalControl {
  readonly bucket = null;
  #used: number;

  constructor(
    private readonly limit: BudgetLimit,
    private readonly counter: BudgetCounter,
    demand: Demand,
    private readonly nowMs: number,
    private readonly wallMs: number,
  ) {
    this.#used = counter.usedBesides(demand.requestId);
  }

  get used(): number {
    return this.#used;
  }

  freesInMs(demand: Demand): number {
    if (demand.leastNanos <= this.room) return 0;
    return demand.leastNanos > this.limit.limit ? Infinity : this.#untilSpanEndsMs();
  }

  emptyInMs(): number {
    return this.#used === 0 || this.limit.span.toMs === null ? 0 : this.#untilSpanEndsMs();
  }

  take(demand: Demand, grantedNanos: number): void {
    this.counter.hold(demand.requestId, grantedNanos, this.nowMs);
    this.#used += grantedNanos;
  }

  refuse(requestId: string): void {
    this.counter.release(requestId);
  }

  get room(): number {
    return this.limit.limit - this.#used;
  }

  #untilSpanEndsMs(): number {
    return this.limit.span.toMs === null ? Infinity : Math.max(1, Math.ceil(this.limit.span.toMs - this.wallMs));
  }
}
