/**
 * What a piece of work consumed, in native units. Whole numbers; zero where a unit does not apply.
 * Tokens follow OpenAI's convention (providers with another one are converted where they are read):
 * `cachedInputTokens` and `cacheWriteTokens` are inside `inputTokens`, `reasoningTokens` inside
 * `outputTokens`.
 */
export interface UsageUnits {
  inputTokens: number;
  /** Read from the provider's prompt cache. */
  cachedInputTokens: number;
  /** Written to the provider's prompt cache. */
  cacheWriteTokens: number;
  outputTokens: number;
  reasoningTokens: number;
  /** Of text that is spoken or read aloud, where a provider counts so. */
  characters: number;
  /** Of sound or film, in milliseconds; priced by the second. */
  mediaMs: number;
  images: number;
  /** Reranked or parsed. */
  documents: number;
  /** Calls: 1 for a call that the upstream answered. */
  requests: number;
  /** Time on a GPU of one's own, in milliseconds; priced by the second. */
  gpuMs: number;
}

export function zeroUsage(): UsageUnits {
  return {
    inputTokens: 0,
    cachedInputTokens: 0,
    cacheWriteTokens: 0,
    outputTokens: 0,
    reasoningTokens: 0,
    characters: 0,
    mediaMs: 0,
    images: 0,
    documents: 0,
    requests: 0,
    gpuMs: 0,
  };
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
