import { type Clock } from '@weir/kernel';
import { HeldPlace } from './held-place';
import { type Schedule } from './key-reporter';
import { type PoolRefusal, type QueueTicket, type WaitOptions } from './pool-contract';
import { type PoolJoints, toOrganizationWeight } from './pool-joints';
import { PoolCandidate, type PoolRoute } from './pool-route';
import { CONCURRENCY_RETRY_MS } from './refusal-tally';
import { type Selection } from './selection';
import { type UpstreamState } from './upstream-state';
import { type Waiter } from './waiter';

/** A place that was won and neither taken nor given back is free again after this time. */
export const UNTAKEN_PLACE_MS = 10_000;
/** Not only a finished call lets a waiter go on: keys that cooled and breakers that close say nothing of it. */
export const LOOK_AGAIN_MS = 1_000;
/** Longer than this nobody is told to wait, whatever was measured. */
export const RETRY_AFTER_MAX_MS = 60_000;

const REFUSED_AT_ONCE: PoolRefusal = { refused: true, reason: 'concurrency', retryAfterMs: CONCURRENCY_RETRY_MS };

interface Ending {
  cancel(): void;
}

/**
 * The calls that wait for a place at a full upstream. A place that is freed goes at once to the
 * organization that is due (FairQueue), so nobody who comes later finds it free. It is held for
 * the winner until that begins.
 */
export class PlaceQueue {
  readonly #selection: Selection;
  readonly #clock: Clock;
  readonly #schedule: Schedule;
  readonly #joints: PoolJoints;
  readonly #onGranted: (waiter: Waiter, nowMs: number) => void;
  readonly #waiters = new Set<Waiter>();
  /** Where they wait. */
  readonly #states = new Set<UpstreamState>();
  #callOffLook: (() => void) | null = null;

  constructor(selection: Selection, clock: Clock, schedule: Schedule, joints: PoolJoints, onGranted: (waiter: Waiter, nowMs: number) => void) {
    this.#selection = selection;
    this.#clock = clock;
    this.#schedule = schedule;
    this.#joints = joints;
    this.#onGranted = onGranted;
  }

  get isEmpty(): boolean {
    return this.#waiters.size === 0;
  }

  /** @returns a refusal when there is nothing to wait for, or no room in the line */
  join(route: PoolRoute, tried: readonly PoolCandidate[], nowMs: number, { organizationId, affinity = null, isRetry = false, model = route.name }: WaitOptions): QueueTicket | PoolRefusal {
    const full = this.#selection.listWaitable(route, model, tried, nowMs);
    if (full.length === 0) return this.#takeOrRefuse(route, model, tried, affinity, nowMs);
    const open = full.filter(({ routing }) => routing.queueTimeoutMs > 0);
    if (open.length === 0) return REFUSED_AT_ONCE;
    const states = open.filter(({ queue, routing }) => queue.waitingOf(organizationId) < routing.queueLength);
    if (states.length === 0) return this.#refuseFor(open, organizationId);
    return this.#enter({ route, model, tried, affinity, organizationId, isRetry, states });
  }

  /** A call has ended: its place goes to who is due. */
  freed(state: UpstreamState, nowMs: number): void {
    if (state.queue.size > 0 && state.hasRoom) this.#serve(state, false, nowMs);
  }

  /** Lets all go on who can: a snapshot, or time, may have changed what may be used. */
  serveAll(nowMs: number): void {
    for (const state of this.#states) this.#serve(state, true, nowMs);
  }

  /** Serves what has room; for who comes now and must not overtake. */
  serveFree(nowMs: number): void {
    for (const state of this.#states) if (state.hasRoom) this.#serve(state, false, nowMs);
  }

  /** Nobody is served any more. */
  close(): void {
    for (const waiter of this.#waiters) this.#leave(waiter, REFUSED_AT_ONCE);
  }

  /** Nothing is full any more, or everything else stands in the way. */
  #takeOrRefuse(route: PoolRoute, model: string, tried: readonly PoolCandidate[], affinity: number | null, nowMs: number): QueueTicket | PoolRefusal {
    const picked = this.#selection.select(route, model, tried, affinity, nowMs);
    if (!(picked instanceof PoolCandidate)) return picked;
    return { position: 1, promise: Promise.resolve(picked), cancel: () => undefined };
  }

  #refuseFor(states: readonly UpstreamState[], organizationId: string): PoolRefusal {
    const waitsMs = states.map((state) => state.queue.toWaitMs(state.queue.positionOf(organizationId, this.#weightOf(organizationId)), state.places));
    const retryAfterMs = Math.ceil(Math.min(RETRY_AFTER_MAX_MS, Math.max(CONCURRENCY_RETRY_MS, Math.min(...waitsMs))));
    return { refused: true, reason: 'concurrency', retryAfterMs };
  }

  #enter(about: Omit<Waiter, 'settle' | 'callOffTimer'>): QueueTicket {
    const { states, organizationId } = about;
    const { promise, resolve } = Promise.withResolvers<PoolCandidate | PoolRefusal>();
    let ending: Ending = { cancel: () => undefined };
    const settle = (result: PoolCandidate | PoolRefusal): void => {
      ending = { cancel: () => this.#giveBack(result) };
      resolve(result);
    };
    const waiter: Waiter = { ...about, settle, callOffTimer: () => undefined };
    const weight = this.#weightOf(organizationId);
    const position = Math.min(...states.map(({ queue }) => queue.enqueue(organizationId, weight, waiter)));
    const longestMs = Math.max(...states.map(({ routing }) => routing.queueTimeoutMs));
    waiter.callOffTimer = this.#schedule(longestMs, () => this.#leave(waiter, null));
    ending = { cancel: () => this.#leave(waiter, REFUSED_AT_ONCE) };
    this.#waiters.add(waiter);
    for (const state of states) this.#states.add(state);
    this.#lookAgainLater();
    return { position, promise, cancel: () => ending.cancel() };
  }

  /** @param looksElsewhere also when this upstream has no room: its waiters may find another one, or nothing to wait for */
  #serve(state: UpstreamState, looksElsewhere: boolean, nowMs: number): void {
    /** Models for which nothing was found: their other waiters would find nothing either. */
    const models = new Map<PoolRoute, Set<string>>();
    const waiters = new Set<Waiter>();
    const isPassedOver = (waiter: Waiter): boolean => waiters.has(waiter) || (waiter.tried.length === 0 && models.get(waiter.route)?.has(waiter.model) === true);
    while (looksElsewhere || state.hasRoom) {
      const waiter = state.queue.due(waiters.size === 0 ? null : isPassedOver);
      if (waiter === null) return;
      const picked = this.#selection.select(waiter.route, waiter.model, waiter.tried, waiter.affinity, nowMs);
      if (picked instanceof PoolCandidate) this.#grant(waiter, picked, nowMs);
      else if (this.#mayGoOn(waiter, nowMs)) {
        waiters.add(waiter);
        models.set(waiter.route, (models.get(waiter.route) ?? new Set<string>()).add(waiter.model));
      } else this.#leave(waiter, picked);
    }
  }

  #mayGoOn({ route, model, tried }: Waiter, nowMs: number): boolean {
    return this.#selection.listWaitable(route, model, tried, nowMs).length > 0;
  }

  #grant(waiter: Waiter, picked: PoolCandidate, nowMs: number): void {
    const { state } = picked.target;
    const { organizationId } = waiter;
    const place = new HeldPlace(state, organizationId, state.queue.charge(organizationId, this.#weightOf(organizationId)));
    const candidate = picked.withPlace(place);
    place.expireBy(this.#schedule(UNTAKEN_PLACE_MS, () => this.#giveBack(candidate)));
    this.#onGranted(waiter, nowMs);
    this.#leave(waiter, candidate);
  }

  #giveBack(result: PoolCandidate | PoolRefusal): void {
    if (result instanceof PoolCandidate) this.release(result);
  }

  /** The call that won a place will not begin. */
  release(candidate: PoolCandidate): void {
    const { place, target, keyState, endpointTicket, keyTicket, firstTryTicket } = candidate;
    if (place !== null && !place.isHeld) return;
    target.state.breaker.release(endpointTicket);
    keyState.release(keyTicket, firstTryTicket);
    if (place === null) return;
    place.end(this.#clock.monotonicMs());
    this.freed(target.state, this.#clock.nowMs());
  }

  /** @param result null: the wait was too long, and the refusal says how long the line behind it is */
  #leave(waiter: Waiter, result: PoolCandidate | PoolRefusal | null): void {
    if (!this.#waiters.delete(waiter)) return;
    waiter.callOffTimer();
    for (const state of waiter.states) {
      state.queue.remove(waiter.organizationId, waiter);
      if (state.queue.size === 0) this.#states.delete(state);
    }
    if (this.isEmpty) this.#stopLooking();
    waiter.settle(result ?? this.#refuseFor(waiter.states, waiter.organizationId));
  }

  #lookAgainLater(): void {
    this.#callOffLook ??= this.#schedule(LOOK_AGAIN_MS, () => {
      this.#callOffLook = null;
      this.serveAll(this.#clock.nowMs());
      if (!this.isEmpty) this.#lookAgainLater();
    });
  }

  #stopLooking(): void {
    this.#callOffLook?.();
    this.#callOffLook = null;
  }

  #weightOf(organizationId: string): number {
    return toOrganizationWeight(this.#joints.organizationWeight(organizationId));
  }
}
