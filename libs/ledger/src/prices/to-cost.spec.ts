import { type UsageUnits, zeroUsage } from '@weir/kernel';
import { parseModelPrice, toCost } from '.';

const uses = (part: Partial<UsageUnits>): UsageUnits => ({ ...zeroUsage(), ...part });
const price = parseModelPrice({ input_per_million_usd: 2.5, output_per_million_usd: 10, cached_input_per_million_usd: 1.25, cache_write_per_million_usd: 3.125 });

describe('toCost', () => {
  it('prices cached and written tokens, which are inside the input, at their own rates', () => {
    expect(toCost(price, uses({ inputTokens: 1000, outputTokens: 100, cachedInputTokens: 400, cacheWriteTokens: 200 }))).toBe(400 * 2_500 + 400 * 1_250 + 200 * 3_125 + 100 * 10_000);
  });

  it('prices cached tokens as input when they have no rate', () => {
    expect(toCost(parseModelPrice({ input_per_million_usd: 2.5 }), uses({ inputTokens: 1000, cachedInputTokens: 400, cacheWriteTokens: 100 }))).toBe(2_500_000);
  });

  it('counts reasoning once: it is inside the output', () => {
    expect(toCost(price, uses({ outputTokens: 100, reasoningTokens: 90 }))).toBe(1_000_000);
  });

  it('never charges for a part that is larger than its whole, and never less than nothing', () => {
    expect(toCost(price, uses({ inputTokens: 10, cachedInputTokens: 1000 }))).toBe(10 * 1_250);
    expect(toCost(price, uses({ inputTokens: 10, cachedInputTokens: 8, cacheWriteTokens: 1000 }))).toBe(8 * 1_250 + 2 * 3_125);
    expect(toCost(price, uses({ outputTokens: 10, reasoningTokens: 1000 }))).toBe(100_000);
    expect(toCost(price, uses({ inputTokens: -5, outputTokens: -5, cachedInputTokens: -1, cacheWriteTokens: -1, reasoningTokens: -1, requests: -1, images: -1, mediaMs: -1 }))).toBe(0);
  });

  it('rounds up once, at the end', () => {
    const cheap = parseModelPrice({ input_per_million_usd: 0.0000005, output_per_million_usd: 0.0000005 });
    expect(toCost(cheap, uses({ inputTokens: 1 }))).toBe(1);
    expect(toCost(cheap, uses({ inputTokens: 1000, outputTokens: 1000 }))).toBe(1);
    expect(toCost(cheap, uses({ inputTokens: 1000, outputTokens: 1001 }))).toBe(2);
    expect(toCost(cheap, uses({}))).toBe(0);
    const cheapTime = parseModelPrice({ input_per_million_usd: 0.0000005, per_gpu_second_usd: 0.000000001 });
    expect(toCost(cheapTime, uses({ inputTokens: 1000, gpuMs: 499 }))).toBe(1);
    expect(toCost(cheapTime, uses({ inputTokens: 1000, gpuMs: 500 }))).toBe(1);
    expect(toCost(cheapTime, uses({ inputTokens: 1000, gpuMs: 501 }))).toBe(2);
  });

  it('adds the price of each request that was answered, and none for one that was not', () => {
    const perCall = parseModelPrice({ per_request_usd: 0.01 });
    expect(toCost(perCall, uses({ inputTokens: 5, requests: 1 }))).toBe(10_000_000);
    expect(toCost(perCall, uses({ requests: 3 }))).toBe(30_000_000);
    expect(toCost(perCall, zeroUsage())).toBe(0);
  });

  it('prices every unit there is', () => {
    const all = parseModelPrice({
      input_per_million_usd: 1,
      output_per_million_usd: 1,
      per_request_usd: 0.000001,
      per_thousand_characters_usd: 0.001,
      per_second_usd: 0.001,
      per_image_usd: 0.04,
      per_document_usd: 0.002,
      per_gpu_second_usd: 0.5,
    });
    const usage = uses({ inputTokens: 1, outputTokens: 1, characters: 7, mediaMs: 1_500, images: 2, documents: 3, requests: 1, gpuMs: 250 });
    expect(toCost(all, usage)).toBe(1_000 + 1_000 + 7 * 1_000 + 1_500_000 + 80_000_000 + 6_000_000 + 1_000 + 125_000_000);
  });

  it('stays exact beyond what a product of numbers holds, and whole beyond nine million dollars', () => {
    const dear = parseModelPrice({ input_per_million_usd: 999_999.999999999 });
    const odd = parseModelPrice({ input_per_million_usd: 123.456789012 });
    expect(BigInt(toCost(odd, uses({ inputTokens: 999_999_999 })))).toBe((999_999_999n * 123_456_789_012n + 999_999n) / 1_000_000n);
    expect(toCost(dear, uses({ inputTokens: 1_000_000_000 }))).toBe(1_000 * 999_999_999_999_999 > Number.MAX_SAFE_INTEGER ? Number.MAX_SAFE_INTEGER : NaN);
    expect(toCost(parseModelPrice({ per_request_usd: 10_000 }), uses({ requests: 1_000_000 }))).toBe(Number.MAX_SAFE_INTEGER);
  });
});
