import { type BudgetLimit, type Demand, type Admission, type Grant, type LeaseLimit, type Limit, type LimitPlan, type MeterStore, type WindowLimit } from './meter-store';
import { DAY_MS, makeLimitPlan, MINUTE_MS } from './limit-plan';

/** Two stores over the same counters, as two processes would have them, and a hand on their clock. */
export interface MeterHarness {
  readonly first: MeterStore;
  readonly second: MeterStore;
  /** Sets the clock that both decide by. */
  setNowMs(nowMs: number): void;
}

/** An hour of the epoch that no bucket border falls on. */
export const START_MS = 1_763_600_123_456;
/** Spans end in the year 2100: Redis itself, whose clock no test moves, must not drop their counters. */
const SPAN_END_MS = 4_102_444_800_000;

export const USD = 1_000_000_000;

let subjects = 0;
let requests = 0;

/** Of nobody else: every test has its own counters. */
export function newSubject(): string {
  return `subject-${++subjects}`;
}

export function newRequestId(): string {
  return `00000000-0000-7000-8000-${String(++requests).padStart(12, '0')}`;
}

export function demand(changes: Partial<Demand> = {}): Demand {
  return { requestId: newRequestId(), requests: 1, tokens: 0, leastNanos: 0, mostNanos: changes.leastNanos ?? 0, ...changes };
}

export function requestsOf(subject: string, limit: number, windowMs = MINUTE_MS): WindowLimit {
  const name = windowMs > MINUTE_MS ? 'requests_per_day' : 'requests_per_minute';
  return { kind: 'window', scope: 'key', name, unit: 'requests', subject, windowMs, limit };
}

export function tokensOf(subject: string, limit: number, scope: WindowLimit['scope'] = 'key'): WindowLimit {
  return { kind: 'window', scope, name: 'tokens_per_minute', unit: 'tokens', subject, windowMs: MINUTE_MS, limit };
}

export function leasesOf(subject: string, limit: number): LeaseLimit {
  return { kind: 'lease', scope: 'key', name: 'concurrency', subject, limit };
}

export function budgetOf(subject: string, limit: number, changes: Partial<BudgetLimit> = {}): BudgetLimit {
  const span = { name: 'day:2099-12-31', fromMs: SPAN_END_MS - DAY_MS, toMs: SPAN_END_MS };
  return { kind: 'budget', scope: 'key', name: 'budget', subject, model: null, period: 'day', span, resetAtMs: null, limit, alerts: [], ...changes };
}

export function totalOf(subject: string, limit: number): BudgetLimit {
  return budgetOf(subject, limit, { period: 'total', span: { name: 'total', fromMs: 0, toMs: null } });
}

/** A plan of requests windows of one subject, `[limit, windowMs]` each. */
export function windowPlan(...windows: (readonly [limit: number, windowMs: number])[]): LimitPlan {
  const subject = newSubject();
  return planOf(...windows.map(([limit, windowMs]) => requestsOf(subject, limit, windowMs)));
}

export function planOf(...limits: Limit[]): LimitPlan {
  return makeLimitPlan('organization', limits);
}

/** @throws when Redis did not answer, or a counter was not seeded. */
export async function admit(store: MeterStore, plan: LimitPlan, asked = demand()): Promise<Admission> {
  return decided(await store.admit(plan, asked));
}

export async function peek(store: MeterStore, plan: LimitPlan, asked = demand()): Promise<Admission> {
  return decided(await store.peek(plan, asked));
}

function decided<Value extends object>(answer: Value | null): Exclude<Value, { unseeded: unknown }> {
  if (answer === null) throw new Error('there was no answer');
  if ('unseeded' in answer) throw new Error('a counter was not seeded');
  return answer as Exclude<Value, { unseeded: unknown }>;
}

export async function refused(store: MeterStore, plan: LimitPlan, asked = demand()): Promise<Extract<Admission, { admitted: false }>> {
  const answer = await admit(store, plan, asked);
  if (answer.admitted) throw new Error('admitted, though it should have been refused');
  return answer;
}

export async function granted(store: MeterStore, plan: LimitPlan, asked = demand()): Promise<Grant> {
  const answer = await admit(store, plan, asked);
  if (!answer.admitted || answer.grant === null) throw new Error('there is no grant, though there should be one');
  return answer.grant;
}

export async function settled(store: MeterStore, grant: Grant, nanos: number, tokens = grant.tokens): Promise<readonly { spentNanos: number; heldNanos: number }[]> {
  return decided(await store.settle(grant, { tokens, nanos }));
}

/** As the front does it: lists the holds, which leaves the mark, and sets the sum. */
export async function seed(store: MeterStore, plan: LimitPlan, spentNanos: number): Promise<void> {
  for (const [index, limit] of plan.limits.entries()) {
    if (limit.kind !== 'budget') continue;
    const holds = await store.listHolds(plan.organizationId, plan.keys[index]);
    if ((await store.seed(plan.organizationId, plan.keys[index], limit, spentNanos, false, holds?.mark ?? '')) !== true) throw new Error('not seeded');
  }
}

/** Spent and held in the plan's first budget. */
export async function money(store: MeterStore, plan: LimitPlan): Promise<[spentNanos: number, heldNanos: number] | null> {
  const state = (await store.readBudgets(plan))?.[0] ?? null;
  return state === null ? null : [state.spentNanos, state.heldNanos];
}

/** mulberry32: small, and the same on every machine. */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Everything taken with its time, summed by brute force: what the windows are checked against. */
export class TrailingLog {
  readonly #entries: { readonly atMs: number; readonly amount: number }[] = [];

  constructor(private readonly windowMs: number) {}

  get total(): number {
    return this.#entries.reduce((sum, { amount }) => sum + amount, 0);
  }

  add(atMs: number, amount: number): void {
    this.#entries.push({ atMs, amount });
  }

  /** What was taken in the window that ends at `nowMs`, both ends counted. */
  sumUntil(nowMs: number): number {
    let sum = 0;
    for (let index = this.#entries.length - 1; index >= 0; index--) {
      const { atMs, amount } = this.#entries[index];
      if (atMs < nowMs - this.windowMs) break;
      sum += amount;
    }
    return sum;
  }
}
