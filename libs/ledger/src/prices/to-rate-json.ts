import { type PriceRates } from './model-price';

/** Where a price was found. */
export type PriceSource =
  | { readonly source: 'override' }
  | { readonly source: 'table'; readonly version: string; readonly provider: string; readonly model: string };

/**
 * What is stored with a row: the source, the tier and the rates, in dollars and under the names
 * that an override is written with. Rates of zero are left out, except those of plain tokens.
 */
export function toRateJson(source: PriceSource, aboveInputTokens: number, rates: PriceRates): string {
  const members = Object.entries(source).map(([name, value]) => `"${name}":${JSON.stringify(value)}`);
  if (aboveInputTokens >= 0) members.push(`"above_input_tokens":${aboveInputTokens}`);
  const add = (name: string, nanos: number, decimals: number, isShown = nanos > 0): void => {
    if (isShown) members.push(`"${name}":${toDecimal(nanos, decimals)}`);
  };
  add('input_per_million_usd', rates.inputNanosPerMillion, 9, true);
  add('cached_input_per_million_usd', rates.cachedInputNanosPerMillion, 9, rates.cachedInputNanosPerMillion !== rates.inputNanosPerMillion);
  add('cache_write_per_million_usd', rates.cacheWriteNanosPerMillion, 9, rates.cacheWriteNanosPerMillion !== rates.inputNanosPerMillion);
  add('output_per_million_usd', rates.outputNanosPerMillion, 9, true);
  add('reasoning_per_million_usd', rates.reasoningNanosPerMillion, 9, rates.reasoningNanosPerMillion !== rates.outputNanosPerMillion);
  add('per_request_usd', rates.requestNanos, 9);
  add('per_thousand_characters_usd', rates.characterNanosPerMillion, 12);
  add('per_second_usd', rates.secondNanosPerMillion, 15);
  add('per_image_usd', rates.imageNanosPerMillion, 15);
  add('per_document_usd', rates.documentNanosPerMillion, 15);
  add('per_gpu_second_usd', rates.gpuSecondNanosPerMillion, 15);
  return `{${members.join(',')}}`;
}

/** A whole number, divided by a power of ten, as decimal text: exact, as no division of numbers is. */
function toDecimal(whole: number, decimals: number): string {
  const digits = String(whole).padStart(decimals + 1, '0');
  const fraction = digits.slice(-decimals).replace(/0+$/, '');
  const integer = digits.slice(0, -decimals);
  return fraction === '' ? integer : `${integer}.${fraction}`;
}
