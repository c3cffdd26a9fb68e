import { type Nanos, toNanos, WeirError } from '@weir/kernel';

/** What a model costs. Rates are whole nano-dollars per million of a unit, so that costs are exact. */
export interface ModelPrice {
  readonly inputNanosPerMillion: number;
  readonly outputNanosPerMillion: number;
  /** Null prices cached tokens as any other input. */
  readonly cachedInputNanosPerMillion: number | null;
  readonly requestNanos: Nanos;
  readonly characterNanosPerMillion: number;
  readonly secondNanosPerMillion: number;
  readonly imageNanosPerMillion: number;
}

/** How a price field is written: how many of its unit it prices, and the most that is believable. */
const FIELDS = {
  input_per_million_usd: { perMillion: 1, largestUsd: 1_000_000 },
  output_per_million_usd: { perMillion: 1, largestUsd: 1_000_000 },
  cached_input_per_million_usd: { perMillion: 1, largestUsd: 1_000_000 },
  per_request_usd: { perMillion: 1, largestUsd: 10_000 },
  per_thousand_characters_usd: { perMillion: 1_000, largestUsd: 1_000 },
  per_second_usd: { perMillion: 1_000_000, largestUsd: 1 },
  per_image_usd: { perMillion: 1_000_000, largestUsd: 1 },
} as const;

type Field = keyof typeof FIELDS;

const DECIMAL = /^\d+(\.\d+)?$/;

const isField = (name: string): name is Field => Object.hasOwn(FIELDS, name);

function refuse(param: string, message: string): WeirError {
  return new WeirError('invalid_request', { param, message: `'${param}' ${message}` });
}

/** Dollars as a number, or as a decimal string for those who do not trust numbers. */
function parseUsd(value: unknown, param: string, largestUsd: number): number {
  const usd = typeof value === 'string' && DECIMAL.test(value) ? Number(value) : value;
  if (typeof usd !== 'number' || !Number.isFinite(usd) || usd < 0) throw refuse(param, 'must be a number of dollars, zero or more.');
  if (usd > largestUsd) throw refuse(param, `must be at most ${largestUsd} dollars.`);
  // Something that rounds to nothing would give the model away.
  if (usd > 0 && toNanos(usd) === 0) throw refuse(param, 'must be zero or at least a billionth of a dollar.');
  return usd;
}

/**
 * A model's `price`, as the control plane and the `models` table write it.
 * @throws WeirError `invalid_request` whose `param` is `price` or `price.<field>`.
 */
export function parseModelPrice(value: unknown): ModelPrice {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refuse('price', 'must be an object.');
  const rates = new Map<Field, number>();
  for (const [name, given] of Object.entries(value)) {
    const param = `price.${name}`;
    if (!isField(name)) throw refuse(param, 'is not a price that Weir knows.');
    if (given === null || given === undefined) continue;
    const { perMillion, largestUsd } = FIELDS[name];
    rates.set(name, toNanos(parseUsd(given, param, largestUsd)) * perMillion);
  }
  // An empty price would look like a free model; no price at all is null.
  if (rates.size === 0) throw refuse('price', 'must have at least one field.');
  return {
    inputNanosPerMillion: rates.get('input_per_million_usd') ?? 0,
    outputNanosPerMillion: rates.get('output_per_million_usd') ?? 0,
    cachedInputNanosPerMillion: rates.get('cached_input_per_million_usd') ?? null,
    requestNanos: rates.get('per_request_usd') ?? 0,
    characterNanosPerMillion: rates.get('per_thousand_characters_usd') ?? 0,
    secondNanosPerMillion: rates.get('per_second_usd') ?? 0,
    imageNanosPerMillion: rates.get('per_image_usd') ?? 0,
  };
}
