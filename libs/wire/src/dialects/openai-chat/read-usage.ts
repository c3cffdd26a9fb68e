import { parseCount, type UsageUnits, zeroUsage } from '@weir/kernel';
import { type ConversationUsage } from '../conversation';
import { isJsonObject } from '../json-object';

/**
 * Reads OpenAI's `usage` object (chat, completions and embeddings). Null when it is absent, or says
 * what cannot be: a count that is negative, fractional, a text or beyond belief, more cached tokens
 * than input, more reasoning than output. What is not believed is estimated, and marked so.
 *
 * Audio tokens stay inside input and output. Servers that speak OpenAI's API differ in two things:
 * - Cache writes have several names, and a few count them beside the input: they are cut to what
 *   the input leaves.
 * - xAI and Gemini leave thinking out of `completion_tokens`, though they charge it as output; only
 *   `total_tokens` has it. So what the total has more than input and output was thinking.
 */
export function readChatUsage(usage: unknown): UsageUnits | null {
  if (!isJsonObject(usage)) return null;
  const inputTokens = parseCount(usage.prompt_tokens);
  // Embeddings have no completion.
  const shownTokens = parseCount(usage.completion_tokens ?? 0);
  const cachedTokens = readCached(usage);
  const writtenTokens = readCacheWrites(usage);
  const saidReasoning = readDetail(usage.completion_tokens_details, 'reasoning_tokens');
  if (inputTokens === null || shownTokens === null || cachedTokens === null || writtenTokens === null || saidReasoning === null) return null;
  return toChatUnits({ inputTokens, shownTokens, totalTokens: parseCount(usage.total_tokens), cachedTokens, writtenTokens, saidReasoning });
}

export interface ChatCounts {
  readonly inputTokens: number;
  /** Of `completion_tokens`. */
  readonly shownTokens: number;
  /** Null where none is said. */
  readonly totalTokens: number | null;
  readonly cachedTokens: number;
  readonly writtenTokens: number;
  readonly saidReasoning: number;
}

/** The units of counts that were read; null where they say what cannot be. */
export function toChatUnits({ inputTokens, shownTokens, totalTokens, cachedTokens, writtenTokens, saidReasoning }: ChatCounts): UsageUnits | null {
  // A total that is less than its parts says nothing.
  const hiddenTokens = totalTokens === null ? 0 : Math.max(totalTokens - inputTokens - shownTokens, 0);
  const outputTokens = shownTokens + hiddenTokens;
  const reasoningTokens = Math.max(saidReasoning, hiddenTokens);
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

/** OpenAI's name, or the one of Moonshot, or of DeepSeek. */
function readCached(usage: Readonly<Record<string, unknown>>): number | null {
  const details = usage.prompt_tokens_details;
  return parseCount((isJsonObject(details) ? details.cached_tokens : null) ?? usage.cached_tokens ?? usage.prompt_cache_hit_tokens ?? 0);
}

/** OpenAI's name (and OpenRouter's), or LiteLLM's two. */
function readCacheWrites(usage: Readonly<Record<string, unknown>>): number | null {
  const details = usage.prompt_tokens_details;
  const detailed = isJsonObject(details) ? (details.cache_write_tokens ?? details.cache_creation_tokens) : null;
  return parseCount(detailed ?? usage.cache_creation_input_tokens ?? 0);
}

function readDetail(details: unknown, name: string): number | null {
  return isJsonObject(details) ? parseCount(details[name] ?? 0) : 0;
}
