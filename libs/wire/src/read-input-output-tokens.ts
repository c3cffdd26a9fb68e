import { parseCount, type UsageUnits, zeroUsage } from '@weir/kernel';
import { isJsonObject } from './dialects/json-object';

/**
 * Reads `{input_tokens, output_tokens, total_tokens}`, in which OpenAI tells what speech, pictures and
 * transcriptions used. Text, sound and picture tokens stay inside input and output. Null when it is
 * absent, or says what cannot be: what is not believed is estimated, and marked so.
 */
export function readInputOutputTokens(usage: unknown): UsageUnits | null {
  if (!isJsonObject(usage)) return null;
  const inputTokens = parseCount(usage.input_tokens);
  const outputTokens = parseCount(usage.output_tokens ?? 0);
  const cachedTokens = readCached(usage.input_tokens_details ?? usage.input_token_details);
  if (inputTokens === null || outputTokens === null || cachedTokens === null || cachedTokens > inputTokens) return null;
  const units = zeroUsage();
  units.inputTokens = inputTokens;
  units.cachedInputTokens = cachedTokens;
  units.outputTokens = outputTokens;
  units.requests = 1;
  return units;
}

function readCached(details: unknown): number | null {
  return isJsonObject(details) ? parseCount(details.cached_tokens ?? 0) : 0;
}
