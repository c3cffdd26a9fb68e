import { type ModelPrice, parseModelPrice, type PriceTable } from '@weir/ledger';
import { type ModelRoute, type Target } from '@weir/upstreams';
import { type CallBounds, type TargetBounds, toCallBounds } from './call-bounds';
import { toUpstreamModel } from './to-upstream-model';

interface KnownBounds {
  readonly targets: readonly TargetBounds[];
  readonly bounds: CallBounds;
}

/** Names come from callers where a route ends in `*`: beyond so many, all are forgotten and found again. */
const MOST_NAMES = 1_000;

/** What a call costs on its route: the model's own price, else the price table's for each target, else nobody knows. */
export class RoutePrices {
  readonly #table: PriceTable;
  readonly #overrides = new WeakMap<ModelRoute, { readonly price: ModelPrice | null }>();
  readonly #bounds = new WeakMap<ModelRoute, Map<string, KnownBounds>>();

  constructor(table: PriceTable) {
    this.#table = table;
  }

  /**
   * What an attempt at a target costs. Null when nobody has set a price.
   * @param atMs when the request began: the price of then counts, also when it is settled later
   */
  findPrice(route: ModelRoute, target: Target, upstreamModel: string, atMs: number): ModelPrice | null {
    if (route.price !== null && route.price !== undefined) return this.#findOverride(route);
    return this.#table.findPrice(target.upstream, upstreamModel, atMs);
  }

  /** The worst of all targets, for the estimate. The same object for as long as no price changes. */
  getBounds(route: ModelRoute, model: string, atMs: number): CallBounds {
    let byName = this.#bounds.get(route);
    if (byName === undefined) this.#bounds.set(route, (byName = new Map<string, KnownBounds>()));
    const known = byName.get(model);
    const targets = listUsable(route);
    if (known !== undefined && this.#isCurrent(known, route, targets, atMs)) return known.bounds;
    const found = targets.map((target) => this.#toTargetBounds(route, target, model, atMs));
    const bounds = toCallBounds(found);
    if (byName.size >= MOST_NAMES) byName.clear();
    byName.set(model, { targets: found, bounds });
    return bounds;
  }

  #isCurrent(known: KnownBounds, route: ModelRoute, targets: readonly Target[], atMs: number): boolean {
    return known.targets.every(({ price, upstreamModel }, index) => this.findPrice(route, targets[index], upstreamModel, atMs) === price);
  }

  #toTargetBounds(route: ModelRoute, target: Target, model: string, atMs: number): TargetBounds {
    const upstreamModel = toUpstreamModel(target, route.name, model);
    return {
      upstreamModel,
      price: this.findPrice(route, target, upstreamModel, atMs),
      contextWindow: this.#table.findContextWindow(target.upstream, upstreamModel),
    };
  }

  #findOverride(route: ModelRoute): ModelPrice | null {
    let known = this.#overrides.get(route);
    if (known === undefined) this.#overrides.set(route, (known = { price: toOverride(route.price) }));
    return known.price;
  }
}

/** A price that somebody wrote into the table by hand and that cannot be read is no price: never a free model. */
function toOverride(price: unknown): ModelPrice | null {
  try {
    return parseModelPrice(price);
  } catch {
    return null;
  }
}

/** What is switched off takes no call, and its price plays no part; if everything is, nothing is called anyway. */
function listUsable({ targets }: ModelRoute): readonly Target[] {
  if (targets.every((target) => target.upstream.enabled)) return targets;
  const usable = targets.filter((target) => target.upstream.enabled);
  return usable.length === 0 ? targets : usable;
}
