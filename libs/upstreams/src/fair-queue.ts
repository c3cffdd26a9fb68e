/** Assumed of a call's time at an upstream until one is known. */
export const CALL_MS = 1_000;

const AVERAGING_SHARE = 0.2;
/** A call costs its organization something however short it was: else it would be due for ever. */
const LEAST_CHARGE_MS = 1;
/** Organizations that have gone cost a little room: after so many changes they are looked for. */
const SWEEP_AFTER = 256;

interface Flow<Entry> {
  weight: number;
  /** How much time of places it has had, by its weight. Who has had least is due. */
  passMs: number;
  /** How long its calls hold a place, on average. */
  callMs: number;
  readonly waiting: Set<Entry>;
  inService: number;
  /** The number of its latest turn, for a tie. */
  latestTurn: number;
}

/**
 * Who waits for an upstream's places, and who is due: stride scheduling over organizations, first
 * come first served within one. What is shared is the time that places are held, not the number
 * of calls: a call is charged its organization's average when it gets its place, and corrected by
 * what it took. So neither many calls nor long ones take more than a share.
 *
 * An organization that comes back starts where the others are: it has no credit for the time that
 * it was away, and its debt stays until the others have caught up or nobody waits any more.
 */
export class FairQueue<Entry> {
  readonly #flows = new Map<string, Flow<Entry>>();
  /** Where the one who was due last stood. */
  #nowPassMs = 0;
  #turn = 0;
  #callMs: number | null = null;
  #size = 0;
  #inService = 0;
  #changes = 0;

  get size(): number {
    return this.#size;
  }

  waitingOf(organizationId: string): number {
    return this.#flows.get(organizationId)?.waiting.size ?? 0;
  }

  /** @returns its position in line, from 1, if nobody else came */
  enqueue(organizationId: string, weight: number, entry: Entry): number {
    const position = this.positionOf(organizationId, weight);
    const flow = this.#enter(organizationId, weight);
    flow.waiting.add(entry);
    this.#size += 1;
    return position;
  }

  /** Where a call of the organization would stand if it came now. */
  positionOf(organizationId: string, weight: number): number {
    const own = this.#flows.get(organizationId);
    const ownWaiting = own?.waiting.size ?? 0;
    const startMs = Math.max(own?.passMs ?? 0, ownWaiting > 0 ? 0 : this.#nowPassMs);
    const pointMs = startMs + (ownWaiting * (own?.callMs ?? this.#averageMs())) / weight;
    let ahead = ownWaiting;
    for (const flow of this.#flows.values()) {
      if (flow === own || flow.waiting.size === 0 || flow.passMs > pointMs) continue;
      ahead += Math.min(flow.waiting.size, Math.floor(((pointMs - flow.passMs) * flow.weight) / flow.callMs) + 1);
    }
    return ahead + 1;
  }

  remove(organizationId: string, entry: Entry): void {
    if (this.#flows.get(organizationId)?.waiting.delete(entry) !== true) return;
    this.#size -= 1;
    this.#forgetIdle();
  }

  /**
   * Whose turn it is; it stays in line until it is removed.
   * @param isPassedOver what cannot use the place that is free; null for none
   */
  due(isPassedOver: ((entry: Entry) => boolean) | null): Entry | null {
    let due: Entry | null = null;
    let dueFlow: Flow<Entry> | null = null;
    for (const flow of this.#flows.values()) {
      if (flow.waiting.size === 0) continue;
      if (dueFlow !== null && !isBefore(flow, dueFlow)) continue;
      const first = findFirst(flow.waiting, isPassedOver);
      if (first !== null) [due, dueFlow] = [first, flow];
    }
    return due;
  }

  /**
   * The organization gets a place; its call is still in line, and is removed after.
   * @returns what it was charged, for `settle`
   */
  charge(organizationId: string, weight: number): number {
    const flow = this.#enter(organizationId, weight);
    this.#nowPassMs = Math.max(this.#nowPassMs, flow.passMs);
    this.#turn += 1;
    flow.latestTurn = this.#turn;
    flow.inService += 1;
    this.#inService += 1;
    const chargedMs = Math.max(LEAST_CHARGE_MS, flow.callMs);
    flow.passMs += chargedMs / flow.weight;
    return chargedMs;
  }

  /** The place is free again. @param heldMs for how long it was held */
  settle(organizationId: string, chargedMs: number, heldMs: number): void {
    const flow = this.#flows.get(organizationId);
    if (flow === undefined) return;
    flow.passMs += (Math.max(LEAST_CHARGE_MS, heldMs) - chargedMs) / flow.weight;
    flow.inService -= 1;
    this.#inService -= 1;
    flow.callMs += (Math.max(LEAST_CHARGE_MS, heldMs) - flow.callMs) * AVERAGING_SHARE;
    this.#callMs = this.#averageMs() + (Math.max(LEAST_CHARGE_MS, heldMs) - this.#averageMs()) * AVERAGING_SHARE;
    this.#forgetIdle();
  }

  /** How long until so many calls had their turn, at the speed that was measured. */
  toWaitMs(position: number, places: number): number {
    return (position * this.#averageMs()) / Math.max(1, places);
  }

  #averageMs(): number {
    return this.#callMs ?? CALL_MS;
  }

  #enter(organizationId: string, weight: number): Flow<Entry> {
    const known = this.#flows.get(organizationId);
    if (known !== undefined) {
      known.weight = weight;
      // Whoever does not wait falls behind nobody: no credit for the time away.
      if (known.waiting.size === 0) known.passMs = Math.max(known.passMs, this.#nowPassMs);
      return known;
    }
    const flow: Flow<Entry> = { weight, passMs: this.#nowPassMs, callMs: this.#averageMs(), waiting: new Set(), inService: 0, latestTurn: 0 };
    this.#flows.set(organizationId, flow);
    return flow;
  }

  #forgetIdle(): void {
    if (this.#size === 0 && this.#inService === 0) {
      this.#flows.clear();
      this.#nowPassMs = 0;
      return;
    }
    this.#changes += 1;
    if (this.#changes % SWEEP_AFTER !== 0) return;
    for (const [id, { waiting, inService, passMs }] of this.#flows) {
      if (waiting.size === 0 && inService === 0 && passMs <= this.#nowPassMs) this.#flows.delete(id);
    }
  }
}

function isBefore<Entry>(one: Flow<Entry>, other: Flow<Entry>): boolean {
  return one.passMs < other.passMs || (one.passMs === other.passMs && one.latestTurn < other.latestTurn);
}

function findFirst<Entry>(waiting: ReadonlySet<Entry>, isPassedOver: ((entry: Entry) => boolean) | null): Entry | null {
  for (const entry of waiting) if (isPassedOver === null || !isPassedOver(entry)) return entry;
  return null;
}
