import { parseCount, type UsageUnits } from '@weir/kernel';

/**
 * Reads OpenAI's `usage` object (chat, completions and embeddings). Null when it is absent, or says
 * what cannot be: a negative or fractional count, or a part larger than its whole.
 */
export function readOpenAiUsage(usage: unknown): UsageUnits | null {
  if (!isRecord(usage)) return null;
  const inputTokens = parseCount(usage.prompt_tokens);
  // Embeddings have no completion.
  const outputTokens = parseCount(usage.completion_tokens ?? 0);
  const cachedInputTokens = parseDetail(usage.prompt_tokens_details, 'cached_tokens');
  const reasoningTokens = parseDetail(usage.completion_tokens_details, 'reasoning_tokens');
  if (inputTokens === null || outputTokens === null || cachedInputTokens === null || reasoningTokens === null) return null;
  if (cachedInputTokens > inputTokens || reasoningTokens > outputTokens) return null;
  return { inputTokens, cachedInputTokens, outputTokens, reasoningTokens };
}

function parseDetail(details: unknown, name: string): number | null {
  return isRecord(details) ? parseCount(details[name] ?? 0) : 0;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
