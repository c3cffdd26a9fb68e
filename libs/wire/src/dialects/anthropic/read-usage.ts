import { parseCount, zeroUsage } from '@weir/kernel';
import { type ConversationUsage } from '../conversation';
import { isJsonObject } from '../json-object';

/**
 * Reads Anthropic's `usage`: `input_tokens` excludes what was read from and written to the cache, so
 * the three are added. Of a stream, `earlier` is the usage of `message_start`: the one of
 * `message_delta` is cumulative, and says only what it corrects. Null when it is absent or says what
 * cannot be. Writes for five minutes and for an hour, which have different prices, are one count.
 */
export function readAnthropicUsage(usage: unknown, earlier: unknown = null): ConversationUsage | null {
  if (!isJsonObject(usage)) return null;
  const before = isJsonObject(earlier) ? earlier : {};
  const read = (name: string): number | null => parseCount(usage[name] ?? before[name] ?? 0);
  const freshTokens = read('input_tokens');
  const cachedTokens = read('cache_read_input_tokens');
  const writtenTokens = read('cache_creation_input_tokens');
  const outputTokens = read('output_tokens');
  const details = usage.output_tokens_details ?? before.output_tokens_details;
  const thinkingTokens = parseCount((isJsonObject(details) ? details.thinking_tokens : null) ?? 0);
  if (freshTokens === null || cachedTokens === null || writtenTokens === null || outputTokens === null || thinkingTokens === null) return null;
  if (thinkingTokens > outputTokens) return null;
  return {
    ...zeroUsage(),
    inputTokens: freshTokens + cachedTokens + writtenTokens,
    cachedInputTokens: cachedTokens,
    cacheWriteTokens: writtenTokens,
    outputTokens,
    reasoningTokens: thinkingTokens,
    requests: 1,
  };
}

/** Usage in Anthropic's words, for an answer, a `message_start` or a `message_delta`. */
export function toAnthropicUsage(usage: ConversationUsage): object {
  return {
    input_tokens: usage.inputTokens - usage.cachedInputTokens - usage.cacheWriteTokens,
    cache_creation_input_tokens: usage.cacheWriteTokens,
    cache_read_input_tokens: usage.cachedInputTokens,
    output_tokens: usage.outputTokens,
    output_tokens_details: { thinking_tokens: usage.reasoningTokens },
  };
}
