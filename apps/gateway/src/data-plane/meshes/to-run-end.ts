import { type WeirError } from '@weir/kernel';
import { type MeshError } from './mesh-job';
import { MOST_RUNS } from './mesh-table';

/** What becomes of a job after a run. */
export type RunEnd =
  | { readonly kind: 'completed'; readonly body: Buffer }
  | { readonly kind: 'failed'; readonly error: MeshError }
  /** It is run again, after a while. */
  | { readonly kind: 'waits'; readonly afterMs: number; /** The run was one of those that a job has. */ readonly counts: boolean; readonly reason: MeshError | null };

export interface RunFacts {
  /** How often this run has called an upstream. */
  readonly attempts: number;
  /** Runs of the job, with this one. */
  readonly runs: number;
  /** How long the job may still wait. */
  readonly remainingMs: number;
}

/** The first wait of a job that nobody says how long to wait with; doubled for each run. */
const FIRST_WAIT_MS = 5_000;
const LEAST_WAIT_MS = 500;

/**
 * What becomes of a job whose run has failed: what a caller could do better fails it, a limit or a
 * full upstream makes it wait, and an upstream that failed is tried again with another run.
 */
export function toRunEnd(error: WeirError, { attempts, runs, remainingMs }: RunFacts): RunEnd {
  const reason: MeshError = { code: error.code, message: error.message };
  // A limit that no waiting satisfies names no time.
  const isForEver = !error.row.retryHelps || (error.code === 'rate_limit_exceeded' && error.retryAfterMs === null);
  // Who was not let in, by a limit or by a pool that is full, has not had its turn.
  const counts = attempts > 0 || error.code === 'internal_error';
  if (isForEver || (counts && runs >= MOST_RUNS)) return { kind: 'failed', error: reason };
  const afterMs = Math.max(LEAST_WAIT_MS, error.retryAfterMs ?? FIRST_WAIT_MS * 2 ** (runs - 1));
  return afterMs < remainingMs ? { kind: 'waits', afterMs, counts, reason } : { kind: 'failed', error: reason };
}
