import { type Nanos } from '@weir/kernel';

/** What each unit costs. Rates are whole nano-dollars per million of a unit, so that costs are exact. */
export interface PriceRates {
  /** Of input that was neither read from nor written to the provider's cache. */
  readonly inputNanosPerMillion: number;
  readonly cachedInputNanosPerMillion: number;
  readonly cacheWriteNanosPerMillion: number;
  /** Of output that is no reasoning. */
  readonly outputNanosPerMillion: number;
  readonly reasoningNanosPerMillion: number;
  readonly characterNanosPerMillion: number;
  /** Of sound or film. */
  readonly secondNanosPerMillion: number;
  readonly imageNanosPerMillion: number;
  readonly documentNanosPerMillion: number;
  readonly gpuSecondNanosPerMillion: number;
  readonly requestNanos: Nanos;
}

/** The rates of a whole request whose input has more than so many tokens. */
export interface PriceTier {
  /** -1 for the lowest tier: it holds for no input, too. */
  readonly aboveInputTokens: number;
  readonly rates: PriceRates;
  /** What is stored with a row that was priced so: a short JSON text of the source and the rates. */
  readonly rateJson: string;
}

/** What a model costs. */
export interface ModelPrice {
  /** By `aboveInputTokens`, ascending; there is at least the lowest one. */
  readonly tiers: readonly PriceTier[];
}

/** The tier that a request belongs to. Crossing a threshold prices the whole request anew, not only what is above it. */
export function toTier(price: ModelPrice, inputTokens: number): PriceTier {
  const { tiers } = price;
  let index = tiers.length - 1;
  while (index > 0 && inputTokens <= tiers[index].aboveInputTokens) index -= 1;
  return tiers[index];
}

/** Whether time on a GPU has a price. Only a model's own price can say so, and that has one tier. */
export function takesGpuTime(price: ModelPrice | null): boolean {
  return price !== null && price.tiers[0].rates.gpuSecondNanosPerMillion > 0;
}
