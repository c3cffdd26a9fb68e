import { calcPrice, findProvider, type ModelInfo } from '@pydantic/genai-prices';
import { type UsageUnits, zeroUsage } from '@weir/kernel';
import { type ModelPrice, type PricedPlace, PriceTable, toCost, toTier } from '.';

const table = new PriceTable();
const at = (provider: string, origin = 'https://x.invalid', options: Record<string, unknown> = {}, basePath = '/v1'): PricedPlace => ({
  provider,
  address: { origin, basePath, options },
});
const openai = at('openai');
const anthropic = at('anthropic');
const gemini = at('gemini');
const nowMs = Date.parse('2026-11-21T12:00:00Z');

function get(place: PricedPlace, model: string, atMs = nowMs): ModelPrice {
  const price = table.findPrice(place, model, atMs);
  if (price === null) throw new Error(`${model} has no price`);
  return price;
}

const cost = (price: ModelPrice, usage: Partial<UsageUnits>): number => toCost(price, { ...zeroUsage(), ...usage });

describe('the price table', () => {
  it('prices gpt-4o with what it read from its cache', () => {
    const usage = { inputTokens: 10_000, cachedInputTokens: 8_000, outputTokens: 500, requests: 1 };
    expect(cost(get(openai, 'gpt-4o'), usage)).toBe(2_000 * 2_500 + 8_000 * 1_250 + 500 * 10_000);
    expect(get(openai, 'gpt-4o-2024-08-06')).toEqual(get(openai, 'gpt-4o'));
  });

  it('prices the whole request anew above a threshold: gpt-5.4 from 272,000 input tokens', () => {
    const price = get(openai, 'gpt-5.4');
    expect(cost(price, { inputTokens: 271_999, outputTokens: 1_000 })).toBe(271_999 * 2_500 + 1_000 * 15_000);
    expect(cost(price, { inputTokens: 272_000, outputTokens: 1_000, cachedInputTokens: 2_000 })).toBe(270_000 * 5_000 + 2_000 * 500 + 1_000 * 22_500);
  });

  it('prices gemini-2.5-pro above 200,000 input tokens', () => {
    const price = get(gemini, 'gemini-2.5-pro');
    expect(cost(price, { inputTokens: 200_000, outputTokens: 10 })).toBe(200_000 * 1_250 + 10 * 10_000);
    expect(cost(price, { inputTokens: 200_001, outputTokens: 10 })).toBe(200_001 * 2_500 + 10 * 15_000);
  });

  it('prices the reasoning of an o-series model as output, and at its own rate where there is one', () => {
    expect(cost(get(openai, 'o3'), { inputTokens: 100, outputTokens: 2_000, reasoningTokens: 1_900 })).toBe(100 * 2_000 + 2_000 * 8_000);
    const research = get(at('openai-compatible', 'https://api.perplexity.ai', {}, ''), 'sonar-deep-research');
    expect(cost(research, { outputTokens: 2_000, reasoningTokens: 1_500 })).toBe(500 * 8_000 + 1_500 * 3_000);
  });

  it("prices Claude's cache writes above its input and its cache reads below", () => {
    const usage = { inputTokens: 10_000, cachedInputTokens: 5_000, cacheWriteTokens: 4_000, outputTokens: 100 };
    expect(cost(get(anthropic, 'claude-3-5-haiku-latest'), usage)).toBe(1_000 * 800 + 5_000 * 80 + 4_000 * 1_000 + 100 * 4_000);
  });

  it('takes the price of the day on which the request began', () => {
    const usage = { inputTokens: 1_000_000 };
    expect(cost(get(openai, 'o3', Date.parse('2025-06-09T23:59:59.999Z')), usage)).toBe(10_000_000_000);
    expect(cost(get(openai, 'o3', Date.parse('2025-06-10T00:00:00Z')), usage)).toBe(2_000_000_000);
    expect(cost(get(openai, 'gpt-5.6-sol', Date.parse('2026-08-20T23:59:59Z')), { outputTokens: 1_000_000 })).toBe(30_000_000_000);
    expect(cost(get(openai, 'gpt-5.6-sol', Date.parse('2026-08-21T00:00:00Z')), { outputTokens: 1_000_000 })).toBe(20_000_000_000);
    expect(cost(get(gemini, 'gemini-3.6-flash', Date.parse('2027-01-01T00:00:00Z')), usage)).toBe(1_500_000_000);
  });

  it('takes the price of the hour where there is one', () => {
    const deepseek = at('openai-compatible', 'https://api.deepseek.com', {}, '');
    const usage = { inputTokens: 1_000_000 };
    const atHour = (time: string): number => cost(get(deepseek, 'deepseek-v4-flash', Date.parse(`2026-11-21T${time}Z`)), usage);
    expect(['00:59:59.999', '01:00:00', '03:59:59', '04:00:00', '09:59:59', '10:00:00'].map(atHour)).toEqual([
      220_000_000, 440_000_000, 440_000_000, 220_000_000, 440_000_000, 220_000_000,
    ]);
    expect(cost(get(deepseek, 'deepseek-v4-flash', Date.parse('2026-08-16T12:00:00Z')), usage)).toBe(140_000_000);
  });

  it('adds the price of a request', () => {
    const perplexity = at('openai-compatible', 'https://api.perplexity.ai', {}, '');
    expect(cost(get(perplexity, 'sonar'), { inputTokens: 1_000, requests: 1 })).toBe(1_000_000 + 12_000_000);
  });

  it('knows no price for a model that it does not list, or lists without one', () => {
    expect(table.findPrice(openai, 'no-such-model', nowMs)).toBeNull();
    expect(table.findPrice(openai, '', nowMs)).toBeNull();
    expect(table.findPrice(openai, 'x'.repeat(100_000), nowMs)).toBeNull();
    expect(table.findPrice(openai, 'demo/echo', nowMs)).toBeNull();
    // Offered for nothing, says the table; that is for an admin to say.
    expect(calcPrice({ input_tokens: 5 }, 'phi-4-reasoning:free', { providerId: 'azure' })?.total_price).toBe(0);
    expect(table.findPrice(at('azure'), 'phi-4-reasoning:free', nowMs)).toBeNull();
    // Priced by the hour only: as a chat it would be free.
    expect(table.findPrice(openai, 'whisper-1', nowMs)).toBeNull();
  });

  it("never takes one provider's price for another's", () => {
    expect(table.findPrice(openai, 'claude-3-5-haiku-latest', nowMs)).toBeNull();
    expect(table.findPrice(at('openai-compatible', 'http://localhost:11434'), 'gpt-4o', nowMs)).toBeNull();
    expect(table.findPrice(at('openai-compatible', 'http://demo.weir.internal'), 'gpt-4o', nowMs)).toBeNull();
    expect(table.findPrice(at('no-such-provider'), 'gpt-4o', nowMs)).toBeNull();
  });

  it.each([
    ['https://api.groq.com', '/openai/v1', 'llama-3.3-70b-versatile'],
    ['https://api.mistral.ai', '/v1', 'mistral-large-latest'],
    ['https://api.deepseek.com', '', 'deepseek-chat'],
    ['https://openrouter.ai', '/api/v1', 'openai/gpt-4o'],
    ['https://api.together.xyz', '/v1', 'meta-llama/Llama-3.3-70B-Instruct-Turbo'],
    ['https://api.x.ai', '/v1', 'grok-4'],
    ['https://api.openai.com', '/v1', 'gpt-4o'],
  ])('finds the provider of %s', (origin, basePath, model) => {
    expect(get(at('openai-compatible', origin, {}, basePath), model)).not.toBeNull();
  });

  it('takes an Azure deployment for the model of its name, or for the one that `base_model` says', () => {
    expect(cost(get(at('azure'), 'gpt-4o'), { inputTokens: 1_000 })).toBe(2_500_000);
    expect(table.findPrice(at('azure'), 'prod-chat', nowMs)).toBeNull();
    expect(get(at('azure', 'https://r.openai.azure.com', { base_model: 'gpt-4o' }), 'prod-chat')).toBe(get(at('azure'), 'gpt-4o'));
    expect(table.findPrice(at('azure', 'https://r.openai.azure.com', { base_model: 5 }), 'prod-chat', nowMs)).toBeNull();
  });

  it('says what was applied, of the tier that was', () => {
    const price = get(openai, 'gpt-5.4');
    expect(JSON.parse(toTier(price, 300_000).rateJson)).toEqual({
      source: 'table',
      version: table.version,
      provider: 'openai',
      model: 'gpt-5.4',
      above_input_tokens: 271_999,
      input_per_million_usd: 5,
      cached_input_per_million_usd: 0.5,
      output_per_million_usd: 22.5,
    });
    expect(JSON.parse(toTier(price, 5).rateJson)).not.toHaveProperty('above_input_tokens');
    expect(table.version).toMatch(/^\d+\.\d+\.\d+/);
  });

  it('knows context windows', () => {
    expect(table.findContextWindow(openai, 'gpt-4o')).toBe(128_000);
    expect(table.findContextWindow(openai, 'no-such-model')).toBeNull();
    expect(table.findContextWindow(gemini, 'gemini-2.5-pro')).toBeNull();
  });

  it('remembers a price, but not every name that callers make up', () => {
    const remembered = get(openai, 'gpt-4o');
    expect(get(openai, 'gpt-4o')).toBe(remembered);
    for (let index = 0; index < 5_001; index += 1) table.findPrice(openai, `made-up-${index}`, nowMs);
    expect(get(openai, 'gpt-4o')).not.toBe(remembered);
    expect(get(openai, 'gpt-4o')).toEqual(remembered);
  });
});

describe('against the package itself', () => {
  const providers = ['openai', 'anthropic', 'google', 'azure', 'groq', 'mistral', 'deepseek', 'openrouter', 'together', 'x-ai', 'perplexity', 'cohere', 'moonshotai'];
  /** A Tuesday at half past two, before and after most dates in the table, and around its hours. */
  const times = ['2024-01-02T14:30:00Z', '2025-06-10T00:00:00Z', '2026-08-17T03:00:00Z', '2026-11-21T00:30:00Z', '2026-11-21T16:30:00Z', '2027-03-01T09:59:59Z'].map((time) => new Date(time));
  const usages: readonly Partial<UsageUnits>[] = [
    { inputTokens: 1_000, outputTokens: 500 },
    { inputTokens: 150_000, cachedInputTokens: 50_000, outputTokens: 7 },
    { inputTokens: 200_001, cachedInputTokens: 3, cacheWriteTokens: 100_000, outputTokens: 1 },
    { inputTokens: 1_000_001, cacheWriteTokens: 5, outputTokens: 128_000, reasoningTokens: 100_000 },
  ];

  function toPlace(provider: string): PricedPlace {
    if (provider === 'google') return gemini;
    const hosts: Record<string, string> = {
      groq: 'https://api.groq.com',
      mistral: 'https://api.mistral.ai',
      deepseek: 'https://api.deepseek.com',
      openrouter: 'https://openrouter.ai',
      together: 'https://api.together.xyz',
      'x-ai': 'https://api.x.ai',
      perplexity: 'https://api.perplexity.ai',
      cohere: 'https://api.cohere.com',
      moonshotai: 'https://api.moonshot.ai',
    };
    return provider in hosts ? at('openai-compatible', hosts[provider]) : at(provider);
  }

  const toPackageUsage = (usage: Partial<UsageUnits>): Record<string, number> => ({
    input_tokens: usage.inputTokens ?? 0,
    output_tokens: usage.outputTokens ?? 0,
    cache_read_tokens: usage.cachedInputTokens ?? 0,
    cache_write_tokens: usage.cacheWriteTokens ?? 0,
    output_reasoning_tokens: usage.reasoningTokens ?? 0,
  });

  function compare(provider: string, { id }: ModelInfo, timestamp: Date): 'same' | 'unpriced' {
    const price = table.findPrice(toPlace(provider), id, timestamp.getTime());
    for (const usage of usages) {
      const found = calcPrice(toPackageUsage(usage), id, { providerId: provider, timestamp });
      if (price === null) {
        expect(found?.model_price.input_mtok).toBeUndefined();
        return 'unpriced';
      }
      const ours = cost(price, { ...usage, requests: 1 });
      // Output that the table does not price costs what input costs here, and nothing there.
      const unpricedOutput = found?.model_price.output_mtok === undefined ? cost(price, { outputTokens: usage.outputTokens }) : 0;
      // Rates are rounded to nano-dollars per million, and costs up to a nano-dollar.
      expect({ id, difference: Math.abs(ours - unpricedOutput - (found?.total_price ?? NaN) * 1e9) < 3 }).toEqual({ id, difference: true });
    }
    return 'same';
  }

  it.each(providers)('every model of %s costs the same at every time', (provider) => {
    const models = findProvider({ providerId: provider })?.models ?? [];
    expect(models.length).toBeGreaterThan(5);
    const results = models.flatMap((model) => times.map((time) => compare(provider, model, time)));
    expect(results.filter((result) => result === 'same').length).toBeGreaterThan(results.length / 2);
  });
});
