import { parseCount, type UsageUnits, zeroUsage } from '@weir/kernel';
import { type ConversationUsage } from '../conversation';
import { isJsonObject } from '../json-object';

/**
 * Reads the `usage` object of OpenAI's Responses: of an answer, or of the `response` in a stream's last
 * event. Null when it is absent, or says what cannot be: a count that is negative, fractional, a text
 * or beyond belief, more cached tokens than input, more reasoning than output. Cache writes are cut to
 * what the input leaves, as in the chat dialect.
 */
export function readResponsesUsage(usage: unknown): UsageUnits | null {
  if (!isJsonObject(usage)) return null;
  const inputTokens = parseCount(usage.input_tokens);
  const outputTokens = parseCount(usage.output_tokens ?? 0);
  const cachedTokens = readDetail(usage.input_tokens_details, 'cached_tokens');
  const writtenTokens = readDetail(usage.input_tokens_details, 'cache_write_tokens');
  const reasoningTokens = readDetail(usage.output_tokens_details, 'reasoning_tokens');
  if (inputTokens === null || outputTokens === null || cachedTokens === null || writtenTokens === null || reasoningTokens === null) return null;
  if (cachedTokens > inputTokens || reasoningTokens > outputTokens) return null;
  const units = zeroUsage();
  units.inputTokens = inputTokens;
  units.cachedInputTokens = cachedTokens;
  units.cacheWriteTokens = Math.min(writtenTokens, inputTokens - cachedTokens);
  units.outputTokens = outputTokens;
  units.reasoningTokens = reasoningTokens;
  units.requests = 1;
  return units;
}

/** Usage in the words of Responses: cache reads and writes are inside the input, thinking inside the output. */
export function toResponsesUsage(usage: ConversationUsage): object {
  return {
    input_tokens: usage.inputTokens,
    input_tokens_details: { cached_tokens: usage.cachedInputTokens, cache_write_tokens: usage.cacheWriteTokens },
    output_tokens: usage.outputTokens,
    output_tokens_details: { reasoning_tokens: usage.reasoningTokens },
    total_tokens: usage.inputTokens + usage.outputTokens,
  };
}

function readDetail(details: unknown, name: string): number | null {
  return isJsonObject(details) ? parseCount(details[name] ?? 0) : 0;
}
