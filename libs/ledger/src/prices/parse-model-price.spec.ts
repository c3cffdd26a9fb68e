import { parseModelPrice, toTier } from '.';

const ratesOf = (value: unknown) => toTier(parseModelPrice(value), 0).rates;

describe('parseModelPrice', () => {
  it('reads every field into whole nano-dollars per million', () => {
    expect(
      ratesOf({
        input_per_million_usd: 0.15,
        output_per_million_usd: '0.60',
        cached_input_per_million_usd: 0.075,
        cache_write_per_million_usd: 0.1875,
        per_request_usd: 0.001,
        per_thousand_characters_usd: 0.015,
        per_second_usd: 0.0001,
        per_image_usd: 0.04,
        per_document_usd: '0.002',
        per_gpu_second_usd: 0.001_1,
      }),
    ).toEqual({
      inputNanosPerMillion: 150_000_000,
      outputNanosPerMillion: 600_000_000,
      reasoningNanosPerMillion: 600_000_000,
      cachedInputNanosPerMillion: 75_000_000,
      cacheWriteNanosPerMillion: 187_500_000,
      requestNanos: 1_000_000,
      characterNanosPerMillion: 15_000_000_000,
      secondNanosPerMillion: 100_000_000_000,
      imageNanosPerMillion: 40_000_000_000_000,
      documentNanosPerMillion: 2_000_000_000_000,
      gpuSecondNanosPerMillion: 1_100_000_000_000,
    });
  });

  it('takes a free model, and prices cached and written tokens as input where they have no price', () => {
    expect(ratesOf({ input_per_million_usd: 0, cached_input_per_million_usd: null })).toMatchObject({ inputNanosPerMillion: 0, cachedInputNanosPerMillion: 0 });
    expect(ratesOf({ input_per_million_usd: 2, cached_input_per_million_usd: 0 })).toMatchObject({ cachedInputNanosPerMillion: 0, cacheWriteNanosPerMillion: 2_000_000_000 });
  });

  it('keeps the dearest believable price exact', () => {
    for (const rate of Object.values(ratesOf({ input_per_million_usd: 1_000_000, output_per_million_usd: 1_000_000, per_request_usd: 10_000, per_thousand_characters_usd: 1_000, per_second_usd: 1, per_image_usd: 1, per_document_usd: 1, per_gpu_second_usd: 1 }))) {
      expect(Number.isSafeInteger(rate)).toBe(true);
    }
  });

  it('says in short what is stored with a row, in exact decimals', () => {
    const { rateJson } = toTier(parseModelPrice({ input_per_million_usd: 2.5, cached_input_per_million_usd: '0.000000001', per_image_usd: 0.04, per_thousand_characters_usd: 0.015 }), 0);
    expect(rateJson).toBe(
      '{"source":"override","input_per_million_usd":2.5,"cached_input_per_million_usd":0.000000001,"output_per_million_usd":0,"per_thousand_characters_usd":0.015,"per_image_usd":0.04}',
    );
  });

  it.each([
    [null, 'price'],
    [[], 'price'],
    ['free', 'price'],
    [{}, 'price'],
    [{ input_per_million_usd: null }, 'price'],
    [{ input_per_million_usd: -1 }, 'price.input_per_million_usd'],
    [{ cache_write_per_million_usd: -1 }, 'price.cache_write_per_million_usd'],
    [{ per_document_usd: 1.01 }, 'price.per_document_usd'],
    [{ per_gpu_second_usd: '-1' }, 'price.per_gpu_second_usd'],
    [{ input_per_million_usd: '1'.repeat(400_000) }, 'price.input_per_million_usd'],
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
