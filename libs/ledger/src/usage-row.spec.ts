import { zeroUsage } from '@weir/kernel';
import { toExampleRecord } from './example-record';
import { USAGE_STATUSES } from './usage-record';
import { toStorableText, toUsageRowText } from './usage-row';

const toRow = (text: string): unknown => JSON.parse(text);

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

describe('toUsageRowText', () => {
  it('is one line of JSON with every column', () => {
    const record = toExampleRecord({ model: 'a "name"\nof two lines', rate: '{\n"input": 1\n}' });
    const text = toUsageRowText(record);
    expect(text).not.toContain('\n');
    expect(toRow(text)).toEqual({
      request_id: record.requestId,
      attempt: 1,
      at_ms: record.atMs,
      organization_id: record.organizationId,
      project_id: null,
      key_id: record.keyId,
      operation: 'chat',
      model: 'a "name"\nof two lines',
      upstream_id: null,
      upstream_key_id: null,
      upstream_model: 'gpt',
      status: 'succeeded',
      http_status: 200,
      error_code: null,
      input_tokens: 10,
      cached_input_tokens: 4,
      output_tokens: 20,
      units: null,
      estimated: false,
      cost_nanos: 1_500,
      rate: { input: 1 },
      duration_ms: 13,
      first_byte_ms: 3,
    });
  });

  it('keeps units without a column beside the others, and only those that say something', () => {
    const usage = { ...zeroUsage(), cacheWriteTokens: 1, reasoningTokens: 2, characters: 3, mediaMs: 4_500, images: 5, documents: 6, requests: 7, gpuMs: 1 };
    expect(toRow(toUsageRowText(toExampleRecord({ usage })))).toMatchObject({
      units: { cache_write_tokens: 1, reasoning_tokens: 2, characters: 3, seconds: 4.5, images: 5, documents: 6, requests: 7, gpu_seconds: 0.001 },
    });
    expect(toRow(toUsageRowText(toExampleRecord({ usage: { ...zeroUsage(), requests: 1 } })))).toMatchObject({ units: null });
    expect(toRow(toUsageRowText(toExampleRecord({ usage: zeroUsage() })))).toMatchObject({ units: { requests: 0 } });
  });

  it('brings measures into what their columns hold', () => {
    const usage = { ...zeroUsage(), requests: 1, inputTokens: 1.4, cachedInputTokens: -3, outputTokens: 1e300, reasoningTokens: NaN, mediaMs: Infinity };
    const row = toRow(toUsageRowText(toExampleRecord({ durationMs: NaN, firstByteMs: -1, httpStatus: 1e9, costNanos: Infinity, usage })));
    expect(row).toMatchObject({
      duration_ms: 0,
      first_byte_ms: 0,
      http_status: 32_767,
      cost_nanos: Number.MAX_SAFE_INTEGER,
      input_tokens: 1,
      cached_input_tokens: 0,
      output_tokens: Number.MAX_SAFE_INTEGER,
      units: { seconds: Number.MAX_SAFE_INTEGER / 1_000 },
    });
  });

  it('says each number as it is, however many digits it has', () => {
    const numbers = [0, 1, 9, 10, 99, 100, 999, 1_000, 65_535, 999_999, 123_456_789, 999_999_999, 1e9, 1_000_000_001, 9_999_999_999, 1e10, 9_999_999_999_999, 1e13, Number.MAX_SAFE_INTEGER];
    for (const number of numbers) {
      const usage = { ...zeroUsage(), requests: 1, inputTokens: number, cachedInputTokens: number, outputTokens: number };
      expect(toRow(toUsageRowText(toExampleRecord({ usage, costNanos: number, atMs: number })))).toMatchObject({
        input_tokens: number, cached_input_tokens: number, output_tokens: number, cost_nanos: number, at_ms: number,
      });
      const [smallint, integer] = [Math.min(number, 32_767), Math.min(number, 2_147_483_647)];
      expect(toRow(toUsageRowText(toExampleRecord({ attempt: number, httpStatus: number, durationMs: number, firstByteMs: number })))).toMatchObject({
        attempt: number, http_status: smallint, duration_ms: integer, first_byte_ms: integer,
      });
    }
  });

  it('says why a call failed, and every status', () => {
    for (const status of USAGE_STATUSES) {
      expect(toRow(toUsageRowText(toExampleRecord({ status, estimated: true, errorCode: 'fault:"ä"', costNanos: null, httpStatus: null, firstByteMs: null })))).toMatchObject({
        status, estimated: true, error_code: 'fault:"ä"', cost_nanos: null, http_status: null, first_byte_ms: null,
      });
    }
  });

  it('begins with the id, as others expect who look for it', () => {
    const record = toExampleRecord();
    expect(toUsageRowText(record).slice(15, 51)).toBe(record.requestId);
    expect(toUsageRowText({ ...record, attempt: 1e9 }).slice(15, 51)).toBe(record.requestId);
  });

  it('says the right name also after more names than it remembers', () => {
    for (let index = 0; index < 10_000; index++) toUsageRowText(toExampleRecord({ model: `made up ${index}` }));
    expect(toRow(toUsageRowText(toExampleRecord({ model: 'made up 3' })))).toMatchObject({ model: 'made up 3', operation: 'chat' });
  });
});
