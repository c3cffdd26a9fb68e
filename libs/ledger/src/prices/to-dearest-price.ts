import { type ModelPrice, type PriceRates, type PriceTier, toTier } from './model-price';

/**
 * A price that is never below any of these for the same usage: for each unit the dearest rate that
 * may apply, at the number of input tokens or at any smaller one. Null when one of them is unknown,
 * or there is none: nobody knows the dearest then. What it costs is for holds, not for rows.
 */
export function toDearestPrice(prices: readonly (ModelPrice | null)[]): ModelPrice | null {
  const known = prices.filter((price) => price !== null);
  if (known.length === 0 || known.length < prices.length) return null;
  if (known.every((price) => price === known[0]) && known[0].tiers.length === 1) return known[0];
  const thresholds = new Set(known.flatMap(({ tiers }) => tiers.map((tier) => tier.aboveInputTokens)));
  const tiers: PriceTier[] = [];
  for (const aboveInputTokens of [...thresholds].sort((one, other) => one - other)) {
    const rates = known.map((price) => toTier(price, aboveInputTokens + 1).rates);
    const lower = tiers.at(-1);
    if (lower !== undefined) rates.push(lower.rates);
    tiers.push({ aboveInputTokens, rates: toDearestRates(rates), rateJson: '{"source":"dearest"}' });
  }
  return { tiers };
}

function toDearestRates(all: readonly PriceRates[]): PriceRates {
  const toLargest = (read: (rates: PriceRates) => number): number => Math.max(...all.map(read));
  return {
    inputNanosPerMillion: toLargest((rates) => rates.inputNanosPerMillion),
    cachedInputNanosPerMillion: toLargest((rates) => rates.cachedInputNanosPerMillion),
    cacheWriteNanosPerMillion: toLargest((rates) => rates.cacheWriteNanosPerMillion),
    outputNanosPerMillion: toLargest((rates) => rates.outputNanosPerMillion),
    reasoningNanosPerMillion: toLargest((rates) => rates.reasoningNanosPerMillion),
    characterNanosPerMillion: toLargest((rates) => rates.characterNanosPerMillion),
    secondNanosPerMillion: toLargest((rates) => rates.secondNanosPerMillion),
    imageNanosPerMillion: toLargest((rates) => rates.imageNanosPerMillion),
    documentNanosPerMillion: toLargest((rates) => rates.documentNanosPerMillion),
    gpuSecondNanosPerMillion: toLargest((rates) => rates.gpuSecondNanosPerMillion),
    requestNanos: toLargest((rates) => rates.requestNanos),
  };
}
