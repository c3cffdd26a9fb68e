import { EventWindow } from './event-window';
import { LET_THROUGH, NO_TICKET, ProbePlace } from './probe-place';

export type BreakerState = 'closed' | 'open' | 'half_open';

/** What a failure, or a breaker's opening, was made of: no connection at all, or a bad answer or none in time. */
export type FaultKind = 'connection' | 'answer';

export const FAULTS_IN_A_ROW = 5;
export const RATE_OUTCOMES = 20;
export const RATE_WINDOW_MS = 30_000;
export const OPEN_MS = 30_000;
export const OPEN_MAX_MS = 300_000;
export const SUCCESSES_TO_CLOSE = 3;
export const RAMP_MS = 30_000;
export const HEALTHY_MS = 300_000;
/** Health probes in a row that reached nobody. */
export const UNREACHED_TO_OPEN = 3;

const RATE_BUCKETS = 30;
const RAMP_FLOOR = 0.1;
/** Jitter only shortens, so the maximum holds. */
const JITTER = 0.2;
const PROBE_UNDER_WAY_RETRY_MS = 1_000;

/**
 * closed → open → half-open → closed, with time and randomness handed in. One per upstream (fed
 * by connection failures and faults) and one per key (faults only). The table in docs/pool.md
 * is this class in words.
 */
export class CircuitBreaker {
  readonly probe = new ProbePlace();
  readonly #random: () => number;
  readonly #outcomes = new EventWindow(RATE_WINDOW_MS, RATE_BUCKETS);
  #state: BreakerState = 'closed';
  #cause: FaultKind = 'answer';
  /** Faults since the last success, and connection failures since the last sign of life. */
  #faultRun = 0;
  #connectionRun = 0;
  #successRun = 0;
  /** How often it opened since it was last healthy for a while. */
  #openings = 0;
  #openUntilMs = 0;
  #closedAtMs = Number.NEGATIVE_INFINITY;
  #rampFromMs = Number.NEGATIVE_INFINITY;
  /** Health probes that reached nobody since anybody did. */
  #unreached = 0;
  /** A health probe ended this opening early once; if calls still failed, the full time holds. */
  #wasHastened = false;

  constructor(random: () => number) {
    this.#random = random;
  }

  stateAt(nowMs: number): BreakerState {
    if (this.#state === 'open' && this.#remainingMs(nowMs) <= 0) {
      this.#state = 'half_open';
      this.#successRun = 0;
    }
    return this.#state;
  }

  get cause(): FaultKind {
    return this.#cause;
  }

  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  /** The latest outcome that counted was a failure. */
  get isFailing(): boolean {
    return this.#faultRun > 0;
  }

  get openUntilMs(): number {
    return this.#openUntilMs;
  }

  admits(nowMs: number): boolean {
    const state = this.stateAt(nowMs);
    return state === 'closed' || (state === 'half_open' && this.probe.isFree(nowMs));
  }

  /**
   * Whether a call may pass although the breaker does not admit it, because nothing else is left.
   * Never when nobody could be connected to: there failing at once is the kinder answer.
   */
  letsLastThrough(): boolean {
    return this.#cause === 'answer';
  }

  /** The ticket of a call that is about to be made: a probe's, an ordinary one, or one let through. */
  enter(nowMs: number): number {
    const state = this.stateAt(nowMs);
    if (state === 'closed') return NO_TICKET;
    if (state === 'half_open' && this.probe.isFree(nowMs)) return this.probe.take(nowMs);
    return LET_THROUGH;
  }

  /** How long until a call may be admitted; 0 when it may be now. */
  retryAfterMs(nowMs: number): number {
    if (this.admits(nowMs)) return 0;
    return this.#state === 'open' ? this.#remainingMs(nowMs) : PROBE_UNDER_WAY_RETRY_MS;
  }

  /** The share of its weight that selection gives it: it grows over the ramp after closing. */
  rampAt(nowMs: number): number {
    const share = (nowMs - this.#rampFromMs) / RAMP_MS;
    if (share >= 1 || share < 0) return 1;
    return RAMP_FLOOR + (1 - RAMP_FLOOR) * share;
  }

  succeed(ticket: number, nowMs: number): void {
    this.#connectionRun = 0;
    this.#unreached = 0;
    if (this.stateAt(nowMs) === 'closed') {
      this.#faultRun = 0;
      this.#outcomes.add(false, nowMs);
      return;
    }
    // A call that began before the opening proves nothing about now.
    if (ticket === NO_TICKET) return;
    this.probe.release(ticket);
    this.#successRun += 1;
    if (this.#successRun >= SUCCESSES_TO_CLOSE) this.#close(nowMs);
  }

  /**
   * Counts a failure. True when a closed breaker should open now: the owner then calls `open`, or
   * leaves it (a last key is never ejected) and is asked again by the next failure.
   */
  fail(kind: FaultKind, ticket: number, nowMs: number): boolean {
    const state = this.stateAt(nowMs);
    if (state !== 'closed') {
      if (ticket !== NO_TICKET) this.#failTrial(kind, ticket, state, nowMs);
      return false;
    }
    this.#faultRun += 1;
    this.#countConnection(kind);
    this.#outcomes.add(true, nowMs);
    if (this.#faultRun >= FAULTS_IN_A_ROW) return true;
    const total = this.#outcomes.total(nowMs);
    return total >= RATE_OUTCOMES && this.#outcomes.bad(nowMs) * 2 >= total;
  }

  /**
   * The far side answered, but the answer says nothing about whether it works: the caller's
   * mistake, a refused key, throttling. That proves the connection and no more: a stream of bad
   * requests must not hide 500s, nor close a breaker that opened on them.
   */
  showLife(ticket: number, nowMs: number): void {
    this.#connectionRun = 0;
    this.#unreached = 0;
    if (this.stateAt(nowMs) !== 'closed' && this.#cause === 'connection') this.succeed(ticket, nowMs);
    else this.probe.release(ticket);
  }

  /** The call ended without a verdict (aborted): its place, if it held one, is free. */
  release(ticket: number): void {
    this.probe.release(ticket);
  }

  open(nowMs: number): void {
    if (this.#state === 'closed' && nowMs - this.#closedAtMs >= HEALTHY_MS) this.#openings = 0;
    // Only an unbroken run of connection failures shows that nobody is there. A share of them
    // among good answers does not: then the last endpoint stays reachable.
    this.#cause = this.#connectionRun >= FAULTS_IN_A_ROW ? 'connection' : 'answer';
    this.#reopen(nowMs);
  }

  /** Back to closed without proof: its key may no longer stay ejected. */
  reinstate(nowMs: number): void {
    if (this.#state !== 'closed') this.#close(nowMs);
  }

  /**
   * A health probe, which is no call, got an answer. That proves a connection and nothing else: it
   * ends a run of failed ones, and lets calls try sooner where the breaker opened on those.
   */
  reached(nowMs: number): void {
    this.#connectionRun = 0;
    this.#unreached = 0;
    if (this.stateAt(nowMs) !== 'open' || this.#cause !== 'connection' || this.#wasHastened) return;
    this.#wasHastened = true;
    this.#openUntilMs = nowMs;
  }

  /** A health probe reached nobody. Several in a row, with no call between them that did, open the breaker. */
  unreached(nowMs: number): void {
    this.#unreached += 1;
    if (this.#unreached < UNREACHED_TO_OPEN) return;
    const state = this.stateAt(nowMs);
    if (state === 'open' && this.#cause === 'connection') return;
    // The probe of a call that is under way decides by itself.
    if (state === 'half_open' && !this.probe.isFree(nowMs)) return;
    if (state === 'closed' && nowMs - this.#closedAtMs >= HEALTHY_MS) this.#openings = 0;
    this.#cause = 'connection';
    this.#reopen(nowMs);
  }

  #failTrial(kind: FaultKind, ticket: number, state: BreakerState, nowMs: number): void {
    this.#successRun = 0;
    this.#countConnection(kind);
    const wasProbe = this.probe.release(ticket);
    const nobodyThere = this.#connectionRun >= FAULTS_IN_A_ROW;
    if (state === 'half_open' && wasProbe) {
      const stillNobody = this.#cause === 'connection' && kind === 'connection';
      this.#cause = nobodyThere || stillNobody ? 'connection' : 'answer';
      this.#reopen(nowMs);
    } else if (nobodyThere && this.#cause === 'answer') {
      // Calls let through found that it got worse: from bad answers to nobody there.
      this.#cause = 'connection';
      this.#reopen(nowMs);
    }
  }

  #countConnection(kind: FaultKind): void {
    this.#connectionRun = kind === 'connection' ? this.#connectionRun + 1 : 0;
  }

  #reopen(nowMs: number): void {
    const fullMs = Math.min(OPEN_MS * 2 ** this.#openings, OPEN_MAX_MS);
    this.#openUntilMs = nowMs + fullMs * (1 - JITTER * this.#random());
    this.#openings += 1;
    this.#state = 'open';
    this.#successRun = 0;
    this.probe.clear();
    this.#outcomes.clear();
  }

  #close(nowMs: number): void {
    this.#state = 'closed';
    this.#faultRun = 0;
    this.#connectionRun = 0;
    this.#closedAtMs = nowMs;
    this.#wasHastened = false;
    this.#rampFromMs = nowMs;
    this.probe.clear();
    this.#outcomes.clear();
  }

  #remainingMs(nowMs: number): number {
    // After a clock was set back, an opening must not last longer than any could have.
    if (this.#openUntilMs - nowMs > OPEN_MAX_MS) this.#openUntilMs = nowMs + OPEN_MAX_MS;
    return this.#openUntilMs - nowMs;
  }
}
