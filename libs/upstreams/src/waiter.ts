import { type PoolRefusal } from './pool-contract';
import { type PoolCandidate, type PoolRoute } from './pool-route';
import { type UpstreamState } from './upstream-state';

/** A call in line. It may wait for several upstreams at once, and takes what comes first. */
export interface Waiter {
  readonly route: PoolRoute;
  /** The name that is asked for. */
  readonly model: string;
  readonly tried: readonly PoolCandidate[];
  readonly affinity: number | null;
  readonly organizationId: string;
  readonly isRetry: boolean;
  /** In whose queues it stands. */
  readonly states: readonly UpstreamState[];
  readonly settle: (result: PoolCandidate | PoolRefusal) => void;
  callOffTimer: () => void;
}
