/** What a key, a project, an organization or a model may do. Null: nothing is said here; 0: no such limit. */
export interface ScopeLimits {
  readonly requestsPerMinute: number | null;
  readonly requestsPerDay: number | null;
  readonly tokensPerMinute: number | null;
  /** Requests open at the same time. */
  readonly concurrency: number | null;
}

export const NO_LIMITS: ScopeLimits = Object.freeze({ requestsPerMinute: null, requestsPerDay: null, tokensPerMinute: null, concurrency: null });
