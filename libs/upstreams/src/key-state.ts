import { CircuitBreaker } from './circuit-breaker';
import { CoolingReason } from './cooling-reason';
import { type KeyView, type PoolKey } from './pool-contract';
import { type OpenedKey } from './pool-snapshot';
import { NO_TICKET, ProbePlace } from './probe-place';
import { toPlaceHash } from './rendezvous';

export const COOLING_DEFAULT_MS = 5_000;
export const COOLING_MIN_MS = 100;
/** No provider's word parks a key for throttling longer than this. */
export const COOLING_MAX_MS = 3_600_000;
export const EXHAUSTED_DEFAULT_MS = 3_600_000;
export const EXHAUSTED_MAX_MS = 86_400_000;
/** A keyless place that is refused cannot be enabled by anybody, so it is tried again after this. */
export const KEYLESS_REFUSED_MS = 60_000;

const TRIAL_UNDER_WAY_RETRY_MS = 1_000;
const ANY_MODEL = '';
/** Callers name models where a target is open: beyond so many, the one that cools the shortest is forgotten. */
const MOST_COOLING = 64;

/** `ready`: takes calls. `trial`: takes one call, to see whether it works again. The rest refuse. */
export type KeyAvailability = 'ready' | 'trial' | 'cooling' | 'exhausted' | 'ejected' | 'disabled';

/** What one key went through and may do now. Time comes from the caller; nothing here waits. */
export class KeyState {
  readonly key: PoolKey;
  /** Fed by faults; open or half-open means ejected. Opened only by the key's upstream, which guards the last key. */
  readonly breaker: CircuitBreaker;
  readonly hash: number;
  readonly #firstTry = new ProbePlace();
  readonly #coolingUntilMs = new Map<string, number>();
  enabled = true;
  openCalls = 0;
  failureCount = 0;
  lastFailureAtMs: number | null = null;
  /** The row as it was last read, to tell news from what is known. */
  seen: OpenedKey | null = null;
  #refused = false;
  #exhausted = false;
  #exhaustedUntilMs = 0;
  #exhaustions = 0;

  constructor(key: PoolKey, random: () => number) {
    this.key = key;
    this.hash = toPlaceHash(key.id ?? '');
    this.breaker = new CircuitBreaker(random);
  }

  get isDisabled(): boolean {
    return this.#refused || !this.enabled;
  }

  /** Refused by the provider, whatever the row's own switch says. */
  get isRefused(): boolean {
    return this.#refused;
  }

  get isEjected(): boolean {
    return !this.breaker.isClosed;
  }

  availabilityFor(upstreamModel: string, nowMs: number): KeyAvailability {
    if (this.isDisabled) return 'disabled';
    if (this.#exhausted && (nowMs < this.#exhaustedUntilMs || !this.#firstTry.isFree(nowMs))) return 'exhausted';
    if (this.#coolingUntilMs.size > 0 && this.#coolsUntilMs(upstreamModel) > nowMs) return 'cooling';
    if (!this.breaker.admits(nowMs)) return 'ejected';
    return this.#exhausted || !this.breaker.isClosed ? 'trial' : 'ready';
  }

  /** How long until it may take a call for the model; null when only a person can tell. */
  retryAfterMs(upstreamModel: string, nowMs: number): number | null {
    if (this.isDisabled) return null;
    const exhaustedMs = this.#exhausted ? this.#exhaustedUntilMs - nowMs : 0;
    const coolingMs = this.#coolsUntilMs(upstreamModel) - nowMs;
    const waitMs = Math.max(exhaustedMs, coolingMs, this.breaker.retryAfterMs(nowMs));
    return waitMs > 0 ? waitMs : TRIAL_UNDER_WAY_RETRY_MS;
  }

  /** Ready for any model: the measure of whether a pool can spare another key. */
  isFullyReady(nowMs: number): boolean {
    if (this.isDisabled || this.isEjected || this.#exhausted) return false;
    return this.#latestCooling(nowMs) === null;
  }

  /** Takes the first-try place of a parked key whose time has come. */
  enterFirstTry(nowMs: number): number {
    return this.#exhausted ? this.#firstTry.take(nowMs) : NO_TICKET;
  }

  start(breakerTicket: number, firstTryTicket: number): void {
    this.breaker.probe.start(breakerTicket);
    this.#firstTry.start(firstTryTicket);
  }

  succeed(breakerTicket: number, firstTryTicket: number, nowMs: number): void {
    this.breaker.succeed(breakerTicket, nowMs);
    if (this.#firstTry.release(firstTryTicket)) this.#exhausted = false;
    // Parked on the first try again, it must wait longer; a success of an older call proves nothing.
    if (!this.#exhausted) this.#exhaustions = 0;
  }

  /** A fault was charged to the key. True when its breaker should open now. */
  fault(breakerTicket: number, firstTryTicket: number, nowMs: number): boolean {
    this.#countFailure(nowMs);
    this.#firstTry.release(firstTryTicket);
    return this.breaker.fail('answer', breakerTicket, nowMs);
  }

  /** The call ended without a verdict on this key. */
  release(breakerTicket: number, firstTryTicket: number): void {
    this.breaker.release(breakerTicket);
    this.#firstTry.release(firstTryTicket);
  }

  /** Throttled for this model: cools, and that is no failure. */
  cool(upstreamModel: string, retryAfterMs: number | null, nowMs: number): void {
    const waitMs = Math.min(Math.max(retryAfterMs ?? COOLING_DEFAULT_MS, COOLING_MIN_MS), COOLING_MAX_MS);
    this.#coolUntil(upstreamModel, nowMs + waitMs);
  }

  /** Quota or credit is used up: parked until the reset the provider named, or longer each time. */
  exhaust(retryAfterMs: number | null, nowMs: number): void {
    this.#countFailure(nowMs);
    const fullMs = retryAfterMs ?? EXHAUSTED_DEFAULT_MS * 2 ** this.#exhaustions;
    // Calls that were under way when it ran out all say so: that is one exhaustion, not many.
    if (!this.#exhausted || nowMs >= this.#exhaustedUntilMs) {
      this.#exhaustions = Math.min(this.#exhaustions + 1, 10);
      this.#exhaustedUntilMs = Math.ceil(nowMs + Math.min(Math.max(fullMs, COOLING_MIN_MS), EXHAUSTED_MAX_MS));
    }
    this.#exhausted = true;
  }

  /** The provider refuses the key: nobody tries it until a person or a changed secret says so. */
  refuse(upstreamModel: string, nowMs: number): void {
    this.#countFailure(nowMs);
    if (this.key.id === null) this.#coolUntil(upstreamModel, nowMs + KEYLESS_REFUSED_MS);
    else this.#refused = true;
  }

  /** Another process, or an earlier life of this one, found the key refused. */
  learnRefused(): void {
    this.#refused = true;
  }

  learnExhausted(untilMs: number, nowMs: number): void {
    if (untilMs <= nowMs) return;
    this.#exhausted = true;
    this.#exhaustions = Math.max(this.#exhaustions, 1);
    this.#exhaustedUntilMs = Math.max(this.#exhaustedUntilMs, Math.min(untilMs, nowMs + EXHAUSTED_MAX_MS));
  }

  learnCooling(reason: string | null, untilMs: number, nowMs: number): void {
    if (untilMs <= nowMs) return;
    // Without the model's name it is safer to spare the whole key than to be throttled again.
    this.#coolUntil(CoolingReason.modelOf(reason) ?? ANY_MODEL, Math.min(untilMs, nowMs + COOLING_MAX_MS));
  }

  /** A person said that the key is good: whatever was held against it is forgotten. */
  learnActive(nowMs: number): void {
    this.#refused = false;
    this.#exhausted = false;
    this.#exhaustions = 0;
    this.#firstTry.clear();
    this.#coolingUntilMs.clear();
    this.breaker.reinstate(nowMs);
  }

  viewAt(nowMs: number): KeyView {
    const { failureCount, lastFailureAtMs } = this;
    const seen = (status: KeyView['status'], reason: string | null, untilMs: number | null): KeyView => ({
      status,
      reason,
      untilMs,
      failureCount,
      lastFailureAtMs,
    });
    if (this.#refused) return seen('disabled', 'the provider refused the key', null);
    if (this.#exhausted) return seen('exhausted', 'quota or credit is used up', this.#exhaustedUntilMs);
    if (this.isEjected) return seen('ejected', 'too many calls failed', Math.ceil(this.breaker.openUntilMs));
    const cooling = this.#latestCooling(nowMs);
    if (cooling !== null) return seen('cooling', CoolingReason.of(cooling), this.#coolingUntilMs.get(cooling) ?? null);
    return seen('active', null, null);
  }

  #countFailure(nowMs: number): void {
    this.failureCount += 1;
    this.lastFailureAtMs = nowMs;
  }

  #coolUntil(upstreamModel: string, untilMs: number): void {
    if (this.#coolingUntilMs.size >= MOST_COOLING && !this.#coolingUntilMs.has(upstreamModel)) this.#forgetSoonest();
    this.#coolingUntilMs.set(upstreamModel, Math.max(Math.ceil(untilMs), this.#coolingUntilMs.get(upstreamModel) ?? 0));
  }

  #coolsUntilMs(upstreamModel: string): number {
    return Math.max(this.#coolingUntilMs.get(upstreamModel) ?? 0, this.#coolingUntilMs.get(ANY_MODEL) ?? 0);
  }

  #forgetSoonest(): void {
    let soonest: string | null = null;
    for (const [model, untilMs] of this.#coolingUntilMs) {
      if (soonest === null || untilMs < (this.#coolingUntilMs.get(soonest) ?? 0)) soonest = model;
    }
    if (soonest !== null) this.#coolingUntilMs.delete(soonest);
  }

  /** The model that cools longest, or null when none does; what has passed is forgotten. */
  #latestCooling(nowMs: number): string | null {
    let latest: string | null = null;
    let latestMs = nowMs;
    for (const [model, untilMs] of this.#coolingUntilMs) {
      if (untilMs <= nowMs) this.#coolingUntilMs.delete(model);
      else if (untilMs > latestMs) [latest, latestMs] = [model, untilMs];
    }
    return latest;
  }
}
