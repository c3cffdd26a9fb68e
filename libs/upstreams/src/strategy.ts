/** How a target is chosen among those of one priority. The table in docs/pool.md says what each does. */
export const STRATEGIES = ['weighted', 'least-busy', 'lowest-latency', 'lowest-cost', 'priority'] as const;

export type Strategy = (typeof STRATEGIES)[number];

/** `session`: calls of one session go to the same target and key, where their prompt is in a cache. */
export const AFFINITIES = ['none', 'session'] as const;

export type Affinity = (typeof AFFINITIES)[number];

/** A strategy that only a newer version knows must not take the model away: it is served by weight. */
export function toStrategy(stored: unknown): Strategy {
  return STRATEGIES.find((known) => known === stored) ?? 'weighted';
}

export function toAffinity(stored: unknown): Affinity {
  return AFFINITIES.find((known) => known === stored) ?? 'none';
}
