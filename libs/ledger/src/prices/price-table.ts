import { calcPrice, findProvider } from '@pydantic/genai-prices';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type ModelPrice } from './model-price';
import { PriceSchedule } from './price-schedule';

/** An upstream, as far as the price table must know it: its record has all of this. */
export interface PricedPlace {
  /** Weir's name for the provider. */
  readonly provider: string;
  readonly address: {
    readonly origin: string;
    readonly basePath: string;
    readonly options: Readonly<Record<string, unknown>>;
  };
}

/** The schedules that were looked up for one provider of the table; null: the table does not know the model. */
type Shelf = Map<string, PriceSchedule | null>;

interface ShelvedPlace {
  /** Null when the table does not know the provider. */
  readonly provider: string | null;
  readonly shelf: Shelf;
  /** What is looked up in place of a deployment's name. */
  readonly baseModel: string | null;
}

const PACKAGE = '@pydantic/genai-prices';
/** Names come from callers where a route ends in `*`: beyond so many, all are forgotten and looked up again. */
const MOST_NAMES = 5_000;
const LONGEST_MODEL = 256;

/**
 * The default prices: what the npm package @pydantic/genai-prices holds as it was installed. It is
 * never asked to fetch newer ones, so a price changes only with an upgrade, or with a date in it.
 *
 * A provider is `openai`, `azure`, `anthropic` or Gemini by its own name, and any other by the base
 * URL's host (Groq, Mistral, DeepSeek, OpenRouter, …). Names are matched by the package's own rules.
 */
export class PriceTable {
  readonly version: string = readVersion();
  readonly #shelves = new Map<string | null, Shelf>();
  readonly #places = new WeakMap<PricedPlace, ShelvedPlace>();

  /** What a model costs for a request that began at `atMs`. Null when the table has no price for it. */
  findPrice(place: PricedPlace, upstreamModel: string, atMs: number): ModelPrice | null {
    return this.#findSchedule(place, upstreamModel)?.findPrice(atMs) ?? null;
  }

  /** In tokens, of input and output together. Null when the table does not know it. */
  findContextWindow(place: PricedPlace, upstreamModel: string): number | null {
    return this.#findSchedule(place, upstreamModel)?.contextWindow ?? null;
  }

  #findSchedule(place: PricedPlace, upstreamModel: string): PriceSchedule | null {
    const { provider, shelf, baseModel } = this.#places.get(place) ?? this.#shelve(place);
    const model = baseModel ?? upstreamModel;
    const known = shelf.get(model);
    if (known !== undefined) return known;
    const schedule = provider === null || model.length > LONGEST_MODEL ? null : lookUp(provider, model, this.version);
    if (shelf.size >= MOST_NAMES) shelf.clear();
    shelf.set(model, schedule);
    return schedule;
  }

  #shelve(place: PricedPlace): ShelvedPlace {
    const provider = toTableProvider(place);
    const shelf = this.#shelves.get(provider) ?? new Map<string, PriceSchedule | null>();
    this.#shelves.set(provider, shelf);
    const shelved = { provider, shelf, baseModel: toBaseModel(place) };
    this.#places.set(place, shelved);
    return shelved;
  }
}

/** The table's own id for where an upstream is. */
function toTableProvider({ provider, address }: PricedPlace): string | null {
  switch (provider) {
    case 'openai':
    case 'azure':
    case 'anthropic':
      return provider;
    case 'gemini':
      return 'google';
    default:
      return findProvider({ providerApiUrl: address.origin + address.basePath })?.id ?? null;
  }
}

/** A deployment's name is free: the upstream's option `base_model` says which model answers there. */
function toBaseModel({ address }: PricedPlace): string | null {
  const { base_model: baseModel } = address.options;
  return typeof baseModel === 'string' && baseModel !== '' ? baseModel : null;
}

/** The package finds the model; the prices are Weir's, because the package's are sums of floating-point numbers. */
function lookUp(provider: string, model: string, version: string): PriceSchedule | null {
  const found = calcPrice({}, model, { providerId: provider, timestamp: new Date(0) });
  return found === null ? null : new PriceSchedule(found.model, version, provider);
}

function readVersion(): string {
  // The package does not export its package.json; it lies above what it does export.
  const text = readFileSync(join(dirname(require.resolve(PACKAGE)), '..', 'package.json'), 'utf8');
  return /"version":\s*"([^"]+)"/.exec(text)?.[1] ?? 'unknown';
}
