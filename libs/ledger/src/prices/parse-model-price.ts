import { toNanos, WeirError } from '@weir/kernel';
import { type ModelPrice, type PriceRates } from './model-price';
import { toRateJson } from './to-rate-json';

/** How a price field is written: how many of its unit it prices, and the most that is believable. */
const FIELDS = {
  input_per_million_usd: { perMillion: 1, largestUsd: 1_000_000 },
  output_per_million_usd: { perMillion: 1, largestUsd: 1_000_000 },
  cached_input_per_million_usd: { perMillion: 1, largestUsd: 1_000_000 },
  cache_write_per_million_usd: { perMillion: 1, largestUsd: 1_000_000 },
  per_request_usd: { perMillion: 1, largestUsd: 10_000 },
  per_thousand_characters_usd: { perMillion: 1_000, largestUsd: 1_000 },
  per_second_usd: { perMillion: 1_000_000, largestUsd: 1 },
  per_image_usd: { perMillion: 1_000_000, largestUsd: 1 },
  per_document_usd: { perMillion: 1_000_000, largestUsd: 1 },
  per_gpu_second_usd: { perMillion: 1_000_000, largestUsd: 1 },
} as const;

type Field = keyof typeof FIELDS;

/** The fields of a model's price, each with the most dollars that it takes. */
export const PRICE_FIELDS: readonly { readonly name: string; readonly largestUsd: number }[] = Object.entries(FIELDS).map(([name, { largestUsd }]) => ({ name, largestUsd }));

const DECIMAL = /^\d+(\.\d+)?$/;
/** As many digits as any field has decimals and more; a longer text is somebody's joke. */
const LONGEST_DECIMAL = 40;

const isField = (name: string): name is Field => Object.hasOwn(FIELDS, name);

function refuse(param: string, message: string): WeirError {
  return new WeirError('invalid_request', { param, message: `'${param}' ${message}` });
}

/** Dollars as a number, or as a decimal string for those who do not trust numbers. */
function parseUsd(value: unknown, param: string, largestUsd: number): number {
  const isDecimal = typeof value === 'string' && value.length <= LONGEST_DECIMAL && DECIMAL.test(value);
  const usd = isDecimal ? Number(value) : value;
  if (typeof usd !== 'number' || !Number.isFinite(usd) || usd < 0) throw refuse(param, 'must be a number of dollars, zero or more.');
  if (usd > largestUsd) throw refuse(param, `must be at most ${largestUsd} dollars.`);
  // Something that rounds to nothing would give the model away.
  if (usd > 0 && toNanos(usd) === 0) throw refuse(param, 'must be zero or at least a billionth of a dollar.');
  return usd;
}

/**
 * A model's `price`, as the control plane and the `models` table write it. Cached and written
 * tokens without a rate of their own cost what input costs; whatever else is not named is free.
 * @throws WeirError `invalid_request` whose `param` is `price` or `price.<field>`.
 */
export function parseModelPrice(value: unknown): ModelPrice {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refuse('price', 'must be an object.');
  const given = new Map<Field, number>();
  for (const [name, written] of Object.entries(value)) {
    const param = `price.${name}`;
    if (!isField(name)) throw refuse(param, 'is not a price that Weir knows.');
    if (written === null || written === undefined) continue;
    const { perMillion, largestUsd } = FIELDS[name];
    given.set(name, toNanos(parseUsd(written, param, largestUsd)) * perMillion);
  }
  // An empty price would look like a free model; no price at all is null.
  if (given.size === 0) throw refuse('price', 'must have at least one field.');
  const rates = toRates(given);
  return { tiers: [{ aboveInputTokens: -1, rates, rateJson: toRateJson({ source: 'override' }, -1, rates) }] };
}

function toRates(given: ReadonlyMap<Field, number>): PriceRates {
  const input = given.get('input_per_million_usd') ?? 0;
  const output = given.get('output_per_million_usd') ?? 0;
  return {
    inputNanosPerMillion: input,
    cachedInputNanosPerMillion: given.get('cached_input_per_million_usd') ?? input,
    cacheWriteNanosPerMillion: given.get('cache_write_per_million_usd') ?? input,
    outputNanosPerMillion: output,
    reasoningNanosPerMillion: output,
    characterNanosPerMillion: given.get('per_thousand_characters_usd') ?? 0,
    secondNanosPerMillion: given.get('per_second_usd') ?? 0,
    imageNanosPerMillion: given.get('per_image_usd') ?? 0,
    documentNanosPerMillion: given.get('per_document_usd') ?? 0,
    gpuSecondNanosPerMillion: given.get('per_gpu_second_usd') ?? 0,
    requestNanos: given.get('per_request_usd') ?? 0,
  };
}
