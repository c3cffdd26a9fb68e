import { zeroUsage } from '@weir/kernel';
import { readFormatUsage, type WireFormat } from '@weir/wire';

describe('the usage of an answer that is not chat', () => {
  it.each<[WireFormat, unknown, object]>([
    ['openai-embeddings', { prompt_tokens: 5, total_tokens: 5 }, { inputTokens: 5 }],
    ['openai-completions', { prompt_tokens: 5, completion_tokens: 7, total_tokens: 12 }, { inputTokens: 5, outputTokens: 7 }],
    ['openai-moderations', { prompt_tokens: 5, total_tokens: 5, completion_tokens: 0 }, { inputTokens: 5 }],
    ['siglip2-embed', { prompt_tokens: 5, total_tokens: 5 }, { inputTokens: 5 }],
    ['rerank', { total_tokens: 5 }, { inputTokens: 5 }],
    ['rerank', { prompt_tokens: 4, total_tokens: 5 }, { inputTokens: 4 }],
    ['openai-speech', { input_tokens: 5, output_tokens: 7, total_tokens: 12 }, { inputTokens: 5, outputTokens: 7 }],
    ['openai-images', { input_tokens: 5, output_tokens: 7, total_tokens: 12, input_tokens_details: { text_tokens: 5, image_tokens: 0, cached_tokens: 2 } }, { inputTokens: 5, outputTokens: 7, cachedInputTokens: 2 }],
    ['openai-image-edits', { input_tokens: 5, output_tokens: 7, input_tokens_details: null }, { inputTokens: 5, outputTokens: 7 }],
    ['openai-transcriptions', { type: 'tokens', input_tokens: 14, input_token_details: { text_tokens: 10, audio_tokens: 4 }, output_tokens: 101, total_tokens: 115 }, { inputTokens: 14, outputTokens: 101 }],
    ['openai-transcriptions', { type: 'duration', seconds: 42 }, { mediaMs: 42_000 }],
    ['openai-translations', { type: 'duration', seconds: 0.0004 }, { mediaMs: 1 }],
    ['openai-transcriptions', { type: 'duration', seconds: 0 }, { mediaMs: 0 }],
  ])('%s %j', (format, usage, expected) => {
    expect(readFormatUsage(format, usage)).toEqual({ ...zeroUsage(), ...expected, requests: 1 });
  });

  const lies: unknown[] = [null, undefined, 'x', 5, [], {}];
  const tokens: unknown[] = [{ input_tokens: -1 }, { input_tokens: 1.5 }, { input_tokens: '5' }, { input_tokens: 1e300 }, { input_tokens: 5, output_tokens: -1 }, { input_tokens: 5, output_tokens: 'x' }, { input_tokens: 5, input_tokens_details: { cached_tokens: 6 } }];
  it.each<[WireFormat, unknown]>([
    ...(['openai-embeddings', 'rerank', 'openai-speech', 'openai-images', 'openai-transcriptions'] as const).flatMap((format) => lies.map((lie) => [format, lie] as [WireFormat, unknown])),
    ...(['openai-speech', 'openai-images', 'openai-transcriptions'] as const).flatMap((format) => tokens.map((lie) => [format, lie] as [WireFormat, unknown])),
    ...[-1, NaN, Infinity, '5', null, 86_401].map((seconds) => ['openai-transcriptions', { type: 'duration', seconds }] as [WireFormat, unknown]),
    ['rerank', { prompt_tokens: -5, total_tokens: 5 }],
  ])('believes no lie: %s %j', (format, usage) => {
    expect(readFormatUsage(format, usage)).toBeNull();
  });

  it.each<WireFormat>(['tei-embed', 'tei-rerank', 'meshes', 'trellis', 'openai-chat', 'anthropic', 'gemini', 'gemini-embed', 'anthropic-count-tokens'])('is not read here for %s', (format) => {
    expect(readFormatUsage(format, { prompt_tokens: 5, completion_tokens: 1, input_tokens: 5, output_tokens: 1 })).toBeNull();
  });
});
