import { type ModelId, type Operation, type ScopeLimits, type Secret, type UpstreamId, type UpstreamKeyId } from '@weir/kernel';
import { type FailureClass, type ProviderName, type UpstreamAddress } from '@weir/providers';
import { type Affinity, type Strategy } from './strategy';

/** A key as the pool hands it out. The same object for as long as its secret stays the same. */
export interface PoolKey {
  /** Null for the one keyless place of an upstream that needs no key. */
  readonly id: UpstreamKeyId | null;
  label: string;
  readonly secret: Secret;
}

export interface UpstreamRecord {
  readonly id: UpstreamId;
  readonly name: string;
  readonly provider: ProviderName;
  readonly address: UpstreamAddress;
  readonly timeoutMs: number | null;
  readonly streamTimeoutMs: number | null;
  readonly concurrency: number | null;
  readonly weight: number;
  readonly enabled: boolean;
  readonly keys: readonly PoolKey[];
}

export interface Target {
  readonly upstream: UpstreamRecord;
  /** `*` sends the part of the name that the route's own `*` stood for. */
  readonly upstreamModel: string;
  readonly weight: number;
  readonly priority: number;
}

export interface ModelRoute {
  readonly id: ModelId;
  readonly name: string;
  readonly operation: Operation;
  readonly strategy: Strategy;
  /** Whether an affinity given to `pick` counts; none when not said. */
  readonly affinity?: Affinity;
  /** For all callers of the model together. */
  readonly limits: ScopeLimits;
  readonly targets: readonly Target[];
  /** As it stands in the database; the ledger reads it. */
  readonly price: unknown;
}

/** Another model that may answer when a route cannot. */
export interface FallbackRoute {
  /** The name to ask it by: what the caller's allow-list must permit, and what a `*` stands for. */
  readonly model: string;
  readonly route: ModelRoute;
}

/** Where one attempt goes. Only the pool makes them. */
export interface Candidate {
  readonly target: Target;
  readonly key: PoolKey;
}

/**
 * Why nothing could be picked; of several reasons, the one that ends first.
 * `disabled`: upstreams or keys are switched off, drained or refused for good; waiting does not help.
 * `none_left`: everything usable was tried in this request.
 */
export type PoolRefusalReason = 'disabled' | 'throttled' | 'exhausted' | 'breaker_open' | 'concurrency' | 'none_left';

export interface PoolRefusal {
  readonly refused: true;
  readonly reason: PoolRefusalReason;
  readonly retryAfterMs: number | null;
}

export interface WaitOptions {
  /** Places are shared fairly among these. */
  readonly organizationId: string;
  /** As they were given to `pick`. */
  readonly affinity?: number | null;
  readonly isRetry?: boolean;
  /** The name that is asked for, where the route's ends in `*`. */
  readonly model?: string;
}

/** A call's place in line for an upstream. */
export interface QueueTicket {
  /** From 1, as the line stood when the call joined it. */
  readonly position: number;
  /**
   * The candidate with its place held, for `started` or `release`; or a refusal, when the longest
   * wait is over or there is nothing to wait for any more. Never rejects.
   */
  readonly promise: Promise<Candidate | PoolRefusal>;
  /** The caller left: gives up the place in line, or the place that was won and not started. */
  cancel(): void;
}

export interface HedgePlan {
  /** Without a byte of an answer by then, a second call is worth sending. */
  readonly delayMs: number;
}

export type AttemptOutcome =
  | { readonly kind: 'success' }
  | {
      readonly kind: 'failure';
      readonly failureClass: FailureClass;
      readonly retryAfterMs: number | null;
      /** What the upstream was asked for, where the target leaves it open (`*`); the target's own word when not said. */
      readonly upstreamModel?: string;
    };

/** What people see of a key. */
export type KeyStatus = 'active' | 'cooling' | 'exhausted' | 'disabled' | 'ejected';

export interface KeyView {
  readonly status: KeyStatus;
  readonly reason: string | null;
  /** When the status may end by itself; a reader treats a time that has passed as over. */
  readonly untilMs: number | null;
  readonly failureCount: number;
  readonly lastFailureAtMs: number | null;
}

export interface KeyChange extends KeyView {
  /**
   * Failures since the last change told. `failureCount` is what this process knows; adding this
   * to the stored count instead keeps it right with several processes.
   */
  readonly newFailures: number;
}

/** Takes what the pool learnt of a key, to store it. Called at most once a second per key; must return at once and not throw. */
export interface PoolStateSink {
  keyChanged(id: UpstreamKeyId, change: KeyChange): void;
}

export interface UpstreamDescription {
  readonly id: UpstreamId;
  readonly name: string;
  readonly provider: ProviderName;
  readonly enabled: boolean;
  readonly openCalls: number;
  readonly concurrency: number | null;
  /** This process's share of `concurrency`. */
  readonly places: number | null;
  readonly queue: {
    /** Calls in line; one that waits for several upstreams counts at each. */
    readonly waiting: number;
    /** Places held for calls that won them and have not begun. */
    readonly reserved: number;
  };
  /** Null while it has not been asked. */
  readonly probe: ProbeView | null;
  readonly breaker: {
    readonly state: 'closed' | 'open' | 'half_open';
    /** What it opened on; null while closed. */
    readonly cause: 'connection' | 'answer' | null;
    readonly retryAfterMs: number;
  };
  readonly keyCounts: Readonly<Record<KeyStatus, number>>;
  readonly keys: readonly KeyDescription[];
}

/** What asking after an upstream's health said last. */
export interface ProbeView {
  /** `unreachable`: there was no connection. `unwell`: there was one, and a 5xx or no answer in time. */
  readonly status: 'reachable' | 'unwell' | 'unreachable';
  /** To the answer's head, or to the failure. */
  readonly latencyMs: number;
  readonly atMs: number;
}

export interface KeyDescription extends KeyView {
  readonly id: UpstreamKeyId | null;
  readonly label: string;
  readonly enabled: boolean;
}
