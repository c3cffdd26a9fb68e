import { type UpstreamState } from './upstream-state';

/**
 * A place that was won in the queue: held for its call until that begins, then taken by it until
 * that ends. What the call's organization was charged is set right at the end.
 */
export class HeldPlace {
  readonly #state: UpstreamState;
  readonly #organizationId: string;
  readonly #chargedMs: number;
  #phase: 'held' | 'taken' | 'over' = 'held';
  #takenAtMs = 0;
  #callOffTimer: () => void = () => undefined;

  constructor(state: UpstreamState, organizationId: string, chargedMs: number) {
    this.#state = state;
    this.#organizationId = organizationId;
    this.#chargedMs = chargedMs;
    state.reserved += 1;
  }

  get isHeld(): boolean {
    return this.#phase === 'held';
  }

  /** @param callOff stops the timer that gives the place back when nobody takes it */
  expireBy(callOff: () => void): void {
    this.#callOffTimer = callOff;
  }

  take(nowMs: number): void {
    if (this.#phase !== 'held') return;
    this.#unhold();
    this.#phase = 'taken';
    this.#takenAtMs = nowMs;
  }

  /** The call is over, or never began. */
  end(nowMs: number): void {
    if (this.#phase === 'over') return;
    if (this.#phase === 'held') this.#unhold();
    const heldMs = this.#phase === 'taken' ? nowMs - this.#takenAtMs : 0;
    this.#phase = 'over';
    this.#state.queue.settle(this.#organizationId, this.#chargedMs, heldMs);
  }

  #unhold(): void {
    this.#callOffTimer();
    this.#state.reserved -= 1;
  }
}
