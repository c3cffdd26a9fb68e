import { type FallbackRoute } from './pool-contract';
import { type PoolRoute } from './pool-route';

export const FALLBACK_DEPTH_MAX = 3;
export const FALLBACKS_MAX = 8;

/**
 * The routes that may answer in a route's place, in the order to try them: its own fallbacks, then
 * theirs. Whatever the rows say (two admins may have written at once), none comes twice, none is
 * the route itself, none does other work, and the list ends.
 */
export function toFallbacks(
  route: PoolRoute,
  find: (model: string) => PoolRoute | null,
  namesOf: (route: PoolRoute) => readonly string[],
): FallbackRoute[] {
  const fallbacks: FallbackRoute[] = [];
  const seen = new Set<PoolRoute>([route]);
  let level: readonly PoolRoute[] = [route];
  for (let depth = 1; depth <= FALLBACK_DEPTH_MAX && level.length > 0; depth += 1) {
    const next: PoolRoute[] = [];
    for (const model of level.flatMap(namesOf)) {
      const found = find(model);
      if (found === null || found.operation !== route.operation || seen.has(found)) continue;
      if (fallbacks.length === FALLBACKS_MAX) return fallbacks;
      seen.add(found);
      next.push(found);
      fallbacks.push({ model, route: found });
    }
    level = next;
  }
  return fallbacks;
}
