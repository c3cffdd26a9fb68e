import { LARGEST_BUDGET_NANOS, type UsageUnits, zeroUsage } from '@weir/kernel';
import { parseModelPrice, PriceTable, toCost } from '@weir/ledger';
import { toCallBounds } from './call-bounds';
import { Estimate, type EstimateFacts } from './estimate';

const openai = { provider: 'openai', address: { origin: 'https://api.openai.com', basePath: '/v1', options: {} } };
const table = new PriceTable();
const nowMs = Date.parse('2026-11-21T12:00:00Z');
const boundsOf = (...models: string[]) =>
  toCallBounds(models.map((upstreamModel) => ({ upstreamModel, price: table.findPrice(openai, upstreamModel, nowMs), contextWindow: table.findContextWindow(openai, upstreamModel) })));
const ownPrice = (price: object, upstreamModel = 'my-llama', contextWindow: number | null = null) => toCallBounds([{ upstreamModel, price: parseModelPrice(price), contextWindow }]);

function toFacts(facts: Partial<EstimateFacts>): EstimateFacts {
  return { operation: 'chat', bodyBytes: 1_000, textBytes: 800, outputCap: null, choiceCount: 1, promptCount: 1, imageCount: 0, fileCount: 0, hasTools: false, work: null, ...facts };
}

describe('the estimate', () => {
  it('holds all that the caller allowed, no more and no less', () => {
    const estimate = new Estimate(toFacts({ outputCap: 100 }), boundsOf('gpt-4o'));
    expect(estimate.worstUsage).toEqual({ ...zeroUsage(), inputTokens: 1_064, outputTokens: 100, requests: 1 });
    expect(estimate.mostNanos).toBe(1_064 * 2_500 + 100 * 10_000);
    expect(estimate.leastNanos).toBe(estimate.mostNanos);
    expect(estimate.tokens).toBe(200 + 100);
    expect(estimate.capFor(estimate.mostNanos)).toBeNull();
  });

  it('takes the caller by the larger of what it may mean: every choice, thought and cache write at its rate', () => {
    const estimate = new Estimate(toFacts({ outputCap: 100, choiceCount: 3 }), boundsOf('gpt-5.6-sol', 'gpt-4o'));
    expect(estimate.worstUsage).toMatchObject({ inputTokens: 1_064, cacheWriteTokens: 1_064, outputTokens: 300 });
    expect(estimate.mostNanos).toBe(1_064 * 5_000 + 300 * 20_000);
    expect(estimate.tokens).toBe(200 + 300);
  });

  it('takes the dear tier only where the body is long enough for it', () => {
    expect(new Estimate(toFacts({ bodyBytes: 271_999 - 64, outputCap: 1 }), boundsOf('gpt-5.4')).mostNanos).toBe(271_999 * 2_500 + 15_000);
    expect(new Estimate(toFacts({ bodyBytes: 271_999 - 63, outputCap: 1 }), boundsOf('gpt-5.4')).mostNanos).toBe(272_000 * 5_000 + 22_500);
  });

  it('never takes more input than the context window holds', () => {
    const facts = toFacts({ bodyBytes: 30_000_000, outputCap: 1, imageCount: 5, fileCount: 2, hasTools: true });
    expect(new Estimate(facts, boundsOf('gpt-4o')).worstUsage.inputTokens).toBe(128_000);
    expect(new Estimate(facts, ownPrice({ per_request_usd: 1 })).worstUsage.inputTokens).toBe(30_000_000 + 64 + 1_024 + 5 * 12_000 + 2 * 131_072);
  });

  it('allows for pictures and files, whose bytes say nothing of their tokens', () => {
    expect(new Estimate(toFacts({ outputCap: 1, imageCount: 2 }), boundsOf('gpt-4o')).worstUsage.inputTokens).toBe(1_064 + 24_000);
    expect(new Estimate(toFacts({ outputCap: 1, fileCount: 1 }), boundsOf('gpt-4o')).worstUsage.inputTokens).toBe(128_000);
    // Charged for more than the window holds.
    expect(new Estimate(toFacts({ outputCap: 1, imageCount: 3 }), boundsOf('gpt-4o-mini')).worstUsage.inputTokens).toBe(1_064 + 3 * 48_169);
  });

  it('writes nothing for embeddings, whose inputs may each fill the window', () => {
    const estimate = new Estimate(toFacts({ operation: 'embeddings', bodyBytes: 40_000, textBytes: 32_000 }), boundsOf('text-embedding-3-small'));
    expect(estimate.worstUsage).toMatchObject({ inputTokens: 40_000, outputTokens: 0 });
    expect(estimate).toMatchObject({ tokens: 8_000, leastNanos: 800_000, mostNanos: 800_000 });
    expect(estimate.capFor(800_000)).toBeNull();
  });

  it('writes 16 tokens for each prompt of a legacy completion and each of its tries, and says so aloud', () => {
    const estimate = new Estimate(toFacts({ operation: 'completions', bodyBytes: 400, textBytes: 360, promptCount: 3, choiceCount: 5 }), boundsOf('gpt-3.5-turbo-instruct'));
    expect(estimate.worstUsage).toMatchObject({ inputTokens: 400, outputTokens: 3 * 5 * 16 });
    expect(estimate.mostNanos).toBe(400 * 1_500 + 240 * 2_000);
    expect(estimate.leastNanos).toBe(estimate.mostNanos);
    expect(estimate.tokens).toBe(90 + 240);
    expect(estimate.capFor(estimate.mostNanos)).toBe(16);
    expect(new Estimate(toFacts({ operation: 'completions', outputCap: 0 }), boundsOf('gpt-3.5-turbo-instruct')).worstUsage.outputTokens).toBe(0);
  });

  it('counts a usual output for a window of tokens where the caller set no cap', () => {
    expect(new Estimate(toFacts({}), boundsOf('gpt-4o')).tokens).toBe(200 + 1_024);
    expect(new Estimate(toFacts({ choiceCount: 2 }), boundsOf('gpt-4o')).tokens).toBe(200 + 2_048);
  });

  it('costs nothing where nobody knows the price, and where it is free on purpose', () => {
    expect(new Estimate(toFacts({}), boundsOf('no-such-model'))).toMatchObject({ leastNanos: 0, mostNanos: 0, tokens: 1_224 });
    expect(new Estimate(toFacts({}), boundsOf('no-such-model')).capFor(0)).toBeNull();
    const free = new Estimate(toFacts({}), ownPrice({ per_request_usd: 0 }));
    expect(free).toMatchObject({ leastNanos: 0, mostNanos: 0 });
    expect(free.capFor(0)).toBeNull();
  });

  it('stays a whole number, however much is asked for', () => {
    const dear = ownPrice({ input_per_million_usd: 1_000_000, output_per_million_usd: 1_000_000, per_request_usd: 10_000 });
    for (const facts of [{ outputCap: 1_000_000_000 }, { outputCap: 1_000_000_000, choiceCount: 1_000_000_000 }, { choiceCount: 1_000_000_000 }, { bodyBytes: 2 ** 40, imageCount: 1e9, fileCount: 1e9 }]) {
      const estimate = new Estimate(toFacts(facts), dear);
      for (const count of [estimate.tokens, estimate.leastNanos, estimate.mostNanos, estimate.worstUsage.inputTokens, estimate.worstUsage.outputTokens]) {
        expect(Number.isSafeInteger(count)).toBe(true);
      }
      expect(estimate.mostNanos).toBe(LARGEST_BUDGET_NANOS);
    }
  });
});

describe('the cap that a hold affords', () => {
  it('is as large as the hold, to the token', () => {
    const bounds = boundsOf('gpt-4o');
    for (const choiceCount of [1, 3]) {
      const estimate = new Estimate(toFacts({ choiceCount }), bounds);
      const costOf = (cap: number): number => (bounds.price === null ? NaN : toCost(bounds.price, { ...estimate.worstUsage, outputTokens: cap * choiceCount }));
      for (const cap of [16, 17, 1_000, 16_383]) {
        expect(estimate.capFor(costOf(cap))).toBe(cap);
        expect(estimate.capFor(costOf(cap + 1) - 1)).toBe(cap);
      }
      expect(estimate.leastNanos).toBe(costOf(16));
      expect(estimate.mostNanos).toBe(costOf(16_384));
      expect(estimate.capFor(estimate.leastNanos)).toBe(16);
      expect(estimate.capFor(estimate.mostNanos)).toBeNull();
      expect(estimate.capFor(0)).toBe(0);
    }
  });

  it('is never one that a place would refuse', () => {
    const wide = new Estimate(toFacts({}), boundsOf('gpt-4o', 'gpt-5'));
    expect(wide.capFor(wide.mostNanos - 1)).toBe(16_384);
    const unknown = new Estimate(toFacts({}), ownPrice({ output_per_million_usd: 1 }));
    expect(unknown.capFor(unknown.mostNanos - 1)).toBe(4_096);
    expect(unknown.capFor(1_000 * 100)).toBe(100);
    expect(unknown.capFor(unknown.mostNanos)).toBeNull();
  });

  it('keeps whatever is answered within the hold: 2,000 calls at random', () => {
    let seed = 20_261_121;
    const random = (largest: number): number => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((seed / 2 ** 32) * (largest + 1));
    };
    const all = [boundsOf('gpt-4o'), boundsOf('gpt-5.6-sol', 'gpt-5.4'), boundsOf('o3'), ownPrice({ input_per_million_usd: 0.3, output_per_million_usd: 0.000_3, per_request_usd: 0.01, cached_input_per_million_usd: 5 })];
    for (let round = 0; round < 2_000; round += 1) {
      const bounds = all[random(all.length - 1)];
      const choiceCount = 1 + random(3);
      const estimate = new Estimate(toFacts({ bodyBytes: random(400_000), choiceCount }), bounds);
      const held = Math.min(estimate.mostNanos, estimate.leastNanos + random(estimate.mostNanos));
      const cap = estimate.capFor(held);
      const outputTokens = choiceCount * random(cap ?? bounds.largestOutputTokens);
      const inputTokens = random(estimate.worstUsage.inputTokens);
      const cachedInputTokens = random(inputTokens);
      const usage: UsageUnits = { ...zeroUsage(), inputTokens, cachedInputTokens, cacheWriteTokens: random(inputTokens - cachedInputTokens), outputTokens, reasoningTokens: random(outputTokens), requests: 1 };
      expect(bounds.price !== null && toCost(bounds.price, usage) <= held).toBe(true);
      expect(estimate.leastNanos).toBeLessThanOrEqual(estimate.mostNanos);
    }
  });
});
