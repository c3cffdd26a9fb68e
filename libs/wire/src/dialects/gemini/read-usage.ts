import { parseCount, zeroUsage } from '@weir/kernel';
import { type ConversationUsage } from '../conversation';
import { isJsonObject } from '../json-object';

/**
 * Reads Gemini's `usageMetadata`. `promptTokenCount` includes what was read from the cache, and lacks
 * what Google's own tools fed to the model; `candidatesTokenCount` lacks the thinking. Each event of a
 * stream has a snapshot: the last one counts. Null when it is absent, or says what cannot be.
 */
export function readGeminiUsage(usage: unknown): ConversationUsage | null {
  if (!isJsonObject(usage)) return null;
  const read = (name: string): number | null => parseCount(usage[name] ?? 0);
  const promptTokens = read('promptTokenCount');
  const toolTokens = read('toolUsePromptTokenCount');
  const cachedTokens = read('cachedContentTokenCount');
  const shownTokens = read('candidatesTokenCount');
  const thoughtTokens = read('thoughtsTokenCount');
  if (promptTokens === null || toolTokens === null || cachedTokens === null || shownTokens === null || thoughtTokens === null) return null;
  // An object of other members is no usage.
  if (usage.promptTokenCount === undefined && usage.candidatesTokenCount === undefined) return null;
  if (cachedTokens > promptTokens + toolTokens) return null;
  return {
    ...zeroUsage(),
    inputTokens: promptTokens + toolTokens,
    cachedInputTokens: cachedTokens,
    outputTokens: shownTokens + thoughtTokens,
    reasoningTokens: thoughtTokens,
    requests: 1,
  };
}

/** Usage in Gemini's words. It has none for what was written to a cache: that is inside the prompt. */
export function toGeminiUsage(usage: ConversationUsage): object {
  return {
    promptTokenCount: usage.inputTokens,
    ...(usage.cachedInputTokens === 0 ? {} : { cachedContentTokenCount: usage.cachedInputTokens }),
    candidatesTokenCount: usage.outputTokens - usage.reasoningTokens,
    ...(usage.reasoningTokens === 0 ? {} : { thoughtsTokenCount: usage.reasoningTokens }),
    totalTokenCount: usage.inputTokens + usage.outputTokens,
  };
}
