import { type ModelId, NO_LIMITS, Secret, type UpstreamId } from '@weir/kernel';
import { PriceTable, toTier } from '@weir/ledger';
import { type ModelRoute, type Target, toUpstreamModel } from '@weir/upstreams';
import { RoutePrices } from './route-prices';

const prices = new RoutePrices(new PriceTable());
const nowMs = Date.parse('2026-11-21T12:00:00Z');

function toTarget(upstreamModel: string, { enabled = true, origin = 'https://api.openai.com', provider = 'openai' as const } = {}): Target {
  return {
    upstreamModel,
    weight: 100,
    priority: 0,
    upstream: {
      id: 'u' as UpstreamId,
      name: 'u',
      provider,
      address: { origin, basePath: '/v1', options: {} },
      timeoutMs: null,
      streamTimeoutMs: null,
      concurrency: null,
      weight: 100,
      enabled,
      keys: [{ id: null, label: 'k', secret: new Secret('k') }],
    },
  };
}

function toRoute(targets: Target[], price: unknown = null, name = 'm'): ModelRoute {
  return { id: 'm' as ModelId, name, operation: 'chat', strategy: 'weighted', targets, price, limits: NO_LIMITS };
}

describe('the price of a route', () => {
  it("is the model's own before the price table's", () => {
    const target = toTarget('gpt-4o');
    const rateOf = (price: unknown) => {
      const found = prices.findPrice(toRoute([target], price), target, 'gpt-4o', nowMs);
      return found === null ? null : toTier(found, 0).rates.inputNanosPerMillion;
    };
    expect(rateOf(null)).toBe(2_500_000_000);
    expect(rateOf({ input_per_million_usd: 1 })).toBe(1_000_000_000);
    expect(rateOf({ input_per_million_usd: 0 })).toBe(0);
  });

  it('is unknown, and never free, where the model’s own cannot be read', () => {
    const target = toTarget('gpt-4o');
    expect(prices.findPrice(toRoute([target], {}), target, 'gpt-4o', nowMs)).toBeNull();
    expect(prices.findPrice(toRoute([target], { input_per_milion_usd: 5 }), target, 'gpt-4o', nowMs)).toBeNull();
    expect(prices.findPrice(toRoute([target], 'free'), target, 'gpt-4o', nowMs)).toBeNull();
  });

  it('follows the name that a `*` stands for', () => {
    const target = toTarget('*');
    const route = toRoute([target], null, 'openai/*');
    expect(toUpstreamModel(target, route.name, 'openai/gpt-4o')).toBe('gpt-4o');
    expect(prices.getBounds(route, 'openai/gpt-4o', nowMs)).toMatchObject({ contextWindow: 128_000 });
    expect(prices.getBounds(route, 'openai/o3', nowMs)).toMatchObject({ contextWindow: 200_000 });
    expect(prices.getBounds(route, 'openai/no-such-model', nowMs).price).toBeNull();
  });

  it('is unknown when one target that may be called has none', () => {
    expect(prices.getBounds(toRoute([toTarget('gpt-4o'), toTarget('private')]), 'm', nowMs).price).toBeNull();
    expect(prices.getBounds(toRoute([toTarget('gpt-4o'), toTarget('private', { enabled: false })]), 'm', nowMs).price).not.toBeNull();
    expect(prices.getBounds(toRoute([]), 'm', nowMs).price).toBeNull();
  });

  it('is worked out once, and anew on the day on which it changes', () => {
    const route = toRoute([toTarget('gpt-5.6-sol'), toTarget('gpt-4o')]);
    const before = prices.getBounds(route, 'm', Date.parse('2026-08-20T10:00:00Z'));
    expect(prices.getBounds(route, 'm', Date.parse('2026-08-20T23:59:59Z'))).toBe(before);
    const after = prices.getBounds(route, 'm', Date.parse('2026-08-21T00:00:00Z'));
    expect(before.price && toTier(before.price, 0).rates.outputNanosPerMillion).toBe(30_000_000_000);
    expect(after.price && toTier(after.price, 0).rates.outputNanosPerMillion).toBe(20_000_000_000);
  });

  it('is remembered, but not for every name that callers make up', () => {
    const route = toRoute([toTarget('*')], null, '*');
    const remembered = prices.getBounds(route, 'gpt-4o', nowMs);
    expect(prices.getBounds(route, 'gpt-4o', nowMs)).toBe(remembered);
    for (let index = 0; index < 1_001; index += 1) prices.getBounds(route, `made-up-${index}`, nowMs);
    expect(prices.getBounds(route, 'gpt-4o', nowMs)).not.toBe(remembered);
    expect(prices.getBounds(route, 'gpt-4o', nowMs)).toEqual(remembered);
  });
});
