import { type ModelPrice as TableEntry } from '@pydantic/genai-prices';
import { toNanos } from '@weir/kernel';
import { type ModelPrice, type PriceRates } from './model-price';
import { toRateJson } from './to-rate-json';

/**
 * An entry of the price table in Weir's units. Null when it has no rate for input tokens: the table
 * has entries without any rate (of free offers, and of those nobody has looked up), and what is not
 * priced must not pass for free.
 *
 * Output without a rate of its own, which only embeddings and classifiers have, costs what input costs.
 */
export function toTablePrice(entry: TableEntry, version: string, provider: string, model: string): ModelPrice | null {
  if (entry.input_mtok === undefined) return null;
  const source = { source: 'table', version, provider, model } as const;
  const tiers = listThresholds(entry).map((aboveInputTokens) => {
    const rates = toRates(entry, aboveInputTokens);
    return { aboveInputTokens, rates, rateJson: toRateJson(source, aboveInputTokens, rates) };
  });
  return { tiers };
}

/** Where any of the rates changes. The table's tiers begin above `start`, and the highest one prices the whole request. */
function listThresholds(entry: TableEntry): number[] {
  const starts = Object.values(entry).flatMap((rate) => (typeof rate === 'object' ? rate.tiers.map((tier) => tier.start) : []));
  return [...new Set([-1, ...starts])].sort((one, other) => one - other);
}

function toRates(entry: TableEntry, aboveInputTokens: number): PriceRates {
  const find = (name: string): number | null => findUsd(entry, name, aboveInputTokens);
  const input = toNanos(find('input_mtok') ?? 0);
  const toTokenRate = (name: string, otherwise: number): number => {
    const usd = find(name);
    return usd === null ? otherwise : toNanos(usd);
  };
  const output = toTokenRate('output_mtok', input);
  return {
    inputNanosPerMillion: input,
    cachedInputNanosPerMillion: toTokenRate('cache_read_mtok', input),
    cacheWriteNanosPerMillion: toTokenRate('cache_write_mtok', input),
    outputNanosPerMillion: output,
    reasoningNanosPerMillion: toTokenRate('output_reasoning_mtok', output),
    characterNanosPerMillion: 0,
    secondNanosPerMillion: Math.ceil((toNanos(find('audio_hours') ?? find('input_audio_hours') ?? 0) * 1_000_000) / 3_600),
    imageNanosPerMillion: 0,
    documentNanosPerMillion: 0,
    gpuSecondNanosPerMillion: 0,
    requestNanos: Math.ceil(toNanos(find('requests_kcount') ?? 0) / 1_000),
  };
}

function findUsd(entry: TableEntry, name: string, aboveInputTokens: number): number | null {
  const rate = entry[name];
  if (rate === undefined || typeof rate === 'number') return rate ?? null;
  let usd = rate.base;
  let start = -1;
  for (const tier of rate.tiers) {
    if (tier.start > start && tier.start <= aboveInputTokens) {
      usd = tier.price;
      start = tier.start;
    }
  }
  return usd;
}
