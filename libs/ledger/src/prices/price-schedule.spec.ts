import { calcPrice, type ConditionalPrice, type ModelInfo, TieredPrices } from '@pydantic/genai-prices';
import { zeroUsage } from '@weir/kernel';
import { PriceSchedule } from './price-schedule';
import { toCost } from './to-cost';

const toModel = (prices: ModelInfo['prices']): ModelInfo => ({ id: 'm', match: { equals: 'm' }, prices });
const usage = { ...zeroUsage(), inputTokens: 1_000_000 };

function costAt(prices: ModelInfo['prices'], time: string): number | null {
  const price = new PriceSchedule(toModel(prices), '1', 'p').findPrice(Date.parse(time));
  return price === null ? null : toCost(price, usage) / 1e9;
}

const entries: ConditionalPrice[] = [
  { prices: { input_mtok: 1 } },
  { constraint: { type: 'start_date', start_date: '2026-03-01' }, prices: { input_mtok: 2 } },
  { constraint: { type: 'time_of_date', start_time: '23:00:00Z', end_time: '01:30:00Z' }, prices: { input_mtok: 3 } },
  { constraint: { type: 'time_of_date', start_time: '08:00:00+08:00', end_time: '12:00:00.5+08:00' }, prices: { input_mtok: 4 } },
  { constraint: { type: 'start_date', start_date: '2027-01-01' }, prices: { input_mtok: 5 } },
];

describe('a schedule of prices', () => {
  it('goes past midnight, and reads other time zones', () => {
    expect(['2026-02-28T22:59:59.999Z', '2026-02-28T23:00:00Z', '2026-03-01T00:30:00Z', '2026-03-01T04:00:00.499Z', '2026-03-01T04:00:00.500Z', '2027-01-01T23:30:00Z'].map((time) => costAt(entries, time))).toEqual([1, 3, 4, 4, 2, 5]);
  });

  it('agrees with the package at every quarter of an hour, before and after each date', () => {
    const provider = { id: 'p', name: 'p', api_pattern: 'x', models: [toModel(entries)] };
    for (const day of ['1969-12-31', '2026-02-28', '2026-03-01', '2026-12-31', '2027-01-01']) {
      for (let quarter = 0; quarter < 96; quarter += 1) {
        const timestamp = new Date(Date.parse(`${day}T00:00:00Z`) + quarter * 900_000);
        expect(costAt(entries, timestamp.toISOString())).toBe(calcPrice({ input_tokens: 1_000_000 }, 'm', { provider, timestamp })?.total_price);
      }
    }
  });

  it('knows no price while the entry that holds has none', () => {
    const offered: ConditionalPrice[] = [{ prices: {} }, { constraint: { type: 'start_date', start_date: '2026-03-01' }, prices: { input_mtok: 2 } }];
    expect(costAt(offered, '2026-02-28T00:00:00Z')).toBeNull();
    expect(costAt(offered, '2026-03-01T00:00:00Z')).toBe(2);
    expect(costAt([], '2026-03-01T00:00:00Z')).toBeNull();
    expect(costAt({ output_mtok: 5 }, '2026-03-01T00:00:00Z')).toBeNull();
  });

  it('bears tiers that begin at different places, in any order', () => {
    const input = new TieredPrices({ base: 1, tiers: [{ start: 500, price: 4 }, { start: 100, price: 2 }] });
    const output = new TieredPrices({ base: 10, tiers: [{ start: 300, price: 30 }] });
    const prices = { input_mtok: input, output_mtok: output, requests_kcount: 1, audio_hours: 3.6 };
    const provider = { id: 'p', name: 'p', api_pattern: 'x', models: [toModel(prices)] };
    const price = new PriceSchedule(toModel(prices), '1', 'p').findPrice(0);
    expect(price?.tiers.map(({ aboveInputTokens }) => aboveInputTokens)).toEqual([-1, 100, 300, 500]);
    for (const inputTokens of [0, 100, 101, 300, 301, 500, 501]) {
      const expected = calcPrice({ input_tokens: inputTokens, output_tokens: 7 }, 'm', { provider })?.total_price ?? NaN;
      expect(price && toCost(price, { ...zeroUsage(), inputTokens, outputTokens: 7, requests: 1 })).toBe(Math.round(expected * 1e9));
    }
    expect(price && toCost(price, { ...zeroUsage(), mediaMs: 1_500 })).toBe(1_500_000);
  });
});
