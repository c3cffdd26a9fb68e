import { parseModelPrice, toCost } from '@weir/ledger';

const usage = (inputTokens: number, outputTokens = 0, cachedInputTokens = 0) => ({ inputTokens, outputTokens, cachedInputTokens, reasoningTokens: 0 });

describe('parseModelPrice', () => {
  it('reads every field into whole nano-dollars per million', () => {
    const price = parseModelPrice({
      input_per_million_usd: 0.15,
      output_per_million_usd: '0.60',
      cached_input_per_million_usd: 0.075,
      per_request_usd: 0.001,
      per_thousand_characters_usd: 0.015,
      per_second_usd: 0.0001,
      per_image_usd: 0.04,
    });
    expect(price).toEqual({
      inputNanosPerMillion: 150_000_000,
      outputNanosPerMillion: 600_000_000,
      cachedInputNanosPerMillion: 75_000_000,
      requestNanos: 1_000_000,
      characterNanosPerMillion: 15_000_000_000,
      secondNanosPerMillion: 100_000_000_000,
      imageNanosPerMillion: 40_000_000_000_000,
    });
  });

  it('takes a free model, and null for a field that is not priced', () => {
    expect(parseModelPrice({ input_per_million_usd: 0, cached_input_per_million_usd: null })).toMatchObject({
      inputNanosPerMillion: 0,
      cachedInputNanosPerMillion: null,
    });
  });

  it('keeps the dearest believable price exact', () => {
    const price = parseModelPrice({ input_per_million_usd: 1_000_000, per_image_usd: 1 });
    expect(Number.isSafeInteger(price.inputNanosPerMillion)).toBe(true);
    expect(Number.isSafeInteger(price.imageNanosPerMillion)).toBe(true);
  });

  it.each([
    [null, 'price'],
    [[], 'price'],
    ['free', 'price'],
    [{}, 'price'],
    [{ input_per_million_usd: null }, 'price'],
    [{ input_per_million_usd: -1 }, 'price.input_per_million_usd'],
    [{ input_per_million_usd: NaN }, 'price.input_per_million_usd'],
    [{ input_per_million_usd: Infinity }, 'price.input_per_million_usd'],
    [{ output_per_million_usd: 1e300 }, 'price.output_per_million_usd'],
    [{ output_per_million_usd: 1e-12 }, 'price.output_per_million_usd'],
    [{ per_request_usd: '1e3' }, 'price.per_request_usd'],
    [{ per_request_usd: '' }, 'price.per_request_usd'],
    [{ per_request_usd: true }, 'price.per_request_usd'],
    [{ input_per_milion_usd: 1 }, 'price.input_per_milion_usd'],
    [{ constructor: 1 }, 'price.constructor'],
    [JSON.parse('{"__proto__": 1}'), 'price.__proto__'],
  ])('refuses %j and names %s', (value, param) => {
    expect(() => parseModelPrice(value)).toThrow(expect.objectContaining({ name: 'WeirError', code: 'invalid_request', param }));
  });
});

describe('toCost', () => {
  const price = parseModelPrice({ input_per_million_usd: 2.5, output_per_million_usd: 10, cached_input_per_million_usd: 1.25 });

  it('prices cached tokens, which are inside the input, at their own rate', () => {
    // 600 × 2,500 + 400 × 1,250 + 100 × 10,000 nano-dollars
    expect(toCost(price, usage(1000, 100, 400))).toBe(1_500_000 + 500_000 + 1_000_000);
  });

  it('prices cached tokens as input when they have no rate', () => {
    expect(toCost(parseModelPrice({ input_per_million_usd: 2.5 }), usage(1000, 0, 400))).toBe(2_500_000);
  });

  it('never charges for more cached tokens than there was input', () => {
    expect(toCost(price, usage(10, 0, 1000))).toBe(10 * 1_250);
  });

  it('rounds up once, at the end', () => {
    const cheap = parseModelPrice({ input_per_million_usd: 0.0000005, output_per_million_usd: 0.0000005 });
    expect(toCost(cheap, usage(1))).toBe(1);
    expect(toCost(cheap, usage(1000, 1000))).toBe(1);
    expect(toCost(cheap, usage(1000, 1001))).toBe(2);
    expect(toCost(cheap, usage(0))).toBe(0);
  });

  it('adds the price of the request', () => {
    expect(toCost(parseModelPrice({ per_request_usd: 0.01 }), usage(5))).toBe(10_000_000);
  });

  it('stays exact beyond what a product of numbers holds, and whole beyond nine million dollars', () => {
    const dear = parseModelPrice({ input_per_million_usd: 999_999.999999999 });
    const exact = (10_000_001n * BigInt(dear.inputNanosPerMillion) + 999_999n) / 1_000_000n;
    expect(toCost(dear, usage(10_000_001))).toBe(Number(exact > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : exact));
    const odd = parseModelPrice({ input_per_million_usd: 123.456789012 });
    expect(BigInt(toCost(odd, usage(999_999_999)))).toBe((999_999_999n * 123_456_789_012n + 999_999n) / 1_000_000n);
    expect(toCost(dear, usage(1_000_000_000))).toBe(Number.MAX_SAFE_INTEGER);
  });
});
