import { readOpenAiFailure } from '../openai/openai-failure';
import { type ProviderFailure } from '../provider';

/**
 * Understands an error answer of text-embeddings-inference: `{error, error_type}` of its own routes,
 * `{message, code, type}` of `/v1/embeddings`. 424 (inference failed) and 503 are faults, 429 (its queue
 * is full) is throttling, 400, 413 (too many texts, or too long) and 422 are the caller's.
 */
export function readTeiFailure(
  status: number,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  body: Buffer,
  nowMs: number,
): ProviderFailure {
  const failure = readOpenAiFailure(status, headers, body, nowMs);
  // Its `code` is the status again, its types (`Validation`) are unknown to OpenAI's clients.
  return { ...failure, code: null, type: failure.failureClass === 'caller' ? 'invalid_request_error' : failure.type };
}
