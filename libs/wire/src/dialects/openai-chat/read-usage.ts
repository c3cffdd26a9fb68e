import { parseCount, zeroUsage } from '@weir/kernel';
import { type ConversationUsage } from '../conversation';
import { isJsonObject } from '../json-object';

/**
 * Reads the `usage` of a chat answer. Null when it is absent or says what cannot be. As
 * `readOpenAiUsage` of the provider `openai`, which knows the deviations of compatible servers: cache
 * writes under several names, thinking that only `total_tokens` counts.
 */
export function readChatUsage(usage: unknown): ConversationUsage | null {
  if (!isJsonObject(usage)) return null;
  const inputTokens = parseCount(usage.prompt_tokens);
  const shownTokens = parseCount(usage.completion_tokens ?? 0);
  const cachedTokens = parseCount(readDetail(usage.prompt_tokens_details, 'cached_tokens') ?? usage.cached_tokens ?? usage.prompt_cache_hit_tokens ?? 0);
  const writtenTokens = parseCount(
    readDetail(usage.prompt_tokens_details, 'cache_write_tokens') ?? readDetail(usage.prompt_tokens_details, 'cache_creation_tokens') ?? usage.cache_creation_input_tokens ?? 0,
  );
  const saidReasoning = parseCount(readDetail(usage.completion_tokens_details, 'reasoning_tokens') ?? 0);
  if (inputTokens === null || shownTokens === null || cachedTokens === null || writtenTokens === null || saidReasoning === null) return null;
  const hiddenTokens = Math.max((parseCount(usage.total_tokens) ?? 0) - inputTokens - shownTokens, 0);
  const outputTokens = shownTokens + hiddenTokens;
  const reasoningTokens = Math.max(saidReasoning, hiddenTokens);
  if (cachedTokens > inputTokens || reasoningTokens > outputTokens) return null;
  const cacheWriteTokens = Math.min(writtenTokens, inputTokens - cachedTokens);
  return { ...zeroUsage(), inputTokens, cachedInputTokens: cachedTokens, cacheWriteTokens, outputTokens, reasoningTokens, requests: 1 };
}

/** Usage in OpenAI's words: cache reads and writes are inside the prompt, thinking inside the completion. */
export function toChatUsage(usage: ConversationUsage): object {
  return {
    prompt_tokens: usage.inputTokens,
    completion_tokens: usage.outputTokens,
    total_tokens: usage.inputTokens + usage.outputTokens,
    prompt_tokens_details: { cached_tokens: usage.cachedInputTokens, cache_write_tokens: usage.cacheWriteTokens, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: usage.reasoningTokens, audio_tokens: 0, accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
  };
}

function readDetail(details: unknown, name: string): unknown {
  return isJsonObject(details) ? details[name] : null;
}
