import { type Grant } from './meter-store';

/** A call that was admitted and has not ended. */
export interface OpenGrant {
  readonly grant: Grant;
  /** By the process's monotonic clock. */
  readonly openedMs: number;
  /** While Redis was away, or without Redis. */
  readonly wasMadeHere: boolean;
  /** Made, or put back, in this process while Redis was away: to be ended here as well. */
  isHere: boolean;
  /** Not in Redis, as far as is known. */
  needsRestore: boolean;
  /** When something was sent to Redis that puts its hold there, and was not answered: it may be done late. -Infinity: nothing was. */
  uncertainSinceMs: number;
}

/** Younger ones live without a heartbeat. */
const RENEW_AFTER_MS = 10_000;

/** What this process has open, in the order of admission. */
export class OpenGrants {
  readonly #byRequestId = new Map<string, OpenGrant>();

  get size(): number {
    return this.#byRequestId.size;
  }

  add(grant: Grant, openedMs: number, wasMadeHere: boolean): OpenGrant {
    const open: OpenGrant = { grant, openedMs, wasMadeHere, isHere: wasMadeHere, needsRestore: false, uncertainSinceMs: -Infinity };
    this.#byRequestId.set(grant.requestId, open);
    return open;
  }

  find(requestId: string): OpenGrant | null {
    return this.#byRequestId.get(requestId) ?? null;
  }

  remove(requestId: string): OpenGrant | null {
    const open = this.#byRequestId.get(requestId);
    if (open === undefined) return null;
    this.#byRequestId.delete(requestId);
    return open;
  }

  values(): IterableIterator<OpenGrant> {
    return this.#byRequestId.values();
  }

  /** Those that are old enough to need a heartbeat. */
  listToRenew(nowMs: number): Grant[] {
    const due: Grant[] = [];
    for (const open of this.#byRequestId.values()) {
      if (nowMs - open.openedMs < RENEW_AFTER_MS) break;
      due.push(open.grant);
    }
    return due;
  }
}
