import { type Clock } from '@weir/kernel';
import { type ThrottlerStorage } from '@nestjs/throttler';
import { LARGEST_LIMIT, makeLimitPlan } from './limit-plan';
import { LocalMeterStore } from './local-meter-store';
import { type Admission, type Demand, type LimitPlan, type MeterStore, type WindowName } from './meter-store';
import { type SharedStore } from './shared-store';

/** The hash tag of what belongs to no organization. Not an organization's id, so no key can meet one of theirs. */
const TAG = 'control-plane';
/** Enough for an attack from many addresses, and 60 MB at most. */
const LOCAL_WINDOWS = 50_000;

/** Windows give nothing back, so nobody needs to be named. */
const ONE_REQUEST: Demand = { requestId: '-', requests: 1, tokens: 0, leastNanos: 0, mostNanos: 0 };

type ThrottlerStorageRecord = Awaited<ReturnType<ThrottlerStorage['increment']>>;

/**
 * Nest's throttler over the same windows: in Redis when there is one, else (and while it is away) in
 * this process; throttling never takes the control plane down. Its own local windows, so that a
 * flood of sign-ins cannot push a caller's windows out of memory.
 *
 * Times come in milliseconds and go out in whole seconds, as the guard writes them into headers.
 */
export class LimiterThrottlerStorage implements ThrottlerStorage {
  readonly #shared: SharedStore | null;
  readonly #local: LocalMeterStore;

  constructor(options: { readonly shared: SharedStore | null; readonly clock: Clock }) {
    this.#shared = options.shared;
    this.#local = new LocalMeterStore({ clock: options.clock, maxWindows: LOCAL_WINDOWS });
  }

  async increment(key: string, ttl: number, limit: number, blockDuration: number, throttlerName: string): Promise<ThrottlerStorageRecord> {
    // A limit of 0 means "none at all" to the throttler, and "no limit" to a plan.
    if (limit <= 0) return toRecord(1, ttl, ttl);
    const requests = toPlan('throttled_requests', key, ttl, limit, throttlerName);
    // A block is a window of one: whoever is over the limit takes it, and waits until it frees.
    const block = blockDuration > 0 ? toPlan('throttled_block', key, blockDuration, 1, throttlerName) : null;

    const blockedMs = block === null ? 0 : toWaitMs(await this.#decide(block, false));
    if (blockedMs > 0) {
      const state = (await this.#decide(requests, false)).states[0];
      return toRecord(limit + 1, state.resetMs, blockedMs);
    }
    const admission = await this.#decide(requests, true);
    const state = admission.states[0];
    if (admission.admitted) return toRecord(state.used, state.resetMs, 0);
    const untilUnblockedMs = block === null ? 0 : toBlockMs(await this.#decide(block, true));
    return toRecord(limit + 1, state.resetMs, Math.max(state.resetMs, untilUnblockedMs));
  }

  async #decide(plan: LimitPlan, take: boolean): Promise<Admission> {
    const answer = this.#shared?.check() === true ? await ask(this.#shared.store, plan, take) : null;
    return answer ?? getAnswer(await ask(this.#local, plan, take));
  }
}

async function ask(store: MeterStore, plan: LimitPlan, take: boolean): Promise<Admission | null> {
  const answer = await (take ? store.admit(plan, ONE_REQUEST) : store.peek(plan, ONE_REQUEST));
  return answer === null || 'unseeded' in answer ? null : answer;
}

function getAnswer(answer: Admission | null): Admission {
  if (answer === null) throw new Error('the windows of this process always answer');
  return answer;
}

function toPlan(name: WindowName, key: string, windowMs: number, limit: number, throttlerName: string): LimitPlan {
  // The width is part of the subject: a window changed by configuration begins anew, not with buckets of another width.
  return makeLimitPlan(TAG, [
    {
      kind: 'window',
      scope: 'control_plane',
      name,
      unit: 'requests',
      subject: `${throttlerName}:${key}:${windowMs}`,
      windowMs: Math.max(1, Math.round(windowMs)),
      limit: Math.min(Math.max(1, Math.floor(limit)), LARGEST_LIMIT),
    },
  ]);
}

function toWaitMs(admission: Admission): number {
  return admission.admitted ? 0 : admission.refused.resetMs;
}

/** Taken just now, or by another request a moment before. */
function toBlockMs(admission: Admission): number {
  return admission.states[0].resetMs;
}

function toRecord(totalHits: number, expiresMs: number, blockedMs: number): ThrottlerStorageRecord {
  return {
    totalHits,
    timeToExpire: Math.ceil(expiresMs / 1000),
    isBlocked: blockedMs > 0,
    timeToBlockExpire: Math.ceil(blockedMs / 1000),
  };
}
