/**
 * How many open calls this process may have at an upstream. Each process counts its own, so each
 * gets its part of the limit, as limits do without Redis; at least one, or a small upstream would
 * serve nobody once there are more processes than places.
 * @returns Infinity where there is no limit
 */
export function toPlaceShare(concurrency: number | null, processCount: number): number {
  if (concurrency === null) return Number.POSITIVE_INFINITY;
  // A count that is not known (0, NaN) divides by nothing.
  return processCount > 1 ? Math.max(1, Math.floor(concurrency / processCount)) : concurrency;
}
