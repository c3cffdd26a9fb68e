import { type Clock } from '@weir/kernel';
import { scheduleByTimer, type Schedule } from './key-reporter';
import { type ProbeView } from './pool-contract';
import { AttemptAbortedError } from './transport-failure';
import { type UpstreamPool } from './upstream-pool';
import { type UpstreamState } from './upstream-state';
import { type TransportController, type TransportHandler, type UpstreamTransport } from './upstream-transport';

export const PROBE_TIMEOUT_MS = 5_000;
/** How often it is looked which upstream is due. */
export const PROBE_TICK_MS = 500;
/** Up to so much of an interval is taken off, so that processes do not all ask at once. */
const JITTER = 0.2;
const MAX_BODY_BYTES = 16 * 1024;
/** No key, and nothing of a caller's: whoever wants one for this answers 401, and that is an answer too. */
const HEADERS = ['accept', '*/*', 'accept-encoding', 'identity', 'user-agent', 'weir'];

export interface HealthProberOptions {
  readonly pool: Pick<UpstreamPool, 'states'>;
  readonly transport: Pick<UpstreamTransport, 'dispatch'>;
  readonly clock: Clock;
  readonly random?: () => number;
  readonly schedule?: Schedule;
}

/**
 * Asks the upstreams that have a probe path whether they are there, so that one that is away is
 * known before a caller finds out, and one that is back before its breaker's time is over. A probe
 * is evidence of connections only: whether the work succeeds, calls alone can tell.
 */
export class HealthProber {
  readonly #pool: Pick<UpstreamPool, 'states'>;
  readonly #transport: Pick<UpstreamTransport, 'dispatch'>;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #schedule: Schedule;
  readonly #dueAtMs = new WeakMap<UpstreamState, number>();
  /** Never two at once for an upstream. */
  readonly #underWay = new Map<UpstreamState, Probe>();
  #callOff: (() => void) | null = null;

  constructor({ pool, transport, clock, random = Math.random, schedule = scheduleByTimer }: HealthProberOptions) {
    this.#pool = pool;
    this.#transport = transport;
    this.#clock = clock;
    this.#random = random;
    this.#schedule = schedule;
  }

  start(): void {
    this.#callOff ??= this.#schedule(PROBE_TICK_MS, () => {
      this.#callOff = null;
      this.start();
      for (const state of this.#pool.states()) this.#look(state);
    });
  }

  /** Asks no more, and takes no answer of what it asked. */
  stop(): void {
    this.#callOff?.();
    this.#callOff = null;
    for (const probe of this.#underWay.values()) probe.abandon();
    this.#underWay.clear();
  }

  #look(state: UpstreamState): void {
    const { probePath, probeIntervalMs } = state.routing;
    if (probePath === null || !state.record.enabled || state.isRemoved) {
      state.probe = null;
      this.#dueAtMs.delete(state);
      return;
    }
    const nowMs = this.#clock.monotonicMs();
    const intervalMs = probeIntervalMs * (1 - JITTER * this.#random());
    const dueAtMs = this.#dueAtMs.get(state);
    // A first look only makes an appointment: not every upstream at once, and none before it is settled.
    if (dueAtMs !== undefined && nowMs < dueAtMs && dueAtMs - nowMs <= probeIntervalMs) return;
    this.#dueAtMs.set(state, nowMs + intervalMs);
    if (dueAtMs !== undefined && !this.#underWay.has(state)) this.#ask(state, probePath, Math.min(PROBE_TIMEOUT_MS, probeIntervalMs));
  }

  #ask(state: UpstreamState, path: string, timeoutMs: number): void {
    const askedMs = this.#clock.monotonicMs();
    const probe = new Probe((status) => {
      this.#underWay.delete(state);
      this.#take(state, { status, latencyMs: Math.round(this.#clock.monotonicMs() - askedMs), atMs: this.#clock.nowMs() });
    });
    this.#underWay.set(state, probe);
    probe.callOffTimer = this.#schedule(timeoutMs, () => probe.expire());
    this.#transport.dispatch(state.record.address.origin, 'GET', path, [...HEADERS], null, timeoutMs, timeoutMs, probe);
  }

  #take(state: UpstreamState, view: ProbeView): void {
    if (state.isRemoved) return;
    state.probe = view;
    if (view.status === 'reachable') state.breaker.reached(view.atMs);
    else if (view.status === 'unreachable') state.breaker.unreached(view.atMs);
  }
}

/** One question, as undici's handler. The answer's body is read and dropped, so that the connection can be kept. */
class Probe implements TransportHandler {
  callOffTimer: () => void = () => undefined;
  #controller: TransportController | null = null;
  #bytes = 0;
  #onEnd: ((status: ProbeView['status']) => void) | null;

  constructor(onEnd: (status: ProbeView['status']) => void) {
    this.#onEnd = onEnd;
  }

  /** The whole of it took too long. */
  expire(): void {
    this.#fail();
    this.#controller?.abort(new AttemptAbortedError());
  }

  abandon(): void {
    this.#onEnd = null;
    this.callOffTimer();
    this.#controller?.abort(new AttemptAbortedError());
  }

  onRequestStart(controller: TransportController): void {
    this.#controller = controller;
    if (this.#onEnd === null) controller.abort(new AttemptAbortedError());
  }

  onResponseStart(_controller: TransportController, status: number): void {
    if (status < 200) return;
    // A 5xx is somebody's answer, but perhaps a front door's whose server is away: proof of nothing.
    this.#end(status < 500 ? 'reachable' : 'unwell');
  }

  onResponseData(controller: TransportController, chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#bytes > MAX_BODY_BYTES) controller.abort(new AttemptAbortedError());
  }

  onResponseEnd(): void {
    this.#fail();
  }

  onResponseError(): void {
    this.#fail();
  }

  /** With a connection somebody is there: a GPU server in the middle of its work may be too busy to say so in time. */
  #fail(): void {
    this.#end(this.#controller === null ? 'unreachable' : 'unwell');
  }

  #end(status: ProbeView['status']): void {
    const onEnd = this.#onEnd;
    if (onEnd === null) return;
    this.#onEnd = null;
    this.callOffTimer();
    onEnd(status);
  }
}
