import { type Nanos, type UsageUnits } from '@weir/kernel';
import { type ModelPrice, type PriceRates, toTier } from './model-price';

/**
 * What one attempt costs: exact, then rounded up once to a whole nano-dollar. Cached and written
 * tokens are inside the input, reasoning inside the output, each at its own rate; an upstream that
 * reports a part larger than its whole is not paid for the difference. Never negative; beyond nine
 * million dollars it stays there.
 */
export function toCost(price: ModelPrice, usage: UsageUnits): Nanos {
  const inputTokens = Math.max(usage.inputTokens, 0);
  const { rates } = toTier(price, inputTokens);
  if (hasOtherUnits(usage)) return toLargeCost(rates, usage);
  const cachedTokens = toPart(usage.cachedInputTokens, inputTokens);
  const writtenTokens = toPart(usage.cacheWriteTokens, inputTokens - cachedTokens);
  const outputTokens = Math.max(usage.outputTokens, 0);
  const reasoningTokens = toPart(usage.reasoningTokens, outputTokens);
  const millionths =
    (inputTokens - cachedTokens - writtenTokens) * rates.inputNanosPerMillion +
    cachedTokens * rates.cachedInputNanosPerMillion +
    writtenTokens * rates.cacheWriteNanosPerMillion +
    (outputTokens - reasoningTokens) * rates.outputNanosPerMillion +
    reasoningTokens * rates.reasoningNanosPerMillion;
  // Each product and each sum is exact as long as the last of them is: none is negative.
  if (millionths > Number.MAX_SAFE_INTEGER) return toLargeCost(rates, usage);
  const nanos = Math.ceil(millionths / 1_000_000) + Math.max(usage.requests, 0) * rates.requestNanos;
  return Math.min(nanos, Number.MAX_SAFE_INTEGER);
}

/** What a part of a whole can be at most. */
function toPart(part: number, whole: number): number {
  return Math.min(Math.max(part, 0), whole);
}

function hasOtherUnits(usage: UsageUnits): boolean {
  return usage.characters > 0 || usage.mediaMs > 0 || usage.images > 0 || usage.documents > 0 || usage.gpuMs > 0;
}

const THOUSAND = 1_000n;
const BILLION = 1_000_000_000n;

function toLargeCost(rates: PriceRates, usage: UsageUnits): Nanos {
  const inputTokens = Math.max(usage.inputTokens, 0);
  const cachedTokens = toPart(usage.cachedInputTokens, inputTokens);
  const writtenTokens = toPart(usage.cacheWriteTokens, inputTokens - cachedTokens);
  const outputTokens = Math.max(usage.outputTokens, 0);
  const reasoningTokens = toPart(usage.reasoningTokens, outputTokens);
  const millionths =
    toProduct(inputTokens - cachedTokens - writtenTokens, rates.inputNanosPerMillion) +
    toProduct(cachedTokens, rates.cachedInputNanosPerMillion) +
    toProduct(writtenTokens, rates.cacheWriteNanosPerMillion) +
    toProduct(outputTokens - reasoningTokens, rates.outputNanosPerMillion) +
    toProduct(reasoningTokens, rates.reasoningNanosPerMillion) +
    toProduct(usage.characters, rates.characterNanosPerMillion) +
    toProduct(usage.images, rates.imageNanosPerMillion) +
    toProduct(usage.documents, rates.documentNanosPerMillion);
  // Time is counted in milliseconds and priced by the second.
  const billionths =
    millionths * THOUSAND +
    toProduct(usage.mediaMs, rates.secondNanosPerMillion) +
    toProduct(usage.gpuMs, rates.gpuSecondNanosPerMillion);
  const nanos = (billionths + BILLION - 1n) / BILLION + toProduct(usage.requests, rates.requestNanos);
  return nanos > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(nanos);
}

function toProduct(quantity: number, rate: number): bigint {
  return quantity > 0 ? BigInt(quantity) * BigInt(rate) : 0n;
}
