import { type Nanos, type UsageUnits } from '@weir/kernel';
import { type ModelPrice } from './model-price';

/**
 * What one attempt costs: exact, then rounded up once to a whole nano-dollar. Cached tokens are
 * inside the input and priced at their own rate if there is one; an upstream that reports more
 * cached than input tokens is not paid for the difference. Beyond nine million dollars it stays there.
 */
export function toCost(price: ModelPrice, usage: UsageUnits): Nanos {
  const cachedTokens = Math.min(usage.cachedInputTokens, usage.inputTokens);
  const cachedRate = price.cachedInputNanosPerMillion ?? price.inputNanosPerMillion;
  const millionths =
    (usage.inputTokens - cachedTokens) * price.inputNanosPerMillion +
    cachedTokens * cachedRate +
    usage.outputTokens * price.outputNanosPerMillion;
  // Each product and each sum is exact as long as the last of them is: none is negative.
  if (millionths <= Number.MAX_SAFE_INTEGER) return Math.ceil(millionths / 1_000_000) + price.requestNanos;
  return toLargeCost(price, usage.inputTokens - cachedTokens, cachedTokens, usage.outputTokens);
}

function toLargeCost(price: ModelPrice, freshTokens: number, cachedTokens: number, outputTokens: number): Nanos {
  const millionths =
    BigInt(freshTokens) * BigInt(price.inputNanosPerMillion) +
    BigInt(cachedTokens) * BigInt(price.cachedInputNanosPerMillion ?? price.inputNanosPerMillion) +
    BigInt(outputTokens) * BigInt(price.outputNanosPerMillion);
  const nanos = (millionths + 999_999n) / 1_000_000n + BigInt(price.requestNanos);
  return nanos > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(nanos);
}
