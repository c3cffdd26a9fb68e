import { type UsageUnits, zeroUsage } from '@weir/kernel';
import { type ModelPrice, parseModelPrice, PriceTable, toCost, toDearestPrice } from '.';

const openai = { provider: 'openai', address: { origin: 'https://api.openai.com', basePath: '/v1', options: {} } };
const atMs = Date.parse('2026-11-21T12:00:00Z');
const table = new PriceTable();
const find = (model: string): ModelPrice | null => table.findPrice(openai, model, atMs);

describe('toDearestPrice', () => {
  it('is unknown when one price is, or when there is none', () => {
    expect(toDearestPrice([])).toBeNull();
    expect(toDearestPrice([null])).toBeNull();
    expect(toDearestPrice([parseModelPrice({ input_per_million_usd: 1 }), null])).toBeNull();
  });

  it('is the price itself where there is only one', () => {
    const price = parseModelPrice({ input_per_million_usd: 1 });
    expect(toDearestPrice([price, price])).toBe(price);
  });

  it('is never below any of its prices, at that input or a smaller one, in any tier', () => {
    const prices = ['gpt-5.4', 'gpt-6-sol', 'gpt-4o', 'o3', 'gpt-5.6-sol'].map(find).filter((price) => price !== null);
    prices.push(parseModelPrice({ per_request_usd: 0.5, cache_write_per_million_usd: 90 }));
    expect(prices).toHaveLength(6);
    const dearest = toDearestPrice(prices);
    const sizes = [0, 1, 1_000, 271_999, 272_000, 272_001, 1_000_000];
    for (const most of sizes) {
      for (const inputTokens of sizes.filter((size) => size <= most)) {
        for (const kind of [{}, { cachedInputTokens: inputTokens }, { cacheWriteTokens: inputTokens }]) {
          const usage: UsageUnits = { ...zeroUsage(), inputTokens, outputTokens: 5_000, requests: 1, ...kind };
          const worst: UsageUnits = { ...zeroUsage(), outputTokens: 5_000, requests: 1, inputTokens: most, cacheWriteTokens: most };
          for (const price of prices) expect(toCost(dearest ?? price, worst)).toBeGreaterThanOrEqual(toCost(price, usage));
        }
      }
    }
  });

  it('stays as dear above a threshold where long inputs are cheaper', () => {
    const [low] = parseModelPrice({ input_per_million_usd: 5 }).tiers;
    const [high] = parseModelPrice({ input_per_million_usd: 1 }).tiers;
    const dearest = toDearestPrice([{ tiers: [low, { ...high, aboveInputTokens: 100 }] }]);
    expect(dearest && toCost(dearest, { ...zeroUsage(), inputTokens: 200 })).toBe(200 * 5_000);
  });

  it('takes a long context for dear only where the input can be that long', () => {
    const price = find('gpt-5.4');
    const dearest = toDearestPrice([price]);
    const usage: UsageUnits = { ...zeroUsage(), inputTokens: 271_999, outputTokens: 10 };
    expect(price).not.toBeNull();
    if (price !== null && dearest !== null) expect(toCost(dearest, usage)).toBe(toCost(price, usage));
  });
});
