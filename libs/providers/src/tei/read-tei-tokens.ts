import { parseCount } from '@weir/kernel';

const DIGITS = /^\d{1,10}$/;

/**
 * The tokens that text-embeddings-inference counted, from its header `x-compute-tokens`: `/embed` and
 * `/rerank` say them nowhere else. Null when it is absent or no count.
 */
export function readTeiTokens(headers: Readonly<Record<string, string | string[] | undefined>>): number | null {
  const value = headers['x-compute-tokens'];
  return typeof value === 'string' && DIGITS.test(value) ? parseCount(Number(value)) : null;
}
