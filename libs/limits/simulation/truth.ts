import { type Nanos } from '@weir/kernel';
import { type LimitPlan } from '../src/meter-store';
import { CONCURRENCY } from './simulated-plans';

interface TrueCall {
  readonly plan: LimitPlan;
  nanos: Nanos;
  isOpen: boolean;
}

/** An invariant does not hold. */
export class BrokenInvariant extends Error {}

/** What really happened, known to nobody but the simulation: who spends what, and what the upstream has seen. */
export class Truth {
  readonly calls = new Map<string, TrueCall>();
  /** Attempts that were announced in a spool. */
  readonly announced = new Set<string>();
  /** Attempts that the upstream has seen. */
  readonly sent = new Set<string>();
  readonly plans = new Set<LimitPlan>();
  /** Admitted by Redis and still running. */
  readonly running = new Set<string>();
  readonly #nanosByCounter = new Map<string, Nanos>();

  constructor(
    /** Whether money may run over: the faults are more than can be held by design. */
    private readonly isBudgetHeld: boolean,
    private readonly isConcurrencyHeld: boolean,
  ) {}

  admit(requestId: string, plan: LimitPlan, heldNanos: Nanos, isByRedis: boolean): void {
    this.calls.set(requestId, { plan, nanos: 0, isOpen: true });
    this.plans.add(plan);
    this.#add(requestId, heldNanos);
    if (!isByRedis) return;
    this.running.add(requestId);
    if (this.isConcurrencyHeld && this.running.size > CONCURRENCY) throw new BrokenInvariant(`${this.running.size} calls are open, of ${CONCURRENCY}`);
  }

  extend(requestId: string, nanos: Nanos): void {
    this.#add(requestId, nanos);
  }

  /** Nothing more happens for it: its process is no more. It counts with its hold until somebody settles it. */
  die(requestId: string): void {
    this.running.delete(requestId);
  }

  end(requestId: string, chargedNanos: Nanos): void {
    const call = this.calls.get(requestId);
    if (call?.isOpen !== true) return;
    call.isOpen = false;
    this.running.delete(requestId);
    this.#add(requestId, chargedNanos - call.nanos);
  }

  /** Spent, and held for open calls. */
  exposureOf(counter: string): Nanos {
    return this.#nanosByCounter.get(counter) ?? 0;
  }

  #add(requestId: string, nanos: Nanos): void {
    const call = this.calls.get(requestId);
    if (call === undefined) throw new Error('a call is not known');
    call.nanos += nanos;
    call.plan.limits.forEach((limit, index) => {
      if (limit.kind !== 'budget') return;
      const counter = call.plan.keys[index];
      const exposure = this.exposureOf(counter) + nanos;
      this.#nanosByCounter.set(counter, exposure);
      if (this.isBudgetHeld && nanos > 0 && exposure > limit.limit) {
        throw new BrokenInvariant(`${counter}: ${exposure} are spent and held, of ${limit.limit}`);
      }
    });
  }
}
