import { type BudgetPeriod, type BudgetSpan, type Nanos } from '@weir/kernel';

export type LimitScope = 'key' | 'project' | 'organization' | 'model' | 'control_plane';
export type WindowName = 'requests_per_minute' | 'requests_per_day' | 'tokens_per_minute' | 'throttled_requests' | 'throttled_block';

/** At most `limit` requests or tokens in any trailing `windowMs`, for `subject`. */
export interface WindowLimit {
  readonly kind: 'window';
  readonly scope: LimitScope;
  readonly name: WindowName;
  /** What an admission takes from it: its requests (usually 1), or its tokens. */
  readonly unit: 'requests' | 'tokens';
  /** The id of what is limited. */
  readonly subject: string;
  readonly windowMs: number;
  readonly limit: number;
}

/** At most `limit` requests open at the same time, for `subject`. */
export interface LeaseLimit {
  readonly kind: 'lease';
  readonly scope: LimitScope;
  readonly name: 'concurrency';
  readonly subject: string;
  readonly limit: number;
}

/** At most `limit` nano-dollars spent and held in one span of the period, for `subject`. */
export interface BudgetLimit {
  readonly kind: 'budget';
  readonly scope: 'key' | 'project' | 'organization';
  readonly name: 'budget';
  readonly subject: string;
  /** The model it is for; null is for all. */
  readonly model: string | null;
  readonly period: BudgetPeriod;
  readonly span: BudgetSpan;
  /** Only what was spent since counts; null: since the span began. */
  readonly resetAtMs: number | null;
  readonly limit: Nanos;
  /** Percentages, ascending, at which somebody is told. */
  readonly alerts: readonly number[];
}

export type Limit = WindowLimit | LeaseLimit | BudgetLimit;

/** What one call asks of the limits of its plan. */
export interface Demand {
  /** Names the call's leases and holds; a UUID. */
  readonly requestId: string;
  readonly requests: number;
  /** Estimated; corrected when the call is settled. May be 0. */
  readonly tokens: number;
  /** A hold smaller than this is no use: the call is refused. */
  readonly leastNanos: Nanos;
  /** The hold is as large as the tightest budget affords, up to this. */
  readonly mostNanos: Nanos;
}

/** One limit as an admission found it, or left it when something was taken. */
export interface LimitState {
  readonly limit: Limit;
  /** Requests, tokens, open requests, or nano-dollars spent and held. */
  readonly used: number;
  readonly remaining: number;
  /**
   * How long until it frees: for the limit that refused, until the demand fits as far as can be known
   * (Infinity when it never will; for a budget until its span ends; for a lease until the first one
   * expires); for any other, until nothing of it is used any more. Milliseconds.
   */
  readonly resetMs: number;
}

/** What an admitted call has taken and will give back: kept by the caller until it settles. */
export interface Grant {
  readonly plan: LimitPlan;
  readonly requestId: string;
  readonly tokens: number;
  /** For each limit of the plan, the sub-bucket in which its tokens were taken; 0 for other limits. */
  readonly buckets: readonly number[];
  /** The hold, the same in every budget of the plan; 0 without budgets. Grows by `extend`. */
  heldNanos: Nanos;
}

export type Admission =
  | {
      readonly admitted: true;
      readonly states: readonly LimitState[];
      /** Null when there is nothing to give back: a plan of request windows only. */
      readonly grant: Grant | null;
    }
  | {
      readonly admitted: false;
      /** Of the limits that refused, the one that frees last: waiting for it is enough. */
      readonly refused: LimitState;
      readonly states: readonly LimitState[];
    };

/** Nothing was taken: the counters of these budgets (by their index in the plan) are not there and must be seeded first. */
export interface Unseeded {
  readonly unseeded: readonly number[];
}

/** Keys that stand side by side among others, the first of them at the index `at`. */
export interface KeysWithin {
  readonly keys: readonly string[];
  readonly at: number;
}

/** How a plan goes over the wire, prebuilt; see meter.lua.ts. */
export interface PlanWire {
  /** Every key of an admission: each limit's, then the one beside it where there is one. */
  readonly keys: readonly string[];
  /** ` kind limit detail` of each limit. */
  readonly text: string;
  /** The whole text of the usual admission: one request taken, nothing to give back. Null when there is something. */
  readonly takeOneText: string | null;
  /** The same for what can be given back: all but the request windows. */
  readonly grantKeys: readonly string[];
  readonly grantText: string;
  /** Where those keys stand among all; null when others lie between them. */
  readonly grantKeysWithin: KeysWithin | null;
  /** Which of the limits are windows of tokens. */
  readonly tokenIndexes: readonly number[];
  readonly hasBudgets: boolean;
}

/** The limits that one admission must pass, all or nothing. Made once for a key and a model, and used again. */
export interface LimitPlan {
  readonly organizationId: string;
  readonly limits: readonly Limit[];
  /** One a limit, all with the organization's hash tag: `rate_limit:{org}:<scope>:<subject>:…`. */
  readonly keys: readonly string[];
  /** Whether an admission has something to give back: tokens, leases or holds. */
  readonly grants: boolean;
  /** When the first span of its budgets ends, and the plan must be made anew; Infinity without budgets. */
  readonly validUntilMs: number;
  /** The plan as it goes over the wire to Redis; `makeLimitPlan` builds it once. */
  readonly wire: PlanWire;
}

/** What a call really used. `nanos` is at most the grant's `heldNanos`. */
export interface Settlement {
  readonly tokens: number;
  readonly nanos: Nanos;
  /** How many rows of the ledger tell of it: `landed` is called for each; 1 when absent. */
  readonly rows?: number;
}

/** One budget after something was settled in it. */
export interface BudgetState {
  readonly spentNanos: Nanos;
  readonly heldNanos: Nanos;
}

/**
 * Where the counters are. `null` from a store on Redis means that Redis did not answer in time; what
 * was asked may have happened all the same, and every method may be called again: `settle`, `restore`
 * and `seed` take effect once.
 */
export interface MeterStore {
  admit(plan: LimitPlan, demand: Demand): Answer<Admission | Unseeded>;
  /** What `admit` would answer now; takes nothing. Counters that are missing count as nothing spent. */
  peek(plan: LimitPlan, demand: Demand): Answer<Admission>;
  /**
   * Ends a grant: leases go, token windows are corrected, each hold becomes `nanos` spent. Whatever of
   * it is not there any more (settled before) is left as it is.
   * A budget whose counter is missing is left with its hold: seed it and ask again; the rest is done.
   * @returns each budget of the plan in the plan's order, as it is then; or which must be seeded first.
   */
  settle(grant: Grant, settlement: Settlement): Answer<readonly BudgetState[] | Unseeded>;
  /**
   * Adds up to `nanos` to the hold, as much as the tightest budget affords, and as much to the grant's
   * `heldNanos`. @returns how much; 0 when the hold is not there.
   */
  extend(grant: Grant, nanos: Nanos): Answer<Nanos>;
  /** The heartbeat of open grants: leases and holds live on. */
  renew(grants: readonly Grant[]): Answer<true>;
  /** Puts the holds and leases of open grants back where they are missing: after Redis has lost its data. */
  restore(grants: readonly Grant[]): Answer<true>;
  /**
   * Without `raise`: sets what is spent where the counter is missing, if the mark that `listHolds` gave is
   * still there. With `raise`: raises what is spent where the counter is there and lower; never lowers it.
   * @returns false when the counter is not there and the mark neither: what was summed up may lack
   *   something, begin anew. Always true with `raise`.
   */
  seed(organizationId: string, counter: string, budget: BudgetLimit, spentNanos: Nanos, raise: boolean, mark: string): Answer<boolean>;
  /** The holds in a budget; leaves a mark in a counter that is missing, which goes when its data or its holds change. */
  listHolds(organizationId: string, counter: string): Answer<HoldList>;
  /** Each budget of the plan in the plan's order; null where the counter is missing. Expired holds are shown as spent. */
  readBudgets(plan: LimitPlan): Answer<readonly (BudgetState | null)[]>;
  /**
   * Adds what was taken before the data was lost, each in the sub-bucket of its age; older than the
   * window: left out. Takes effect once as long as the window has something in it.
   */
  seedWindow(organizationId: string, key: string, windowMs: number, takes: readonly WindowTake[]): Answer<true>;
}

/** Something that was taken from a window `ageMs` ago. */
export interface WindowTake {
  readonly ageMs: number;
  readonly amount: number;
}

export interface HoldList {
  readonly requestIds: readonly string[];
  /** Give it to `seed`. Empty when the counter is there already. */
  readonly mark: string;
}

/** At once from a store in the process; null from Redis when it did not answer. */
export type Answer<Value> = Value | Promise<Value | null>;
