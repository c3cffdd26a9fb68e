/**
 * What a piece of work consumed, in native units. Integers; zero where a unit does not apply.
 * `cachedInputTokens` are inside `inputTokens`, `reasoningTokens` inside `outputTokens`
 * (OpenAI's convention; providers with another one are converted where they are read).
 */
export interface UsageUnits {
  inputTokens: number;
  cachedInputTokens: number;
  outputTokens: number;
  reasoningTokens: number;
}

export function zeroUsage(): UsageUnits {
  return { inputTokens: 0, cachedInputTokens: 0, outputTokens: 0, reasoningTokens: 0 };
}

/** Counts above this are taken for a lie: no model reads or writes a billion tokens in one call. */
const LARGEST_BELIEVABLE_COUNT = 1_000_000_000;

/** A count read from outside: a non-negative, believable integer, or null. */
export function parseCount(value: unknown): number | null {
  return typeof value === 'number' &&
    Number.isInteger(value) &&
    value >= 0 &&
    value <= LARGEST_BELIEVABLE_COUNT
    ? value
    : null;
}
