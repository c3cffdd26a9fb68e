/** LiteLLM's price fields, each with ours and how many of its unit ours prices. */
const FIELDS: readonly (readonly [theirs: string, ours: string, factor: number])[] = [
  ['input_cost_per_token', 'input_per_million_usd', 1_000_000],
  ['output_cost_per_token', 'output_per_million_usd', 1_000_000],
  ['cache_read_input_token_cost', 'cached_input_per_million_usd', 1_000_000],
  ['cache_creation_input_token_cost', 'cache_write_per_million_usd', 1_000_000],
  ['input_cost_per_character', 'per_thousand_characters_usd', 1_000],
  ['input_cost_per_second', 'per_second_usd', 1],
  ['output_cost_per_second', 'per_second_usd', 1],
  ['output_cost_per_image', 'per_image_usd', 1],
  ['input_cost_per_image', 'per_image_usd', 1],
  ['input_cost_per_query', 'per_request_usd', 1],
  ['input_cost_per_request', 'per_request_usd', 1],
];

export const PRICE_NAMES: ReadonlySet<string> = new Set(FIELDS.map(([theirs]) => theirs));

/** Digits that a price may have; a product of floating-point numbers has more that mean nothing. */
const DIGITS = 12;

/** The prices that an entry sets, as a model's `price`; null when it sets none. */
export function toLitellmPrice(sources: readonly Readonly<Record<string, unknown>>[]): Record<string, number> | null {
  const price: Record<string, number> = {};
  for (const [theirs, ours, factor] of FIELDS) {
    const cost = sources.map((source) => toCost(source[theirs])).find((found) => found !== null) ?? null;
    if (cost !== null) price[ours] = Math.max(price[ours] ?? 0, Number((cost * factor).toPrecision(DIGITS)));
  }
  return Object.keys(price).length === 0 ? null : price;
}

/** A text too: Python's reader takes `3e-6` for one. */
function toCost(value: unknown): number | null {
  const cost = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof cost === 'number' && Number.isFinite(cost) && cost >= 0 ? cost : null;
}
