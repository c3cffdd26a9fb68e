import { toExampleRecord } from './example-record';
import { toStorableText, toUsageRow } from './usage-row';

describe('toStorableText', () => {
  it.each([
    ['plain', 'plain'],
    ['a\0b', 'a\uFFFDb'],
    ['half \ud83d', 'half \uFFFD'],
    ['\udc00 half', '\uFFFD half'],
    ['whole 🐎', 'whole 🐎'],
    [`${'x'.repeat(511)}🐎`, `${'x'.repeat(511)}\uFFFD`],
    ['x'.repeat(10_000_000), 'x'.repeat(512)],
  ])('makes %j something that PostgreSQL takes', (text, stored) => {
    expect(toStorableText(text)).toBe(stored);
  });
});

describe('toUsageRow', () => {
  it('brings measures into what their columns hold', () => {
    const row = toUsageRow(
      toExampleRecord({ durationMs: NaN, firstByteMs: -1, httpStatus: 1e9, costNanos: Infinity, usage: { inputTokens: 1.4, cachedInputTokens: -3, outputTokens: 1e300, reasoningTokens: 2 } }),
    );
    expect(row).toMatchObject({
      duration_ms: 0,
      first_byte_ms: 0,
      http_status: 32_767,
      cost_nanos: Number.MAX_SAFE_INTEGER,
      input_tokens: 1,
      cached_input_tokens: 0,
      output_tokens: Number.MAX_SAFE_INTEGER,
      units: { reasoning_tokens: 2 },
    });
  });
});
