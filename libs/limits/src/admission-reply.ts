import { type Admission, type Demand, type Grant, type LimitPlan, type LimitState, type Unseeded } from './meter-store';
import { type ReplyReader } from './reply-reader';

/** What a plan without limits gets. */
export const UNLIMITED: Admission = { admitted: true, states: [], grant: null };

const ADMITTED = 0;
const REFUSED = 1;
const UNSEEDED = 2;
const NEVER = -1;

/** How a time until something frees is told in a reply: negative where the limit refused. */
export function toRefusedReset(freesInMs: number): number {
  return freesInMs === Infinity ? NEVER : -1 - freesInMs;
}

/**
 * Reads what became of an admission (see meter.lua.ts): the script writes it, and the in-process twin.
 * Null for an admission that failed by itself.
 * @throws when it is no such reply.
 */
export function readAdmission(plan: LimitPlan, demand: Demand, take: boolean, reply: ReplyReader): Admission | Unseeded | null {
  const status = reply.nextNumber();
  switch (status) {
    case ADMITTED: {
      const states = readStates(plan, reply);
      const grant = readGrant(plan, demand, reply);
      return { admitted: true, states, grant: take && plan.grants ? grant : null };
    }
    case REFUSED:
      return readRefusal(plan, reply);
    case UNSEEDED:
      return { unseeded: Array.from({ length: reply.nextNumber() }, () => reply.nextNumber()) };
    default:
      return null;
  }
}

function readStates(plan: LimitPlan, reply: ReplyReader): LimitState[] {
  const states: LimitState[] = [];
  for (const limit of plan.limits) {
    const used = reply.nextNumber();
    const resetMs = reply.nextNumber();
    const isEndless = limit.kind === 'budget' && limit.span.toMs === null && used > 0;
    // A limit that was lowered may lie below what is used already.
    states.push({ limit, used, remaining: Math.max(0, limit.limit - used), resetMs: isEndless ? Infinity : resetMs });
  }
  return states;
}

function readRefusal(plan: LimitPlan, reply: ReplyReader): Admission {
  const states: LimitState[] = [];
  let refused: LimitState | null = null;
  for (const limit of plan.limits) {
    const used = reply.nextNumber();
    const encodedMs = reply.nextNumber();
    const isEndless = encodedMs === NEVER || (encodedMs >= 0 && limit.kind === 'budget' && limit.span.toMs === null && used > 0);
    const resetMs = isEndless ? Infinity : encodedMs < 0 ? -1 - encodedMs : encodedMs;
    const state = { limit, used, remaining: Math.max(0, limit.limit - used), resetMs };
    states.push(state);
    if (encodedMs < 0 && (refused === null || resetMs > refused.resetMs)) refused = state;
  }
  if (refused === null) throw new Error('the reply names no limit that refused');
  return { admitted: false, refused, states };
}

function readGrant(plan: LimitPlan, demand: Demand, reply: ReplyReader): Grant | null {
  if (!plan.grants) return null;
  const buckets: number[] = [];
  for (const limit of plan.limits) buckets.push(limit.kind === 'window' && limit.unit === 'tokens' ? reply.nextNumber() : 0);
  const heldNanos = plan.wire.hasBudgets ? reply.nextNumber() : 0;
  return { plan, requestId: demand.requestId, tokens: demand.tokens, buckets, heldNanos };
}
