import { type Caller } from '@weir/access';
import { LARGEST_BUDGET_NANOS, type Nanos, type UsageUnits } from '@weir/kernel';
import { type ModelPrice, toCost } from '@weir/ledger';
import { type Admission, type Demand, type Grant, toRefusal } from '@weir/limits';
import { type CallPlan } from './call-plans';
import { type CallRoute } from './call-routes';
import { toCallTerms } from './call-terms';
import { type Estimate } from './estimate';
import { type RelayCall } from './relay-call';
import { type Road } from './road';

/** Language of so many bytes is surely more than a token: an honest stream stays below, whatever it is about. */
const BYTES_PER_TOKEN_AT_MOST = 8;
/** A hold that is outrun grows by at least what so many tokens of output cost. */
const EXTENSION_TOKENS = 256;

/** What an attempt is charged. */
export interface Charge {
  /** Null without a price. */
  readonly nanos: Nanos | null;
  /** It used more than its hold could be made to cover; the rest is not charged. */
  readonly isOverrun: boolean;
}

/** What one call takes from its limits and gives back: the estimate, the hold, what was charged so far. */
export class CallMeter implements Demand {
  readonly requestId: string;
  readonly requests = 1;
  readonly tokens: number;
  readonly leastNanos: Nanos;
  readonly mostNanos: Nanos;
  readonly estimate: Estimate;
  /** The output cap that the hold affords, for a caller that set none; null: leave the request as it is. */
  outputCap: number | null = null;
  /** Bytes of language in a stream at which it has outrun its hold. */
  outrunBytes = Infinity;

  private readonly road: Road;
  private readonly callPlan: CallPlan;
  private grant: Grant | null = null;
  private chargedNanos: Nanos = 0;
  private chargedTokens = 0;
  /** Rows that its attempts have made. */
  private rows = 0;
  private isExtending = false;

  /**
   * @param routes the model that was asked for, whose limits apply, and those that may answer in its place
   * @throws WeirError model_not_priced or invalid_request for what cannot be used under a budget
   */
  constructor(call: RelayCall, caller: Caller, routes: readonly CallRoute[]) {
    this.road = call.road;
    this.requestId = call.requestId;
    const { callPlan, estimate, refusal } = toCallTerms(call.road, caller, call.facts, routes, call.startedAtMs);
    this.callPlan = callPlan;
    if (refusal !== null) throw refusal;
    this.estimate = estimate;
    this.tokens = this.estimate.tokens;
    // Without a budget nobody asks for money.
    this.leastNanos = this.hasBudget ? this.estimate.leastNanos : 0;
    this.mostNanos = this.hasBudget ? this.estimate.mostNanos : 0;
  }

  get hasBudget(): boolean {
    return this.callPlan.counters.length > 0;
  }

  /**
   * Takes from all limits, or from none. In one process at once, with Redis after one round trip.
   * @throws WeirError limits_unavailable, ledger_unavailable
   */
  admit(organizationId: string, atMs: number): Admission | Promise<Admission> {
    const { meter, ledger } = this.road;
    const { plan, counters } = this.callPlan;
    // Without Redis the counters die with the process: there would be no hold to give back.
    if (!this.hasBudget || !meter.isShared) {
      const asked = meter.admit(plan, this);
      // Requests alone are nothing to give back: there will be no grant to take.
      if (!plan.grants) return asked;
      return asked instanceof Promise ? asked.then((admission) => this.take(admission)) : this.take(asked);
    }
    // On record before the counters know of the hold (the meter sees to it that it is written): were
    // the process to die in between, nobody would give it back.
    ledger.hold({ requestId: this.requestId, atMs, organizationId, counters });
    return this.admitHeld();
  }

  private async admitHeld(): Promise<Admission> {
    const { meter, ledger } = this.road;
    try {
      const admission = this.take(await meter.admit(this.callPlan.plan, this));
      if (!admission.admitted) ledger.releaseHold(this.requestId);
      return admission;
    } catch (error) {
      // What Redis may have taken without an answer is being taken back: its end releases the record.
      if (!meter.isSettling(this.requestId)) ledger.releaseHold(this.requestId);
      throw error;
    }
  }

  private take(admission: Admission): Admission {
    if (!admission.admitted || admission.grant === null) return admission;
    this.grant = admission.grant;
    if (this.hasBudget) this.allowOutput();
    return admission;
  }

  /** How much output what is left of the hold affords. */
  private allowOutput(): void {
    this.outputCap = this.estimate.capFor(this.spareNanos);
    // Without a price for output there is nothing to outrun. A cap of 0 can be: some servers take it for none.
    const tokens = this.estimate.toOutputTokens(this.outputCap);
    if (this.toOutputNanos(Math.max(tokens, EXTENSION_TOKENS)) > 0) this.outrunBytes = tokens * BYTES_PER_TOKEN_AT_MOST;
  }

  /** What is left of the hold; Infinity without a budget. */
  private get spareNanos(): Nanos {
    return this.grant === null || !this.hasBudget ? Infinity : this.grant.heldNanos - this.chargedNanos;
  }

  /** The most that an attempt will be charged, for the record of its intent. Null without a price. */
  toIntentNanos(price: ModelPrice | null): Nanos | null {
    return price === null ? null : Math.min(toCost(price, this.estimate.worstUsage), this.spareNanos);
  }

  /** Before another attempt: whether what the ones before have used up can be held once more. */
  async holdAgain(): Promise<boolean> {
    if (this.grant === null || !this.hasBudget || this.chargedNanos === 0) return true;
    if (this.spareNanos < this.leastNanos) await this.extend(this.grant, this.chargedNanos);
    if (this.spareNanos < this.leastNanos) return false;
    // The cap of the attempt before was for all of the hold.
    this.allowOutput();
    return true;
  }

  /** Charges what an attempt used. Only a charge that the hold does not cover makes anybody wait. */
  charge(price: ModelPrice | null, usage: UsageUnits): Charge | Promise<Charge> {
    this.rows += 1;
    this.chargedTokens += usage.inputTokens + usage.outputTokens;
    if (price === null) return UNPRICED;
    const nanos = toCost(price, usage);
    if (nanos <= this.spareNanos) return this.book(nanos, false);
    return this.chargeOverrun(nanos);
  }

  private async chargeOverrun(nanos: Nanos): Promise<Charge> {
    if (this.grant !== null) await this.extend(this.grant, nanos - this.spareNanos);
    const affordable = Math.max(0, this.spareNanos);
    return this.book(Math.min(nanos, affordable), nanos > affordable);
  }

  private book(nanos: Nanos, isOverrun: boolean): Charge {
    this.chargedNanos += nanos;
    return { nanos, isOverrun };
  }

  /** A stream sends more than its hold is for: it gets more, or `stop` is called. */
  onOutrun(stop: () => void): void {
    const { grant } = this;
    if (grant === null || this.isExtending) return;
    this.isExtending = true;
    const tokens = Math.max(EXTENSION_TOKENS, Math.ceil(this.outrunBytes / BYTES_PER_TOKEN_AT_MOST / 4));
    // At least one: what rounds to nothing would be granted nothing, and the stream would be cut.
    const wanted = Math.max(1, this.toOutputNanos(tokens));
    void this.extend(grant, wanted).then((granted) => {
      this.isExtending = false;
      if (granted <= 0) stop();
      else this.outrunBytes += Math.ceil((tokens * granted) / wanted) * BYTES_PER_TOKEN_AT_MOST;
    });
  }

  /** Whatever an upstream says: the meter takes no more than the largest budget, and would reject. */
  private extend(grant: Grant, nanos: Nanos): Promise<Nanos> {
    return this.road.meter.extend(grant, Math.min(nanos, LARGEST_BUDGET_NANOS));
  }

  private toOutputNanos(tokens: number): Nanos {
    return this.estimate.toOutputNanos(tokens);
  }

  /** Gives back what was not used; again does nothing. Whatever was admitted must come here in the end. */
  settle(): void {
    if (this.grant === null) return;
    // Without a budget there is no hold, and no bound to what an upstream may say that it costs.
    this.road.meter.settle(this.grant, { tokens: this.chargedTokens, nanos: this.hasBudget ? this.chargedNanos : 0, rows: this.rows });
  }
}

const UNPRICED: Charge = Object.freeze({ nanos: null, isOverrun: false });

/** @throws WeirError rate_limit_exceeded or budget_exceeded when it was refused */
export function requireAdmitted(admission: Admission): void {
  if (!admission.admitted) throw toRefusal(admission);
}
