import { parseModelPrice, toTier } from '@weir/ledger';
import { type TargetBounds, toCallBounds } from './call-bounds';
import { findLargestOutput } from './largest-output';

const price = parseModelPrice({ input_per_million_usd: 1 });
const target = (upstreamModel: string, contextWindow: number | null = null): TargetBounds => ({ upstreamModel, price, contextWindow });

describe('the bounds of a call', () => {
  it('are the worst of all places: the dearest price, the largest window and output, the smallest cap that all take', () => {
    const dear = parseModelPrice({ output_per_million_usd: 9 });
    const bounds = toCallBounds([target('gpt-4o', 128_000), { ...target('gpt-5', 400_000), price: dear }]);
    expect(bounds).toMatchObject({ contextWindow: 400_000, largestOutputTokens: 128_000, largestCapTokens: 16_384 });
    expect(bounds.price && toTier(bounds.price, 0).rates).toMatchObject({ inputNanosPerMillion: 1_000_000_000, outputNanosPerMillion: 9_000_000_000 });
  });

  it('know no price and no window as soon as one place has none', () => {
    expect(toCallBounds([target('a', 8_192), { ...target('b'), price: null }])).toMatchObject({ price: null, contextWindow: null });
    expect(toCallBounds([])).toMatchObject({ price: null, contextWindow: null, largestOutputTokens: 0 });
  });

  it('take much for the output of an unknown model, and little for the cap that it takes', () => {
    expect(toCallBounds([target('my-llama')])).toMatchObject({ largestOutputTokens: 131_072, largestCapTokens: 4_096 });
    expect(toCallBounds([target('my-llama', 2_048)])).toMatchObject({ largestOutputTokens: 2_048, largestCapTokens: 2_048 });
  });

  it('know that images of gpt-4o-mini cost more tokens than they take', () => {
    expect(toCallBounds([target('gpt-4o')])).toMatchObject({ imageTokens: 12_000, imagesAreInWindow: true });
    expect(toCallBounds([target('gpt-4o'), target('openai/gpt-4o-mini-2024-07-18')])).toMatchObject({ imageTokens: 48_169, imagesAreInWindow: false });
  });
});

describe('the largest output', () => {
  it.each([
    ['gpt-4o', 16_384],
    ['gpt-4o-2024-05-13', 4_096],
    ['gpt-4o-mini', 16_384],
    ['gpt-4.1-nano', 32_768],
    ['gpt-4', 8_192],
    ['gpt-5-chat-latest', 16_384],
    ['gpt-5.6-sol', 128_000],
    ['gpt-6-luna', 128_000],
    ['o1-mini', 65_536],
    ['o3', 100_000],
    ['ft:gpt-4o-mini-2024-07-18:org::id', 16_384],
    ['anthropic/claude-opus-4-1-20250805', 32_000],
    ['claude-opus-4-6', 128_000],
    ['Claude-Sonnet-4-5', 64_000],
    ['gemini-2.5-pro', 65_536],
    ['my-llama', null],
    ['', null],
  ])('of %s is %p', (model, expected) => {
    expect(findLargestOutput(model)).toBe(expected);
  });
});
