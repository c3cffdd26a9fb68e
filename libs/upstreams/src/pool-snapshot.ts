import { type ModelId, type Operation, type ScopeLimits, type Secret, type UpstreamId, type UpstreamKeyId } from '@weir/kernel';
import { type ProviderName, type UpstreamAddress } from '@weir/providers';
import { type KeyStatus } from './pool-contract';
import { type Affinity, type Strategy } from './strategy';

/** A provider's key, opened. The vault makes it; the pool keeps it in memory. */
export interface OpenedKey {
  readonly id: UpstreamKeyId;
  readonly upstreamId: UpstreamId;
  readonly label: string;
  readonly secret: Secret;
  readonly enabled: boolean;
  readonly status: KeyStatus;
  readonly statusReason?: string | null;
  readonly statusUntilMs: number | null;
  readonly failureCount: number;
  /**
   * Differs whenever the row was written: `updated_at`, say. Only used to notice that a row says
   * `active` anew; a replaced secret is noticed by itself.
   */
  readonly revision: string;
}

export interface UpstreamInput {
  readonly id: UpstreamId;
  readonly name: string;
  readonly provider: ProviderName;
  readonly address: UpstreamAddress;
  readonly timeoutMs: number | null;
  readonly streamTimeoutMs: number | null;
  readonly concurrency: number | null;
  readonly weight: number;
  readonly enabled: boolean;
}

export interface TargetInput {
  readonly upstreamId: UpstreamId;
  readonly upstreamModel: string;
  readonly weight: number;
  readonly priority: number;
}

export interface ModelInput {
  readonly id: ModelId;
  readonly name: string;
  readonly operation: Operation;
  readonly strategy: Strategy;
  readonly affinity: Affinity;
  /** Names of models that may answer in its place, the first one first. */
  readonly fallbacks: readonly string[];
  readonly limits: ScopeLimits;
  readonly price: unknown;
  readonly targets: readonly TargetInput[];
}

/** Everything the pool runs on, as one consistent reading of the database. */
export interface PoolSnapshot {
  readonly upstreams: readonly UpstreamInput[];
  readonly keys: readonly OpenedKey[];
  readonly models: readonly ModelInput[];
}
