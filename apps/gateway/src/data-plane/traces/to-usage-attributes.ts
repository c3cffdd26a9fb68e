import { type UsageUnits } from '@weir/kernel';
import { type SpanAttributes } from '@weir/platform';

/** Tokens, as OpenTelemetry counts them: those of the cache are inside the input, those of reasoning inside the output, as here. */
export function toUsageAttributes({ inputTokens, outputTokens, cachedInputTokens, cacheWriteTokens, reasoningTokens }: UsageUnits): SpanAttributes {
  const attributes: SpanAttributes = { 'gen_ai.usage.input_tokens': inputTokens, 'gen_ai.usage.output_tokens': outputTokens };
  if (cachedInputTokens > 0) attributes['gen_ai.usage.cache_read.input_tokens'] = cachedInputTokens;
  if (cacheWriteTokens > 0) attributes['gen_ai.usage.cache_write.input_tokens'] = cacheWriteTokens;
  if (reasoningTokens > 0) attributes['gen_ai.usage.reasoning.output_tokens'] = reasoningTokens;
  return attributes;
}
