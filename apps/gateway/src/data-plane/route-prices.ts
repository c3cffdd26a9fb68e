import { type Nanos, type UsageUnits, zeroUsage } from '@weir/kernel';
import { type ModelPrice, parseModelPrice, type PriceTable, toCost } from '@weir/ledger';
import { type ModelRoute, type Target, toUpstreamModel } from '@weir/upstreams';
import { type CallBounds, type TargetBounds, toCallBounds } from './call-bounds';
import { type CallRoute } from './call-routes';

/** What is known of a route; the route itself is replaced where its row changes. */
interface KnownRoute {
  /** Null where it has none, or one that cannot be read. */
  readonly ownPrice: ModelPrice | null;
  readonly bounds: Map<string, KnownBounds>;
}

interface KnownBounds {
  readonly targets: readonly TargetBounds[];
  readonly bounds: CallBounds;
}

/** Of each unit about as much as a call uses that uses it at all. */
const USUAL_CALL: UsageUnits = {
  ...zeroUsage(),
  inputTokens: 1_000,
  outputTokens: 1_000,
  characters: 1_000,
  mediaMs: 60_000,
  images: 1,
  documents: 10,
  gpuMs: 1_000,
  requests: 1,
};

/** Names come from callers where a route ends in `*`: beyond so many, all are forgotten and found again. */
const MOST_NAMES = 1_000;

/** What a call costs on its route: the model's own price, else the price table's for each target, else nobody knows. */
export class RoutePrices {
  readonly #table: PriceTable;
  readonly #proxyPrices = new Map<number, ModelPrice | null>();
  readonly #routes = new WeakMap<ModelRoute, KnownRoute>();

  constructor(table: PriceTable) {
    this.#table = table;
  }

  /**
   * What an attempt at a target costs. Null when nobody has set a price.
   * @param atMs when the request began: the price of then counts, also when it is settled later
   */
  findPrice(route: ModelRoute, target: Target, upstreamModel: string, atMs: number): ModelPrice | null {
    return hasOwnPrice(route) ? this.#know(route).ownPrice : this.#findTablePrice(route, target, upstreamModel, atMs);
  }

  #findTablePrice(route: ModelRoute, target: Target, upstreamModel: string, atMs: number): ModelPrice | null {
    const price = this.#table.findPrice(target.upstream, upstreamModel, atMs);
    // A model that the table does not know has no price: nobody picks a cheap one by a name.
    return price === null && route.operation === 'proxy' && upstreamModel === '' ? this.#findProxyPrice(target) : price;
  }

  /** What a usual call costs at a target, beside others of its route; null without a price. */
  findComparableNanos(route: ModelRoute, target: Target, atMs: number): Nanos | null {
    const price = this.findPrice(route, target, toUpstreamModel(target, route.name, route.name), atMs);
    return price === null ? null : toCost(price, USUAL_CALL);
  }

  /** The worst of all targets, for the estimate. The same object for as long as no price changes. */
  getBounds(route: ModelRoute, model: string, atMs: number): CallBounds {
    const { bounds: byName } = this.#know(route);
    const known = byName.get(model);
    // A price of its own stays for as long as the route does, and so do its targets.
    if (known !== undefined && hasOwnPrice(route)) return known.bounds;
    const targets = listUsable(route);
    if (known !== undefined && this.#isCurrent(known, route, targets, atMs)) return known.bounds;
    const found = targets.map((target) => this.#toTargetBounds(route, target, model, atMs));
    const bounds = toCallBounds(found);
    if (byName.size >= MOST_NAMES) byName.clear();
    byName.set(model, { targets: found, bounds });
    return bounds;
  }

  /** The worst of all models that may answer a call. */
  getWorstBounds(routes: readonly CallRoute[], atMs: number): CallBounds {
    if (routes.length === 1) return this.getBounds(routes[0].route, routes[0].model, atMs);
    return toCallBounds(routes.flatMap(({ route, model }) => listUsable(route).map((target) => this.#toTargetBounds(route, target, model, atMs))));
  }

  #isCurrent(known: KnownBounds, route: ModelRoute, targets: readonly Target[], atMs: number): boolean {
    return known.targets.every(({ price, upstreamModel }, index) => this.#findTablePrice(route, targets[index], upstreamModel, atMs) === price);
  }

  #toTargetBounds(route: ModelRoute, target: Target, model: string, atMs: number): TargetBounds {
    const upstreamModel = toUpstreamModel(target, route.name, model);
    return {
      upstreamModel,
      price: this.findPrice(route, target, upstreamModel, atMs),
      contextWindow: this.#table.findContextWindow(target.upstream, upstreamModel),
    };
  }

  /** What an upstream's owner says that a call costs of which nobody knows what it is. */
  #findProxyPrice({ upstream }: Target): ModelPrice | null {
    const usd = upstream.address.options.proxy_request_usd;
    if (typeof usd !== 'number') return null;
    let known = this.#proxyPrices.get(usd);
    if (known === undefined) this.#proxyPrices.set(usd, (known = toOverride({ per_request_usd: usd })));
    return known;
  }

  #know(route: ModelRoute): KnownRoute {
    let known = this.#routes.get(route);
    if (known === undefined) {
      known = { ownPrice: hasOwnPrice(route) ? toOverride(route.price) : null, bounds: new Map<string, KnownBounds>() };
      this.#routes.set(route, known);
    }
    return known;
  }
}

function hasOwnPrice({ price }: ModelRoute): boolean {
  return price !== null && price !== undefined;
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
