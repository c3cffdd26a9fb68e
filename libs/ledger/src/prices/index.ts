export { type ModelPrice, type PriceRates, type PriceTier, takesGpuTime, toTier } from './model-price';
export { parseModelPrice, PRICE_FIELDS } from './parse-model-price';
export { type PricedPlace, PriceTable } from './price-table';
export { toCost } from './to-cost';
export { toDearestPrice } from './to-dearest-price';
