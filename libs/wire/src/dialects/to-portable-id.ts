import { createHash } from 'node:crypto';

const PORTABLE = /^[A-Za-z0-9_-]{1,40}$/;

/**
 * An id of a tool call that every provider takes. Anthropic takes letters, digits, `_` and `-` only,
 * OpenAI at most 40 characters; some servers make ids like `functions.search:0`. Others are replaced
 * by their hash: the same id always by the same, so that calls and results still find each other.
 */
export function toPortableId(id: string): string {
  return PORTABLE.test(id) ? id : toMadeId(id);
}

/** An id made of what it stands for, for a provider that sent none. */
export function toMadeId(seed: string): string {
  return `call_${createHash('sha256').update(seed).digest('hex').slice(0, 32)}`;
}
