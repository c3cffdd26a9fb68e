import { type ConditionalPrice, type ModelInfo } from '@pydantic/genai-prices';
import { type ModelPrice } from './model-price';
import { toTablePrice } from './to-table-price';

/** What a model costs from a day on, at some hours of each day, or always. */
interface DatedPrice {
  readonly fromMs: number;
  /** Of the day in UTC, from (included) and to (not included), in milliseconds; may go past midnight. */
  readonly hours: { readonly fromMs: number; readonly toMs: number } | null;
  readonly price: ModelPrice | null;
}

const DAY_MS = 86_400_000;
const CLOCK_TIME = /^(\d{2}):(\d{2}):(\d{2}(?:\.\d+)?)(?:Z|([+-])(\d{2}):(\d{2}))$/;

/** All that the table knows of one model's price. The last entry that holds at a time is the one that counts. */
export class PriceSchedule {
  readonly contextWindow: number | null;
  readonly #prices: readonly DatedPrice[];

  constructor(model: ModelInfo, version: string, provider: string) {
    const entries: ConditionalPrice[] = Array.isArray(model.prices) ? model.prices : [{ prices: model.prices }];
    this.contextWindow = model.context_window ?? null;
    this.#prices = entries.map(({ constraint, prices }) => {
      const price = toTablePrice(prices, version, provider, model.id);
      if (constraint === undefined) return { fromMs: -Infinity, hours: null, price };
      if (constraint.type === 'start_date') return { fromMs: Date.parse(constraint.start_date), hours: null, price };
      return { fromMs: -Infinity, hours: { fromMs: toDayMs(constraint.start_time), toMs: toDayMs(constraint.end_time) }, price };
    });
  }

  findPrice(atMs: number): ModelPrice | null {
    for (let index = this.#prices.length - 1; index > 0; index -= 1) {
      if (holdsAt(this.#prices[index], atMs)) return this.#prices[index].price;
    }
    // The first entry is also what holds before all others.
    return this.#prices[0]?.price ?? null;
  }
}

function holdsAt({ fromMs, hours }: DatedPrice, atMs: number): boolean {
  if (atMs < fromMs) return false;
  if (hours === null) return true;
  const dayMs = ((atMs % DAY_MS) + DAY_MS) % DAY_MS;
  return hours.toMs < hours.fromMs ? dayMs >= hours.fromMs || dayMs < hours.toMs : dayMs >= hours.fromMs && dayMs < hours.toMs;
}

/** `16:30:00Z` or `16:30:00+08:00` as milliseconds since midnight in UTC. NaN, which is never now, for anything else. */
function toDayMs(time: string): number {
  const [, hours, minutes, seconds, sign, offsetHours = '0', offsetMinutes = '0'] = CLOCK_TIME.exec(time) ?? [];
  const offset = (Number(offsetHours) * 60 + Number(offsetMinutes)) * (sign === '-' ? -1 : 1);
  const dayMs = ((Number(hours) * 60 + Number(minutes) - offset) * 60 + Number(seconds)) * 1_000;
  return (dayMs + DAY_MS) % DAY_MS;
}
