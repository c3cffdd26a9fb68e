import { type Nanos, type UsageUnits } from '@weir/kernel';
import { type Attempt } from '../attempt';
import { type AttemptFailure } from '../attempt-failure';
import { type RelayCall } from '../relay-call';
import { type AttemptPlace } from '../settle';

/** Begins the traces of calls. The road knows no more of them than this: what makes them reads the road's own types. */
export interface CallTracer {
  /** Of a call that has just come. */
  begin(call: RelayCall): CallTracing;
}

/** The trace of one call, as the road sees it. */
export interface CallTracing {
  readonly traceId: string;
  /** Somebody will see it. */
  readonly isSampled: boolean;
  /** The headers of an attempt, with those of the trace where its upstream may know it. */
  toUpstreamHeaders(attempt: Attempt, headers: string[]): string[];
  /** An attempt has been settled. */
  attempted(place: AttemptPlace, failure: AttemptFailure | null, usage: UsageUnits, costNanos: Nanos | null): void;
  /** The call is over. */
  ended(durationMs: number): void;
}
