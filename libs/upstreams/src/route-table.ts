import { toFallbacks } from './to-fallbacks';
import { type PoolJoints } from './pool-joints';
import { type ModelInput } from './pool-snapshot';
import { PoolRoute, PoolTarget } from './pool-route';
import { type UpstreamRoster } from './upstream-roster';

/** Finds the route of a model's name: the exact name first, then the longest name ending in `*`. */
export class RouteTable {
  readonly names: readonly string[];
  readonly #exact = new Map<string, PoolRoute>();
  readonly #byPrefix = new Map<string, PoolRoute>();
  /** The lengths that prefixes have, longest first. */
  readonly #prefixLengths: readonly number[];

  constructor(models: readonly ModelInput[], roster: UpstreamRoster, joints: PoolJoints) {
    const named = new Map<PoolRoute, readonly string[]>();
    for (const model of models) {
      const route = toRoute(model, roster, joints);
      named.set(route, model.fallbacks);
      if (model.name.endsWith('*')) this.#byPrefix.set(model.name.slice(0, -1), route);
      else this.#exact.set(model.name, route);
    }
    const lengths = new Set([...this.#byPrefix.keys()].map((prefix) => prefix.length));
    this.#prefixLengths = [...lengths].sort((left, right) => right - left);
    this.names = models.map((model) => model.name).sort();
    for (const [route, names] of named) {
      if (names.length > 0) route.fallbacks = toFallbacks(route, (name) => this.find(name), (of) => named.get(of) ?? []);
    }
  }

  find(name: string): PoolRoute | null {
    const exact = this.#exact.get(name);
    if (exact !== undefined) return exact;
    for (const length of this.#prefixLengths) {
      // The `*` stands for at least one character: there is no model without a name.
      if (length >= name.length) continue;
      const route = this.#byPrefix.get(name.slice(0, length));
      if (route !== undefined) return route;
    }
    return null;
  }
}

function toRoute(model: ModelInput, roster: UpstreamRoster, joints: PoolJoints): PoolRoute {
  const targets: PoolTarget[] = [];
  for (const target of model.targets) {
    const state = roster.find(target.upstreamId);
    // Its upstream's row was unreadable or is gone: the other targets must still serve.
    if (state !== null) targets.push(new PoolTarget(state, target, model.name));
  }
  return new PoolRoute(model, targets, joints);
}
